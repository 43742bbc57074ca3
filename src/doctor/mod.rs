//! Whether this machine is ready: what podfarm needs, each with a verdict, the fact, and the command that mends it.
//!
//! What can be tried is tried, instead of reading versions: a container is started, a port reached, a name resolved.

mod leftovers;
mod network;
mod podman;
mod trial;

use std::path::Path;
use std::time::SystemTime;

use serde::Serialize;
use serde_json::Value;

use crate::addresses::Addresses;
use crate::lifecycle::Session;
use crate::podman::{Parts, argv};
use crate::process::{Argv, Input, Runner, find_program};

pub use leftovers::dead_sets;

/// Room for a base, five images and a farm's seeds, in bytes.
const ROOM: u64 = 6 << 30;
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
pub fn examine(session: &Session<'_>, addresses: Addresses) -> Vec<Finding> {
    let mut findings = vec![programs(), mmdebstrap(), clock(SystemTime::now()), room(&session.paths.cache)];
    let info = session.podman.output(&argv::info(), Input::Nothing).and_then(|text| Ok(serde_json::from_str::<Value>(&text)?));
    match info {
        Ok(info) => {
            findings.extend(podman::findings(session, &info));
            findings.push(trial::finding(session, addresses));
            match session.podman.containers_and(Parts::ALL) {
                Ok((containers, inventory)) => {
                    findings.push(leftovers::finding(session, &containers, &inventory));
                    findings.push(network::addresses(session, addresses, &containers, &inventory));
                }
                Err(error) => findings.push(Finding::new("leftovers", Verdict::Note, format!("{error}"))),
            }
        }
        Err(error) => {
            let hint =
                crate::failure::hints(&error).first().map_or_else(|| "scripts/setup".to_owned(), |hint| (*hint).to_owned());
            findings.push(Finding::new("podman", Verdict::Bad, format!("{error}")).mend(hint));
        }
    }
    findings.push(network::ports(addresses));
    findings.push(network::names(session, addresses));
    findings
}

fn programs() -> Finding {
    let needed = [("podman", "podman"), ("ssh-keygen", "openssh-client"), ("newuidmap", "uidmap"), ("git", "git")];
    let missing: Vec<_> = needed.iter().filter(|(program, _)| find_program(program).is_none()).collect();
    if missing.is_empty() {
        return Finding::new("programs", Verdict::Good, "all there");
    }
    let list = |pick: fn(&(&str, &str)) -> String| missing.iter().map(|pair| pick(pair)).collect::<Vec<_>>().join(" ");
    Finding::new("programs", Verdict::Bad, format!("missing: {}", list(|pair| pair.0.to_owned())))
        .mend(format!("sudo apt-get install {}", list(|pair| pair.1.to_owned())))
}

/// What base images are made with, and the keys it trusts.
fn mmdebstrap() -> Finding {
    const KEYS: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";
    let what = "mmdebstrap";
    let runs = Runner::new().output(&Argv::new("mmdebstrap").arg("--version"), Input::Nothing);
    match runs {
        Ok(version) if Path::new(KEYS).exists() => Finding::new(what, Verdict::Good, version.trim()),
        Ok(_) => {
            Finding::new(what, Verdict::Bad, format!("{KEYS} is missing, by which Debian's packages are known to be Debian's"))
                .mend("sudo apt-get install debian-archive-keyring")
        }
        Err(_) => Finding::new(what, Verdict::Bad, "it does not run, and images are made with it")
            .mend("sudo apt-get install mmdebstrap"),
    }
}

/// A clock that is far behind makes apt refuse every archive, and certificates not yet valid.
fn clock(now: SystemTime) -> Finding {
    let now = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    let behind = now < EARLIEST;
    Finding::good_if(!behind, Verdict::Bad, "clock", if behind { "it is years behind" } else { "right, as far as can be told" })
        .mend("sudo timedatectl set-ntp true")
}

fn room(folder: &Path) -> Finding {
    let existing = folder.ancestors().find(|folder| folder.exists()).unwrap_or(Path::new("/"));
    let free = nix::sys::statvfs::statvfs(existing).map(|about| about.blocks_available() * about.fragment_size()).unwrap_or(0);
    let fact = format!("{:.1} GiB free at {}", free as f64 / f64::from(1 << 30), existing.display());
    // What is built already may still come up, but nothing can be made.
    let otherwise = if free >= ROOM / 12 { Verdict::Note } else { Verdict::Bad };
    Finding::good_if(free >= ROOM, otherwise, "disk", fact)
        .mend("podfarm remove SET for sets you do not need; podman image prune")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_stood_still_is_seen() {
        assert_eq!(clock(SystemTime::UNIX_EPOCH).verdict, Verdict::Bad);
        assert_eq!(clock(SystemTime::now()).verdict, Verdict::Good);
    }
}
