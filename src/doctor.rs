//! Whether this machine is ready: what podfarm needs, each with a verdict, the fact, and the command that mends it.
//!
//! What can be tried is tried, instead of reading versions: a container is started, a port reached, a name resolved.

use std::fs;
use std::io::Read;
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use serde::Serialize;
use serde_json::Value;

use crate::desired::label;
use crate::hostdns;
use crate::lifecycle::Session;
use crate::podman::{Inventory, argv, observe::Container};
use crate::process::{Input, find_program};

/// Room for a base, five images and a farm's seeds, in bytes.
const ROOM: u64 = 6 << 30;
/// Where the trial's port is published; no set has it, for sets are numbered from 1.
const TRIAL: (Ipv4Addr, u16) = (Ipv4Addr::new(127, 77, 0, 1), 27077);
/// No machine that podfarm runs on can be before this moment: 1 January 2026, in seconds since 1970.
const EARLIEST: u64 = 1_767_225_600;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    Good,
    /// It works, and could be better.
    Note,
    /// `up` cannot work.
    Bad,
}

/// One thing that was looked at.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    pub what: &'static str,
    pub verdict: Verdict,
    pub fact: String,
    /// The command that mends it, or what to do.
    pub mend: Option<String>,
}

impl Finding {
    fn new(what: &'static str, verdict: Verdict, fact: impl Into<String>) -> Self {
        Self { what, verdict, fact: fact.into(), mend: None }
    }

    fn mend(mut self, mend: impl Into<String>) -> Self {
        if self.verdict != Verdict::Good {
            self.mend = Some(mend.into());
        }
        self
    }

    fn good_if(good: bool, otherwise: Verdict, what: &'static str, fact: impl Into<String>) -> Self {
        Self::new(what, if good { Verdict::Good } else { otherwise }, fact)
    }
}

/// Looks at everything.
pub fn examine(session: &Session<'_>) -> Vec<Finding> {
    let mut findings = vec![programs(), clock(), room(&session.paths.cache)];
    let info = session.podman.output(&argv::info(), Input::Nothing).and_then(|text| Ok(serde_json::from_str::<Value>(&text)?));
    match info {
        Ok(info) => {
            findings.extend(podman(session, &info));
            findings.push(leftovers(session));
        }
        Err(error) => {
            let hint =
                crate::failure::hints(&error).first().map_or_else(|| "scripts/setup".to_owned(), |hint| (*hint).to_owned());
            findings.push(Finding::new("podman", Verdict::Bad, format!("{error}")).mend(hint));
        }
    }
    findings.push(ports());
    findings.push(names());
    findings
}

fn programs() -> Finding {
    let needed = [
        ("podman", "podman"),
        ("mmdebstrap", "mmdebstrap"),
        ("ssh-keygen", "openssh-client"),
        ("newuidmap", "uidmap"),
        ("git", "git"),
    ];
    let missing: Vec<_> = needed.iter().filter(|(program, _)| find_program(program).is_none()).collect();
    if missing.is_empty() {
        return Finding::new("programs", Verdict::Good, "all there");
    }
    let list = |pick: fn(&(&str, &str)) -> String| missing.iter().map(|pair| pick(pair)).collect::<Vec<_>>().join(" ");
    Finding::new("programs", Verdict::Bad, format!("missing: {}", list(|pair| pair.0.to_owned())))
        .mend(format!("sudo apt-get install {}", list(|pair| pair.1.to_owned())))
}

/// A clock that is far behind makes apt refuse every archive, and certificates not yet valid.
fn clock() -> Finding {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    let behind = now < EARLIEST;
    Finding::good_if(!behind, Verdict::Bad, "clock", if behind { "it is years behind" } else { "right, as far as can be told" })
        .mend("sudo timedatectl set-ntp true")
}

fn room(folder: &Path) -> Finding {
    let existing = folder.ancestors().find(|folder| folder.exists()).unwrap_or(Path::new("/"));
    let free = nix::sys::statvfs::statvfs(existing).map(|about| about.blocks_available() * about.fragment_size()).unwrap_or(0);
    let fact = format!("{:.1} GiB free at {}", free as f64 / f64::from(1 << 30), existing.display());
    Finding::good_if(free >= ROOM, Verdict::Note, "disk", fact)
        .mend("podfarm remove SET for sets you do not need; podman image prune")
}

fn podman(session: &Session<'_>, info: &Value) -> Vec<Finding> {
    let text = |pointer: &str| info.pointer(pointer).and_then(Value::as_str).unwrap_or("unknown").to_owned();
    let mut findings = Vec::new();
    let version = text("/version/Version");
    let usable = session.podman.check();
    let mend = usable.as_ref().err().map(|error| crate::failure::hints(error).join("; ")).unwrap_or_default();
    let fact = usable.as_ref().err().map_or_else(|| version.clone(), |error| format!("{version}: {error}"));
    findings.push(Finding::good_if(usable.is_ok(), Verdict::Bad, "podman", fact).mend(mend));
    let backend = text("/host/networkBackend");
    findings
        .push(Finding::good_if(backend == "netavark", Verdict::Bad, "network", backend).mend(
            "sudo apt-get install netavark iptables nftables; then, if podman holds nothing you need: podman system reset",
        ));
    let driver = text("/store/graphDriverName");
    findings.push(
        Finding::good_if(driver != "vfs", Verdict::Note, "storage", driver)
            .mend("vfs copies whole images; if podman holds nothing you need: podman system reset, then scripts/setup"),
    );
    let controllers = info.pointer("/host/cgroupControllers").and_then(Value::as_array).map_or(0, Vec::len);
    let fact = if controllers == 0 {
        "no cgroup controllers: no limits can be set, and podfarm sets none".to_owned()
    } else {
        format!("{controllers} cgroup controllers")
    };
    findings.push(Finding::new("limits", Verdict::Good, fact));
    findings.push(fuse());
    findings.push(trial(session));
    findings
}

fn fuse() -> Finding {
    let there = fs::File::open("/dev/fuse").is_ok();
    Finding::good_if(there, Verdict::Note, "fuse", if there { "/dev/fuse can be opened" } else { "/dev/fuse cannot be opened" })
        .mend("only needed where the kernel has no overlay for users: sudo modprobe fuse")
}

/// Starts a container with an address and a published port, and reaches it. Its root is a folder with one program in it,
/// the one podman itself uses for pods, so that no image is needed.
fn trial(session: &Session<'_>) -> Finding {
    let what = "trial";
    let Some(program) = ["/usr/libexec/podman/catatonit", "/usr/bin/catatonit"].iter().map(Path::new).find(|path| path.exists())
    else {
        return Finding::new(what, Verdict::Note, "not tried: catatonit is missing").mend("sudo apt-get install catatonit");
    };
    match try_container(session, program) {
        Ok(took) => {
            Finding::new(what, Verdict::Good, format!("a container started and its port was reached, in {} ms", took.as_millis()))
        }
        Err(error) => Finding::new(what, Verdict::Bad, format!("{error:#}"))
            .mend("what podman says is above; `podman network ls` and `podman ps -a` may tell more"),
    }
}

fn try_container(session: &Session<'_>, program: &Path) -> anyhow::Result<Duration> {
    let began = Instant::now();
    let root = tempfile::tempdir()?;
    for folder in ["proc", "sys", "dev", "run", "tmp", "etc"] {
        fs::create_dir(root.path().join(folder))?;
    }
    fs::copy(program, root.path().join("catatonit"))?;
    let name = format!("podfarm-doctor-{}", std::process::id());
    let network = argv::podman().args(["network", "create", "--disable-dns", "--", &name]);
    let publish = format!("{}:{}:80", TRIAL.0, TRIAL.1);
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
        .and_then(|_| reach());
    let _ = session.podman.output(&argv::remove(std::slice::from_ref(&name)), Input::Nothing);
    let _ = session.podman.output(&argv::network_remove(&[name]), Input::Nothing);
    tried.map(|()| began.elapsed())
}

/// Nobody listens inside: that the connection is taken, and then closed, is the answer.
fn reach() -> anyhow::Result<()> {
    let limit = Duration::from_secs(3);
    let mut stream = TcpStream::connect_timeout(&TRIAL.into(), limit)?;
    stream.set_read_timeout(Some(limit))?;
    let _ = stream.read(&mut [0; 1]);
    Ok(())
}

fn leftovers(session: &Session<'_>) -> Finding {
    let left = session
        .podman
        .containers()
        .and_then(|containers| Ok(dead_sets(&containers, &session.podman.inventory()?, &session.paths.data.join("sets"))));
    match left {
        Ok(dead) if dead.is_empty() => Finding::new("leftovers", Verdict::Good, "none"),
        Ok(dead) => Finding::new("leftovers", Verdict::Note, format!("of sets that have no members: {}", dead.join(", ")))
            .mend(format!("podfarm destroy {}", dead.join(" "))),
        Err(error) => Finding::new("leftovers", Verdict::Note, format!("{error}")),
    }
}

/// Sets of which there is something, but no container.
pub fn dead_sets(containers: &[Container], inventory: &Inventory, folder: &Path) -> Vec<String> {
    let labels = inventory.pods.iter().map(|pod| &pod.labels).chain(inventory.networks.iter().map(|network| &network.labels));
    let mut sets: Vec<String> = labels.filter_map(|labels| labels.get(label::SET).cloned()).collect();
    let secret = |name: &String| Some(name.strip_prefix("podfarm.")?.split('.').next()?.to_owned());
    sets.extend(inventory.secrets.iter().filter_map(secret));
    let folders = fs::read_dir(folder)
        .map(|entries| entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect::<Vec<_>>());
    sets.extend(folders.unwrap_or_default());
    sets.sort();
    sets.dedup();
    sets.retain(|set| !containers.iter().any(|container| container.label(label::SET) == Some(set)));
    sets
}

fn ports() -> Finding {
    let first = hostdns::first_unprivileged_port();
    let fact = if first <= 22 {
        "22 and 80 can be published as they are".to_owned()
    } else {
        format!("ports below {first} are published {} higher", crate::resolve::PORT_SHIFT)
    };
    Finding::good_if(first <= 22, Verdict::Note, "ports", fact).mend("podfarm hostdns install")
}

fn names() -> Finding {
    if !hostdns::installed() {
        return Finding::new("names", Verdict::Note, "sets are reached by address only").mend("podfarm hostdns install");
    }
    let answers = hostdns::dnsmasq_answers();
    let fact = if answers { "podfarm's dnsmasq answers" } else { "podfarm's dnsmasq does not answer" };
    Finding::good_if(answers, Verdict::Note, "names", fact).mend("systemctl --user restart podfarm-dnsmasq")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_of_a_set_without_members_is_found() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("left")).unwrap();
        let inventory =
            Inventory { secrets: vec!["podfarm.gone.db-wiki".to_owned(), "other".to_owned()], ..Inventory::default() };
        assert_eq!(dead_sets(&[], &inventory, folder.path()), ["gone", "left"]);
    }
}
