//! What a killed podfarm had begun goes on without it. The next one waits for that to end, for only then does podman's list
//! tell all there is: a container that is just being created is in no list yet.

use std::fs;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::process::PARENT;

/// What is waited for, and for how long.
pub struct Work {
    verbs: &'static [&'static str],
    patience: Duration,
}

/// What changes a set, which takes seconds. Imports and shells take longer, and are not waited for.
pub const SETS: Work = Work {
    verbs: &["create", "network", "pod", "rm", "run", "secret", "start", "stop", "unshare"],
    patience: Duration::from_secs(30),
};

/// What makes images. Two that make the same one at the same time can show it before all of its files are there.
pub const IMAGES: Work = Work { verbs: &["build", "load"], patience: Duration::from_secs(600) };

impl Work {
    /// Waits until none of it is done for a podfarm that is no more, calling `first` where some is.
    pub fn wait(&self, first: impl FnOnce()) {
        if !self.any() {
            return;
        }
        first();
        let ends = Instant::now() + self.patience;
        while self.any() && Instant::now() < ends {
            sleep(Duration::from_millis(20));
        }
    }

    fn any(&self) -> bool {
        any(|command_line| is_one_of(self.verbs, command_line))
    }
}

/// Whether podman is making or running a container whose label begins so.
pub fn any_with_label(beginning: &str) -> bool {
    any(|command_line| has_label(beginning, command_line))
}

fn any(is_it: impl Fn(&[u8]) -> bool) -> bool {
    let Ok(processes) = fs::read_dir("/proc") else { return false };
    processes.flatten().any(|process| is_orphan(&process.path(), &is_it))
}

fn is_orphan(process: &Path, is_it: impl Fn(&[u8]) -> bool) -> bool {
    let read = |part: &str| fs::read(process.join(part)).unwrap_or_default();
    if read("comm") != b"podman\n" || !is_it(&read("cmdline")) {
        return false;
    }
    let Some(parent) = parent(&read("environ")) else { return false };
    !fs::read_to_string(Path::new("/proc").join(parent).join("comm")).is_ok_and(|name| name.starts_with("podfarm"))
}

fn is_one_of(verbs: &[&str], command_line: &[u8]) -> bool {
    let words: Vec<_> = command_line.split(|byte| *byte == 0).map(String::from_utf8_lossy).collect();
    let attached = words.iter().any(|word| word == "run") && !words.iter().any(|word| word == "--detach");
    words.get(1).is_some_and(|verb| verbs.contains(&verb.as_ref())) && !attached
}

fn has_label(beginning: &str, command_line: &[u8]) -> bool {
    let words: Vec<_> = command_line.split(|byte| *byte == 0).map(String::from_utf8_lossy).collect();
    words.windows(2).any(|pair| pair[0] == "--label" && pair[1].starts_with(beginning))
}

/// The process id of the podfarm that started this, from its environment.
fn parent(environment: &[u8]) -> Option<String> {
    let prefix = format!("{PARENT}=");
    let variables = environment.split(|byte| *byte == 0).map(String::from_utf8_lossy);
    variables.filter_map(|variable| variable.strip_prefix(&prefix).map(str::to_owned)).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_in_the_making_is_waited_for_and_an_import_is_not() {
        let is_set_work = |command_line: &[u8]| is_one_of(SETS.verbs, command_line);
        assert!(is_set_work(b"podman\0create\0--name\0demo-mw\0"));
        assert!(is_set_work(b"podman\0run\0--detach\0--name\0demo-mw\0"));
        assert!(!is_set_work(b"podman\0run\0--rm\0--init\0--name\0podfarm-seed-0\0"));
        assert!(!is_set_work(b"podman\0build\0."));
        assert!(!is_set_work(b"podman\0"));
    }

    #[test]
    fn a_container_is_known_by_its_label() {
        let command_line = b"podman\0run\0--rm\0--label\0podfarm.seeding=0123\0--\0podfarm.seeding=45\0";
        assert!(has_label("podfarm.seeding=01", command_line));
        assert!(!has_label("podfarm.seeding=45", command_line));
    }

    #[test]
    fn a_child_knows_its_podfarm() {
        assert_eq!(parent(b"HOME=/home/me\0PODFARM_PARENT=42\0").as_deref(), Some("42"));
        assert_eq!(parent(b"HOME=/home/me\0"), None);
    }
}
