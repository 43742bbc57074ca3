//! What `hostdns install` puts on the machine, piece by piece: the text of every file, and where it goes. No I/O but reading a setting.

use std::net::Ipv4Addr;
use std::path::Path;

use anyhow::Result;
use askama::Template;

use super::PORT;

/// Which of the pieces that need root are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    pub names: bool,
    pub ports: bool,
}

/// The unit that shows that the resolver's piece is there.
pub const RESOLVER_UNIT: &str = "/etc/systemd/system/podfarm-hostdns.service";
/// The setting for ports.
pub const PORTS_FILE: &str = "/etc/sysctl.d/90-podfarm.conf";

const ROUTE: &str = include_str!("../../hostdns/route");
const SERVICE: &str = include_str!("../../hostdns/podfarm-hostdns.service");
const NAMES_SERVICE: &str = include_str!("../../hostdns/podfarm-hostdns-names.service");
const AGAIN_SERVICE: &str = include_str!("../../hostdns/podfarm-hostdns-again.service");

#[derive(Template)]
#[template(path = "podfarm-hostdns-names.path", escape = "none")]
struct NamesPath<'a> {
    folder: &'a str,
}

#[derive(Template)]
#[template(path = "install.sh", escape = "none")]
struct Install<'a> {
    names: bool,
    ports: bool,
    folder: &'a str,
    address: String,
    port: u16,
    first_port: u16,
    route: &'a str,
    service: &'a str,
    names_service: &'a str,
    again_service: &'a str,
    names_path: String,
}

#[derive(Template)]
#[template(path = "remove.sh", escape = "none")]
struct Remove {
    names: bool,
    ports: bool,
    first_port: u16,
}

/// What root does to install.
///
/// # Errors
/// Never, as far as is known; rendering says it can.
pub fn install_script(folder: &Path, address: Ipv4Addr, wanted: Wanted, first_port: u16) -> Result<String> {
    let folder = folder.display().to_string();
    let quoted = shell_words::quote(&folder);
    let script = Install {
        names: wanted.names,
        ports: wanted.ports,
        folder: &quoted,
        address: address.to_string(),
        port: PORT,
        first_port,
        route: ROUTE,
        service: SERVICE,
        names_service: NAMES_SERVICE,
        again_service: AGAIN_SERVICE,
        names_path: NamesPath { folder: &folder.replace('%', "%%") }.render()? + "\n",
    };
    Ok(script.render()?)
}

/// What root does to remove; `first_port` is what the setting was before.
///
/// # Errors
/// As [`install_script`].
pub fn remove_script(wanted: Wanted, first_port: u16) -> Result<String> {
    Ok(Remove { names: wanted.names, ports: wanted.ports, first_port }.render()?)
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

/// What the first unprivileged port was before the piece for ports was installed.
pub fn first_port_before() -> u16 {
    let file = std::fs::read_to_string(PORTS_FILE).unwrap_or_default();
    file.lines().find_map(|line| line.rsplit_once("before: ")?.1.trim().parse().ok()).unwrap_or(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADDRESS: Ipv4Addr = Ipv4Addr::new(127, 77, 0, 53);
    const BOTH: Wanted = Wanted { names: true, ports: true };

    #[test]
    fn only_what_is_wanted_is_installed() {
        let both = install_script(Path::new("/home/u/names"), ADDRESS, BOTH, 1024).unwrap();
        assert!(both.contains("FOLDER=/home/u/names\n") && both.contains("ip_unprivileged_port_start = 22"), "{both}");
        assert!(both.contains("PathChanged=/home/u/names\n"), "{both}");
        let names = install_script(Path::new("/home/u/names"), ADDRESS, Wanted { ports: false, ..BOTH }, 1024).unwrap();
        assert!(names.contains("podfarm-hostdns.path") || names.contains("podfarm-hostdns-names.path"), "{names}");
        assert!(!names.contains("sysctl"), "{names}");
        let odd = install_script(Path::new("/home/o'neil/na mes"), ADDRESS, BOTH, 1024).unwrap();
        assert!(odd.contains("FOLDER='/home/o'\\''neil/na mes'\n"), "{odd}");
    }

    #[test]
    fn removing_restores_the_port() {
        assert!(remove_script(BOTH, 80).unwrap().contains("ip_unprivileged_port_start=80"));
    }
}
