//! logs: what members said on their consoles and wrote into their logs, which lie readable in the set's folder.

use std::collections::BTreeMap;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use anyhow::Result;

use super::{access, known};
use crate::cli::Logs;
use crate::failure::{Failure, Kind};
use crate::lifecycle::Session;
use crate::plan;
use crate::podman::{Podman, argv, observe::Container};
use crate::process::Input;
use crate::status;
use crate::ui::Ui;

/// What the main process of a member says.
const CONSOLE: &str = "console";
/// How often logs are looked at that are followed.
const LOOK_EVERY: Duration = Duration::from_millis(300);
/// How often podman is asked which members there are, while logs are followed.
const ASK_EVERY: Duration = Duration::from_secs(2);

pub fn run(session: &Session<'_>, arguments: &Logs, ui: &Ui) -> Result<()> {
    let chosen = match &arguments.member {
        Some(name) => vec![access::member(session, &arguments.set, name)?],
        None => known::members(session, &arguments.set)?,
    };
    let lines = usize::try_from(arguments.lines)?;
    // From where to follow, before anything is shown: what is written meanwhile is shown then.
    let mut ends: BTreeMap<PathBuf, u64> = chosen
        .iter()
        .flat_map(|container| wanted_files(container, arguments))
        .map(|(_, file)| (file.clone(), length(&file)))
        .collect();
    let mut found = false;
    for container in &chosen {
        if wanted(CONSOLE, arguments) {
            found = true;
            let text = session.podman.output(&argv::logs(container.name(), lines), Input::Nothing)?;
            print(ui, container.name(), CONSOLE, text.lines());
        }
        for (name, file) in wanted_files(container, arguments) {
            found = true;
            print(ui, container.name(), &name, status::tail(&file, lines).iter().map(String::as_str));
        }
    }
    if !found {
        let log = arguments.log.as_deref().unwrap_or_default();
        if !arguments.follow || !chosen.iter().any(|container| status::may_have_log(container, log)) {
            return Err(no_log(log, &chosen));
        }
        session.progress.say(&format!("there is no log {log:?} yet: waiting for it"));
    }
    if arguments.follow {
        follow(session, chosen, arguments, &mut ends, ui)?;
    }
    Ok(())
}

fn no_log(log: &str, chosen: &[Container]) -> anyhow::Error {
    let mut known: Vec<_> =
        chosen.iter().flat_map(|container| status::log_files(container).into_keys()).chain([CONSOLE.to_owned()]).collect();
    known.sort();
    known.dedup();
    Failure::new(Kind::Usage, format!("there is no log {log:?}")).hint(format!("known: {}", known.join(", "))).into()
}

/// A log, or all of a group of logs: `mediawiki` is each `mediawiki/…`.
fn wanted(name: &str, arguments: &Logs) -> bool {
    let rest = arguments.log.as_deref().map(|log| name.strip_prefix(log));
    rest.is_none_or(|rest| rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
}

fn wanted_files(container: &Container, arguments: &Logs) -> Vec<(String, PathBuf)> {
    status::log_files(container).into_iter().filter(|(name, _)| wanted(name, arguments)).collect()
}

fn length(file: &Path) -> u64 {
    file.metadata().map_or(0, |about| about.len())
}

fn print<'a>(ui: &Ui, host: &str, log: &str, lines: impl Iterator<Item = &'a str>) {
    for line in lines {
        ui.result(&format!("{host} {log}: {line}"));
    }
}

/// Shows what is added, to logs that come up meanwhile too, as long as there is a reader, and something to read.
fn follow(
    session: &Session<'_>,
    mut chosen: Vec<Container>,
    arguments: &Logs,
    ends: &mut BTreeMap<PathBuf, u64>,
    ui: &Ui,
) -> Result<()> {
    let mut consoles = Consoles::new(session);
    let (began, mut asked) = (SystemTime::now(), Instant::now());
    let mut there = true;
    consoles.follow(chosen.iter().filter(|_| wanted(CONSOLE, arguments)), None);
    while !ui.reader_is_gone() {
        for container in &chosen {
            for (name, file) in wanted_files(container, arguments) {
                let end = ends.entry(file.clone()).or_insert(0);
                let text = added(&file, end);
                print(ui, container.name(), &name, text.lines());
            }
        }
        // Asked before the last that they said is shown.
        let over = !there && consoles.have_ended();
        let said = consoles.said.recv_timeout(LOOK_EVERY);
        for (host, line) in said.into_iter().chain(consoles.said.try_iter()) {
            print(ui, &host, CONSOLE, [line.as_str()].into_iter());
        }
        if over {
            return Ok(());
        }
        if asked.elapsed() > ASK_EVERY {
            // Members come and go: a console ends when its member stops, and files stay until it is removed.
            let containers = session.podman.containers()?;
            let members = plan::containers_of(&containers, &arguments.set).into_iter();
            there = members.len() > 0 || session.paths.set(&arguments.set).exists();
            let is_asked_for = |one: &&Container| arguments.member.as_deref().is_none_or(|name| access::is_called(one, name));
            chosen = members.filter(is_asked_for).cloned().collect();
            consoles.follow(chosen.iter().filter(|_| wanted(CONSOLE, arguments)), Some(began));
            asked = Instant::now();
        }
    }
    Ok(())
}

/// What is said on consoles, each line with the member's host name. Each is followed by a thread, which tells when it ended.
struct Consoles {
    podman: Podman,
    followers: BTreeMap<String, JoinHandle<SystemTime>>,
    sender: Sender<(String, String)>,
    said: Receiver<(String, String)>,
}

impl Consoles {
    fn new(session: &Session<'_>) -> Self {
        let (sender, said) = mpsc::channel();
        Self { podman: session.podman.clone(), followers: BTreeMap::new(), sender, said }
    }

    /// Follows those of these containers that run and are not followed, from where they were left, or else since then.
    fn follow<'a>(&mut self, containers: impl Iterator<Item = &'a Container>, or_since: Option<SystemTime>) {
        for container in containers.filter(|container| container.running()) {
            let host = container.name().to_owned();
            let since = match self.followers.remove(&host) {
                Some(follower) if follower.is_finished() => follower.join().ok(),
                Some(follower) => {
                    self.followers.insert(host, follower);
                    continue;
                }
                None => or_since,
            };
            let (sender, podman, name) = (self.sender.clone(), self.podman.clone(), host.clone());
            // Nobody waits for it: the podman that it reads from ends with podfarm.
            let follower = std::thread::spawn(move || {
                let _ = podman.stream(&argv::logs_follow(&name, since), |line| {
                    let _ = sender.send((name.clone(), line.to_owned()));
                });
                SystemTime::now()
            });
            self.followers.insert(host, follower);
        }
    }

    fn have_ended(&self) -> bool {
        self.followers.values().all(JoinHandle::is_finished)
    }
}

/// The whole lines of a file from `end` on, which becomes where they end. A file that is shorter now was begun anew.
fn added(file: &Path, end: &mut u64) -> String {
    let now = length(file);
    if now == *end {
        return String::new();
    }
    if now < *end {
        *end = 0;
    }
    let mut bytes = Vec::new();
    let read = std::fs::File::open(file).and_then(|mut file| {
        file.seek(SeekFrom::Start(*end))?;
        file.read_to_end(&mut bytes)
    });
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
    if read.is_ok() {
        *end += whole as u64;
    }
    String::from_utf8_lossy(&bytes[..whole]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_lines_are_shown_once() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("a.log");
        let mut end = 0;
        assert_eq!(added(&log, &mut end), "");
        std::fs::write(&log, "one\ntw").unwrap();
        assert_eq!(added(&log, &mut end), "one\n");
        std::fs::write(&log, "one\ntwo\n").unwrap();
        assert_eq!(added(&log, &mut end), "two\n");
        std::fs::write(&log, "new\n").unwrap();
        assert_eq!(added(&log, &mut end), "new\n");
    }
}
