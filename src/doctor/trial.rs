//! A container that is started for the trial's sake.

use std::fs;
use std::io::Read;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use super::{Finding, Verdict};
use crate::addresses::Addresses;
use crate::host::Ports;
use crate::lifecycle::Session;
use crate::lock::Lock;
use crate::paths::Paths;
use crate::podman::{Parts, argv, observe::Container, orphans};
use crate::process::Input;

/// The port that is published, on an address that no set has.
const PORT: u16 = 27077;
/// What the container and the network of a trial are known by.
const LABEL: &str = "podfarm.trial";
/// The lock of whoever tries, for there is one such port.
const LOCK: &str = "trial";

/// Starts a container with an address and a published port, and reaches it. Its root is a folder with one program in it,
/// the one podman itself uses for pods, so that no image is needed.
pub(super) fn finding(session: &Session<'_>, addresses: Addresses) -> Finding {
    let what = "trial";
    let Some(program) = ["/usr/libexec/podman/catatonit", "/usr/bin/catatonit"].iter().map(Path::new).find(|path| path.exists())
    else {
        return Finding::new(what, Verdict::Note, "not tried: catatonit is missing").mend("sudo apt-get install catatonit");
    };
    match try_container(session, addresses, program) {
        Ok(took) => {
            Finding::new(what, Verdict::Good, format!("a container started and its port was reached, in {} ms", took.as_millis()))
        }
        Err(error) => Finding::new(what, Verdict::Bad, format!("{error:#}"))
            .mend("what podman says is above; `podman network ls` and `podman ps -a` may tell more"),
    }
}

/// Containers of trials that a killed podfarm did not end.
///
/// # Errors
/// Where the lock file cannot be made.
pub(super) fn abandoned<'a>(containers: &'a [Container], paths: &Paths) -> anyhow::Result<Vec<&'a Container>> {
    let ours: Vec<_> = containers.iter().filter(|container| container.label(LABEL).is_some()).collect();
    let at_work = !ours.is_empty() && Lock::try_take(&paths.lock(LOCK))?.is_none();
    Ok(if at_work { Vec::new() } else { ours })
}

fn try_container(session: &Session<'_>, addresses: Addresses, program: &Path) -> anyhow::Result<Duration> {
    let _lock = Lock::take(&session.paths.lock(LOCK), "the trial of this machine", session.progress)?;
    remove_earlier(session)?;
    let began = Instant::now();
    let root = tempfile::tempdir()?;
    for folder in ["proc", "sys", "dev", "run", "tmp", "etc"] {
        fs::create_dir(root.path().join(folder))?;
    }
    fs::copy(program, root.path().join("catatonit"))?;
    let name = format!("podfarm-doctor-{}", std::process::id());
    let label = format!("{LABEL}={name}");
    let network = argv::podman().args(["network", "create", "--disable-dns", "--label", &label, "--", &name]);
    let place = SocketAddr::from((addresses.trial(), PORT));
    let publish = format!("{place}:80");
    let run = argv::podman().args(["run", "--detach", "--name", &name, "--label", &label, "--network", &name]);
    let run = run.args(["--publish", &publish, "--cap-drop", "all", "--rootfs"]).arg(root.path().display().to_string());
    // The last trial's may be on its way out. Where it stays in use, podman says so.
    let _ = Ports::default().try_one(addresses.trial(), PORT);
    let tried = session
        .podman
        .output(&network, Input::Nothing)
        .and_then(|_| session.podman.output(&run.args(["/catatonit", "-P"]), Input::Nothing))
        .and_then(|_| reach(place));
    let took = began.elapsed();
    let name = [name];
    let removed = remove(session, &name, &name);
    tried.and(removed).map(|()| took)
}

/// Removes what a podfarm left that was killed in the middle of its trial. Only with the lock held.
fn remove_earlier(session: &Session<'_>) -> anyhow::Result<()> {
    orphans::SETS.wait(|| ());
    let (containers, inventory) = session.podman.containers_and(Parts { pods: false, images: false, secrets: false })?;
    let containers = containers.iter().filter(|container| container.label(LABEL).is_some());
    let networks = inventory.networks.iter().filter(|network| network.labels.contains_key(LABEL));
    let containers: Vec<_> = containers.map(|container| container.name().to_owned()).collect();
    remove(session, &containers, &networks.map(|network| network.name.clone()).collect::<Vec<_>>())
}

/// Removes containers, and the networks they were in.
fn remove(session: &Session<'_>, containers: &[String], networks: &[String]) -> anyhow::Result<()> {
    let removals = [(containers, argv::remove(containers)), (networks, argv::network_remove(networks))];
    let wanted = removals.iter().filter(|(names, _)| !names.is_empty());
    // The second whatever becomes of the first.
    let ended = wanted.map(|(_, removal)| session.podman.output(removal, Input::Nothing).map(drop));
    ended.fold(Ok(()), Result::and)
}

/// Nobody listens inside: that the connection is taken, and then closed, is the answer.
fn reach(place: SocketAddr) -> anyhow::Result<()> {
    let limit = Duration::from_secs(3);
    let mut stream = TcpStream::connect_timeout(&place, limit)?;
    stream.set_read_timeout(Some(limit))?;
    let _ = stream.read(&mut [0; 1]);
    Ok(())
}
