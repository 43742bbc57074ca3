//! The machine's own resolver: whether it can be told of sets, and whether it was.

use std::fmt;
use std::fs;
use std::net::Ipv4Addr;
use std::path::PathBuf;

use crate::failure::{Failure, Kind};
use crate::process::find_program;

/// The resolvers that can be told where a domain's names are. hostdns/route knows how each is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolver {
    Resolved,
    /// The dnsmasq that NetworkManager runs, where it is set so.
    NetworkManager,
}

impl Resolver {
    /// What podfarm's dnsmasq is made known to it by.
    pub fn by(self) -> &'static str {
        match self {
            Self::Resolved => "a network link to it for systemd-resolved",
            Self::NetworkManager => "a list of sets for NetworkManager's dnsmasq",
        }
    }

    /// The programs that this needs, each with Debian's package.
    fn programs(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Resolved => &[("resolvectl", "systemd-resolved"), ("dnsmasq", "dnsmasq-base"), ("ip", "iproute2")],
            Self::NetworkManager => &[("nmcli", "network-manager"), ("dnsmasq", "dnsmasq-base"), ("pkill", "procps")],
        }
    }
}

/// As its unit is called.
impl fmt::Display for Resolver {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Resolved => "systemd-resolved",
            Self::NetworkManager => "NetworkManager",
        })
    }
}

/// What the resolver's piece is installed for. It is one user's: root's part watches one folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installed {
    pub folder: PathBuf,
    pub address: Ipv4Addr,
    pub resolver: Resolver,
}

/// What hostdns/route reads.
const CONFIGURATION: &str = "/etc/podfarm/hostdns.conf";
/// The process of the dnsmasq that NetworkManager runs.
const NETWORKMANAGERS: &str = "/run/NetworkManager/dnsmasq.pid";

/// The resolver's piece, if it is there.
pub fn installed() -> Option<Installed> {
    parse(&fs::read_to_string(CONFIGURATION).ok()?)
}

fn parse(text: &str) -> Option<Installed> {
    let words = shell_words::split(text).ok()?;
    let value = |key: &str| words.iter().find_map(|word| word.strip_prefix(key)?.strip_prefix('='));
    let resolver =
        [Resolver::Resolved, Resolver::NetworkManager].into_iter().find(|one| value("RESOLVER") == Some(&one.to_string()));
    Some(Installed { folder: value("FOLDER")?.into(), address: value("ADDRESS")?.parse().ok()?, resolver: resolver? })
}

/// The one that programs on this machine ask, if it is one that can be told where a domain's names are.
///
/// # Errors
/// [`Kind::Machine`]: what they ask instead, or what else is missing, and what works in spite of it.
pub fn resolver() -> Result<Resolver, Failure> {
    const BY_ADDRESS: &str = "everything works by address, as `podfarm status` shows, and ssh by name";
    let asked = name_servers(&fs::read_to_string("/etc/resolv.conf").unwrap_or_default());
    let asks = |servers: &[&str]| asked.iter().any(|server| servers.contains(&server.as_str()));
    let resolver = if asks(&["127.0.0.53", "127.0.0.54"]) {
        Resolver::Resolved
    } else if asks(&["127.0.0.1"]) && networkmanager_has_dnsmasq() {
        Resolver::NetworkManager
    } else {
        let asked = if asked.is_empty() { "no name server".to_owned() } else { asked.join(", ") };
        return Err(Failure::new(
            Kind::Machine,
            format!(
                "names of sets cannot be added to this machine's resolver: /etc/resolv.conf has {asked}, neither \
                 systemd-resolved nor NetworkManager's dnsmasq"
            ),
        )
        .hint(format!("{BY_ADDRESS}; for names, on Debian: sudo apt-get install systemd-resolved")));
    };
    for (program, package) in resolver.programs() {
        if find_program(program).is_none() {
            return Err(Failure::new(Kind::Machine, format!("{program} is not installed, so sets cannot have names here"))
                .hint(format!("sudo apt-get install {package}; until then, {BY_ADDRESS}")));
        }
    }
    Ok(resolver)
}

fn networkmanager_has_dnsmasq() -> bool {
    let process = fs::read_to_string(NETWORKMANAGERS).unwrap_or_default();
    fs::read_to_string(format!("/proc/{}/comm", process.trim())).is_ok_and(|program| program.trim() == "dnsmasq")
}

fn name_servers(resolv_conf: &str) -> Vec<String> {
    let server = |line: &str| Some(line.strip_prefix("nameserver")?.trim().to_owned());
    resolv_conf.lines().filter_map(server).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_installed_is_read_as_a_shell_reads_it() {
        let text = "RESOLVER=NetworkManager\nFOLDER='/home/o'\\''neil/na mes'\nADDRESS=127.77.0.53\nPORT=5335\n";
        let address = Ipv4Addr::new(127, 77, 0, 53);
        let installed = Installed { folder: "/home/o'neil/na mes".into(), address, resolver: Resolver::NetworkManager };
        assert_eq!(parse(text), Some(installed));
        assert_eq!(parse("FOLDER=/n\n"), None);
    }

    #[test]
    fn name_servers_and_nothing_else() {
        let text = "# nameserver 1.1.1.1\nnameserver 10.0.2.3\nnameserver\t::1\noptions edns0\nsearch lan\n";
        assert_eq!(name_servers(text), ["10.0.2.3", "::1"]);
    }
}
