//! The machine's own resolver: whether it can be told of sets, and whether it was.

use std::fs;
use std::net::Ipv4Addr;
use std::path::PathBuf;

use crate::failure::{Failure, Kind};
use crate::process::find_program;

/// What the resolver's piece was installed for. It is one user's: root's part watches one folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installed {
    pub folder: PathBuf,
    pub address: Ipv4Addr,
}

/// What hostdns/route reads.
const CONFIGURATION: &str = "/etc/podfarm/hostdns.conf";

/// The resolver's piece, if it is there.
pub fn installed() -> Option<Installed> {
    parse(&fs::read_to_string(CONFIGURATION).ok()?)
}

fn parse(text: &str) -> Option<Installed> {
    let words = shell_words::split(text).ok()?;
    let value = |key: &str| words.iter().find_map(|word| word.strip_prefix(key)?.strip_prefix('='));
    Some(Installed { folder: value("FOLDER")?.into(), address: value("ADDRESS")?.parse().ok()? })
}

/// Whether programs on this machine ask systemd-resolved, the one that can be told where a domain's names are.
///
/// # Errors
/// [`Kind::Machine`]: what they ask instead, or what else is missing, and what works in spite of it.
pub fn check_resolver() -> Result<(), Failure> {
    const BY_ADDRESS: &str = "everything works by address, as `podfarm status` shows, and ssh by name";
    let asked = name_servers(&fs::read_to_string("/etc/resolv.conf").unwrap_or_default());
    if !asked.iter().any(|server| server == "127.0.0.53" || server == "127.0.0.54") {
        let asked = if asked.is_empty() { "no name server".to_owned() } else { asked.join(", ") };
        return Err(Failure::new(
            Kind::Machine,
            format!(
                "names of sets cannot be added to this machine's resolver: /etc/resolv.conf has {asked}, not systemd-resolved"
            ),
        )
        .hint(format!("{BY_ADDRESS}; for names, on Debian: sudo apt-get install systemd-resolved")));
    }
    for (program, package) in [("resolvectl", "systemd-resolved"), ("dnsmasq", "dnsmasq-base"), ("ip", "iproute2")] {
        if find_program(program).is_none() {
            return Err(Failure::new(Kind::Machine, format!("{program} is not installed, so sets cannot have names here"))
                .hint(format!("sudo apt-get install {package}; until then, {BY_ADDRESS}")));
        }
    }
    Ok(())
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
        let text = "FOLDER='/home/o'\\''neil/na mes'\nADDRESS=127.77.0.53\nPORT=5335\n";
        let installed = Installed { folder: "/home/o'neil/na mes".into(), address: Ipv4Addr::new(127, 77, 0, 53) };
        assert_eq!(parse(text), Some(installed));
        assert_eq!(parse("FOLDER=/n\n"), None);
    }

    #[test]
    fn name_servers_and_nothing_else() {
        let text = "# nameserver 1.1.1.1\nnameserver 10.0.2.3\nnameserver\t::1\noptions edns0\nsearch lan\n";
        assert_eq!(name_servers(text), ["10.0.2.3", "::1"]);
    }
}
