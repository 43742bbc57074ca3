//! Names on the host: a folder with one hosts file a set, read by a dnsmasq of the user's, to which the machine's resolver
//! sends the names of the sets that are there, and no others. docs/hostdns.md says why it is done this way.

mod dnsmasq;
mod files;
mod pieces;
mod resolver;

use std::fs;
use std::net::{IpAddr, Ipv4Addr, ToSocketAddrs};
use std::path::PathBuf;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::addresses::Addresses;
use crate::desired::Member;
use crate::paths::{Paths, remove_file};
use crate::set::SetName;

pub use dnsmasq::{Dnsmasq, Kept};
pub use files::{is_on_top, put_on_top, take_off_top};
pub use pieces::{
    PORTS_FILE, RESOLVER_UNIT, first_port_before, first_unprivileged_port, install_script, remove_script, ssh_include,
};
pub use resolver::{Installed, Resolver, installed, resolver};

/// The port dnsmasq listens on, one that needs no privilege.
pub const PORT: u16 = 5335;

/// How long a name may take before it counts as not there. An answer from this machine takes a few milliseconds.
const PATIENCE: Duration = Duration::from_secs(1);

/// The folder of hosts files, one a set, named as the set.
pub fn folder(paths: &Paths) -> PathBuf {
    paths.data.join("names")
}

/// The hosts file of a set: each member's full name at its address on the host.
pub fn hosts_file(members: &[Member]) -> String {
    members.iter().map(|member| format!("{} {}\n", member.published, member.full_name)).collect()
}

/// Puts a set's names in place, whole: dnsmasq reads a file as soon as it appears.
///
/// # Errors
/// Where it cannot be written.
pub fn publish(paths: &Paths, set: &SetName, members: &[Member]) -> Result<()> {
    let folder = folder(paths);
    let file = folder.join(set.as_str());
    let text = hosts_file(members);
    if fs::read_to_string(&file).is_ok_and(|existing| existing == text) {
        return Ok(());
    }
    let write = || -> std::io::Result<()> {
        fs::create_dir_all(&folder)?;
        // The other name is no label, so that neither dnsmasq nor resolved takes it for a set.
        let mut new = tempfile::Builder::new().prefix("#").suffix("#").tempfile_in(&folder)?;
        std::io::Write::write_all(&mut new, text.as_bytes())?;
        new.persist(&file).map_err(|error| error.error)?;
        Ok(())
    };
    write().with_context(|| format!("{}: cannot be written", file.display()))
}

/// Takes a set's names away.
///
/// # Errors
/// Where the file is there and cannot be removed.
pub fn withdraw(paths: &Paths, set: &SetName) -> Result<()> {
    remove_file(&folder(paths).join(set.as_str()))
}

/// Sees to it that names are answered, where they are installed for this user's sets.
///
/// # Errors
/// Where dnsmasq does not answer and cannot be started.
pub fn ensure(paths: &Paths, addresses: Addresses) -> Result<()> {
    let dnsmasq = Dnsmasq::new(paths, addresses);
    let ours = |installed: Installed| installed.folder == dnsmasq.folder && installed.address == dnsmasq.address;
    if installed().is_some_and(ours) { dnsmasq.ensure() } else { Ok(()) }
}

/// Waits until a member's name leads to its address, where names are installed. Root's part may have missed that a set came:
/// systemd does not watch the folder while it works. So the folder is changed again for it now and then.
pub fn settle(paths: &Paths, full_name: &str, published: Ipv4Addr) {
    let end = Instant::now() + 4 * PATIENCE;
    let ours = installed().is_some_and(|installed| installed.folder == folder(paths));
    while ours && resolve(full_name) != Some(IpAddr::V4(published)) && Instant::now() < end {
        drop(tempfile::Builder::new().prefix("#").suffix("#").tempfile_in(folder(paths)));
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// What the machine's own resolver says of a name, by the same call that every program uses.
pub fn resolve(name: &str) -> Option<IpAddr> {
    let (sender, receiver) = mpsc::channel();
    let name = (name.to_owned(), 0);
    // getaddrinfo cannot be given a limit, so it gets a thread that is left behind when it takes too long.
    std::thread::spawn(move || {
        sender.send(name.to_socket_addrs().ok().and_then(|mut found| found.next()).map(|address| address.ip()))
    });
    receiver.recv_timeout(PATIENCE).ok().flatten()
}

/// Whether a member's name leads to its address here and now. Where names are not installed nobody is asked: a resolver that
/// knows nothing of them may take seconds to say so.
pub fn works(full_name: &str, published: Ipv4Addr) -> bool {
    installed().is_some() && resolve(full_name) == Some(IpAddr::V4(published))
}

/// Tries a name for real: puts one into the folder, waits for the machine's resolver to know it, and takes it away.
///
/// # Errors
/// Where the folder cannot be written.
pub fn try_name(paths: &Paths, address: Ipv4Addr) -> Result<bool> {
    let label = format!("podfarm-check-{}", std::process::id());
    let name = format!("{label}.{label}.lan");
    let file = folder(paths).join(&label);
    fs::write(&file, format!("{address} {name}\n")).with_context(|| format!("{}: cannot be written", file.display()))?;
    settle(paths, &name, address);
    let found = resolve(&name) == Some(IpAddr::V4(address));
    remove_file(&file)?;
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(folder: &std::path::Path) -> Paths {
        Paths { config: folder.into(), data: folder.into(), cache: folder.into(), locks: folder.into() }
    }

    #[test]
    fn what_is_withdrawn_twice_is_gone_once() {
        let folder = tempfile::tempdir().unwrap();
        let paths = paths(folder.path());
        let set = "demo".parse().unwrap();
        publish(&paths, &set, &[]).unwrap();
        assert!(super::folder(&paths).join("demo").exists());
        withdraw(&paths, &set).unwrap();
        withdraw(&paths, &set).unwrap();
        assert_eq!(fs::read_dir(super::folder(&paths)).unwrap().count(), 0);
    }
}
