//! What `hostdns install` puts on the machine, piece by piece: the text of every file, and where it goes. No I/O but reading a setting.

use std::path::Path;

use anyhow::Result;
use askama::Template;

use super::{Installed, PORT, Resolver};

/// The unit that shows that the resolver's piece is there.
pub const RESOLVER_UNIT: &str = "/etc/systemd/system/podfarm-hostdns.service";
/// The setting for ports.
pub const PORTS_FILE: &str = "/etc/sysctl.d/90-podfarm.conf";

const ROUTE: &str = include_str!("../../hostdns/route");
const NAMES_SERVICE: &str = include_str!("../../hostdns/podfarm-hostdns-names.service");
const AGAIN_SERVICE: &str = include_str!("../../hostdns/podfarm-hostdns-again.service");

#[derive(Template)]
#[template(path = "podfarm-hostdns.service", escape = "none")]
struct Service {
    resolver: Resolver,
}

#[derive(Template)]
#[template(path = "podfarm-hostdns-names.path", escape = "none")]
struct NamesPath<'a> {
    folder: &'a str,
}

/// The resolver's piece.
struct Names {
    /// Quoted for a shell.
    folder: String,
    address: String,
    port: u16,
    resolver: Resolver,
    route: &'static str,
    service: String,
    names_service: &'static str,
    again_service: &'static str,
    names_path: String,
}

impl Names {
    fn new(wanted: &Installed) -> Result<Self> {
        let folder = wanted.folder.display().to_string();
        Ok(Self {
            folder: shell_words::quote(&folder).into_owned(),
            address: wanted.address.to_string(),
            port: PORT,
            resolver: wanted.resolver,
            route: ROUTE,
            service: Service { resolver: wanted.resolver }.render()? + "\n",
            names_service: NAMES_SERVICE,
            again_service: AGAIN_SERVICE,
            names_path: NamesPath { folder: &folder.replace('%', "%%") }.render()? + "\n",
        })
    }
}

#[derive(Template)]
#[template(path = "install.sh", escape = "none")]
struct Install {
    names: Option<Names>,
    first_port: Option<u16>,
}

#[derive(Template)]
#[template(path = "remove.sh", escape = "none")]
struct Remove {
    names: bool,
    first_port: Option<u16>,
}

/// What root does to install the pieces that are wanted: the resolver's, and the one for ports, with the first unprivileged
/// port as it is until then.
///
/// # Errors
/// Never, as far as is known; rendering says it can.
pub fn install_script(names: Option<&Installed>, first_port: Option<u16>) -> Result<String> {
    Ok(Install { names: names.map(Names::new).transpose()?, first_port }.render()?)
}

/// What root does to remove the pieces that are there; the first unprivileged port becomes what it was.
///
/// # Errors
/// As [`install_script`].
pub fn remove_script(names: bool, first_port: Option<u16>) -> Result<String> {
    Ok(Remove { names, first_port }.render()?)
}

/// The line that makes ssh know the members, for the top of the user's configuration: below a `Host` it would be part of that.
pub fn ssh_include(file: &Path) -> String {
    format!("Include \"{}\"\n", file.display())
}

/// The first port that needs no privilege, as this machine is set.
pub fn first_unprivileged_port() -> u16 {
    let setting = std::fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start");
    setting.ok().and_then(|text| text.trim().parse().ok()).unwrap_or(1024)
}

/// What the first unprivileged port was before the piece for ports was installed; none where that is not there.
pub fn first_port_before() -> Option<u16> {
    let file = std::fs::read_to_string(PORTS_FILE).ok()?;
    Some(file.lines().find_map(|line| line.rsplit_once("before: ")?.1.trim().parse().ok()).unwrap_or(1024))
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn names(folder: &str, resolver: Resolver) -> Installed {
        Installed { folder: folder.into(), address: Ipv4Addr::new(127, 77, 0, 53), resolver }
    }

    #[test]
    fn only_what_is_wanted_is_installed() {
        let plain = names("/home/u/names", Resolver::Resolved);
        let both = install_script(Some(&plain), Some(1024)).unwrap();
        assert!(both.contains("FOLDER=/home/u/names\n") && both.contains("ip_unprivileged_port_start = 22"), "{both}");
        assert!(both.contains("PathChanged=/home/u/names\n") && both.contains("\nWantedBy=systemd-resolved.service\n"), "{both}");
        let without_ports = install_script(Some(&plain), None).unwrap();
        assert!(without_ports.contains("podfarm-hostdns-names.path"), "{without_ports}");
        assert!(!without_ports.contains("sysctl") && !without_ports.contains("nmcli"), "{without_ports}");
        let without_names = install_script(None, Some(1024)).unwrap();
        assert!(without_names.contains("sysctl") && !without_names.contains("systemctl"), "{without_names}");
        let odd = install_script(Some(&names("/home/o'neil/na mes", Resolver::Resolved)), None).unwrap();
        assert!(odd.contains("FOLDER='/home/o'\\''neil/na mes'\n"), "{odd}");
    }

    #[test]
    fn a_resolver_is_told_in_its_own_way() {
        let script = install_script(Some(&names("/n", Resolver::NetworkManager)), None).unwrap();
        assert!(
            script.contains("RESOLVER=NetworkManager\n") && script.contains("\nWantedBy=NetworkManager.service\n"),
            "{script}"
        );
        assert!(script.contains("/etc/NetworkManager/dnsmasq.d/podfarm.conf\n"), "{script}");
    }

    #[test]
    fn removing_restores_the_port() {
        assert!(remove_script(true, Some(80)).unwrap().contains("ip_unprivileged_port_start=80"));
        assert!(!remove_script(true, None).unwrap().contains("sysctl"));
    }
}
