//! A container that is started for the trial's sake.

use std::fs;
use std::io::Read;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use super::{Finding, Verdict};
use crate::addresses::Addresses;
use crate::lifecycle::Session;
use crate::podman::argv;
use crate::process::Input;

/// The port that is published, on an address that no set has.
const PORT: u16 = 27077;

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

fn try_container(session: &Session<'_>, addresses: Addresses, program: &Path) -> anyhow::Result<Duration> {
    let began = Instant::now();
    let root = tempfile::tempdir()?;
    for folder in ["proc", "sys", "dev", "run", "tmp", "etc"] {
        fs::create_dir(root.path().join(folder))?;
    }
    fs::copy(program, root.path().join("catatonit"))?;
    let name = format!("podfarm-doctor-{}", std::process::id());
    let network = argv::podman().args(["network", "create", "--disable-dns", "--", &name]);
    let place = SocketAddr::from((addresses.trial(), PORT));
    let publish = format!("{place}:80");
    let run = argv::podman().args([
        "run",
        "--detach",
        "--name",
        &name,
        "--network",
        &name,
        "--publish",
        &publish,
        "--cap-drop",
        "all",
        "--rootfs",
    ]);
    let run = run.arg(root.path().display().to_string()).args(["/catatonit", "-P"]);
    let tried = session
        .podman
        .output(&network, Input::Nothing)
        .and_then(|_| session.podman.output(&run, Input::Nothing))
        .and_then(|_| reach(place));
    let _ = session.podman.output(&argv::remove(std::slice::from_ref(&name)), Input::Nothing);
    let _ = session.podman.output(&argv::network_remove(&[name]), Input::Nothing);
    tried.map(|()| began.elapsed())
}

/// Nobody listens inside: that the connection is taken, and then closed, is the answer.
fn reach(place: SocketAddr) -> anyhow::Result<()> {
    let limit = Duration::from_secs(3);
    let mut stream = TcpStream::connect_timeout(&place, limit)?;
    stream.set_read_timeout(Some(limit))?;
    let _ = stream.read(&mut [0; 1]);
    Ok(())
}
