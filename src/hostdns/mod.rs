//! Names on the host: a folder with one hosts file a set, read by a dnsmasq of the user's, to which systemd-resolved
//! sends the names of the sets that are there, and no others. docs/hostdns.md says why it is done this way.

mod pieces;

use std::fs;
use std::net::{IpAddr, Ipv4Addr, ToSocketAddrs, UdpSocket};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::desired::Member;
use crate::paths::{Paths, remove_file};
use crate::set::SetName;

pub use pieces::{
    PORTS_FILE, RESOLVER_UNIT, USER_UNIT, Wanted, dnsmasq, first_port_before, first_unprivileged_port, install_script,
    remove_script, ssh_include, user_unit,
};

/// Where dnsmasq listens. The address is podfarm's, and belongs to no set: sets are numbered from 1.
pub const ADDRESS: Ipv4Addr = Ipv4Addr::new(127, 77, 0, 53);
/// A port that needs no privilege.
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

/// Whether names are installed at all; before that nobody is asked, for a resolver that knows nothing of them may take seconds to say so.
pub fn installed() -> bool {
    Path::new(RESOLVER_UNIT).exists()
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

/// Whether a member's name leads to its address here and now.
pub fn works(full_name: &str, published: Ipv4Addr) -> bool {
    installed() && resolve(full_name) == Some(IpAddr::V4(published))
}

/// Whether dnsmasq answers: a question for the root's name servers, which it answers with a refusal, but answers.
pub fn dnsmasq_answers() -> bool {
    const QUESTION: [u8; 17] = [0x77, 0x77, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 1];
    let ask = || -> std::io::Result<bool> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.connect((ADDRESS, PORT))?;
        socket.send(&QUESTION)?;
        let mut answer = [0; 512];
        Ok(socket.recv(&mut answer)? >= 2 && answer[..2] == QUESTION[..2])
    };
    ask().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(folder: &Path) -> Paths {
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
