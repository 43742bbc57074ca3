//! The state of sets, from one question to podman and one to each member, however many sets there are.

use std::collections::BTreeMap;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;

use crate::desired::{label, parse_ports_label};
use crate::lifecycle::Session;
use crate::podman::{argv, observe::Container};
use crate::probe::{self, Endpoint};
use crate::process::{Input, side_by_side};
use crate::set::{SetName, full_name};

/// The version of the format of `status --format json`; it grows when a field is removed or changes its meaning.
pub const FORMAT_VERSION: u32 = 1;

/// The health of a member that is ready.
pub const READY: &str = "ready";

/// What `status --format json` prints. docs/status.md describes it.
#[derive(Debug, Serialize)]
pub struct Status {
    pub version: u32,
    pub sets: Vec<SetStatus>,
}

#[derive(Debug, Serialize)]
pub struct SetStatus {
    pub name: String,
    /// absent, created, stopped, running, or partial: some members run and some do not.
    pub state: String,
    /// The url of each wiki on this host, and of each other web server by its member's name.
    pub urls: BTreeMap<String, String>,
    pub members: Vec<MemberStatus>,
}

#[derive(Debug, Serialize)]
pub struct MemberStatus {
    pub name: String,
    pub role: String,
    /// As podman says: created, running, exited, …
    pub state: String,
    /// [`READY`], or why it is not.
    pub health: String,
    /// What a member that is ready says of how it fares, such as `3 s behind`; empty for most.
    pub detail: String,
    /// The full name.
    pub host: String,
    /// The address inside of the set.
    pub address: String,
    /// The address on the host.
    pub published: String,
    pub ports: Vec<Port>,
    pub urls: Vec<String>,
    /// The id of its image.
    pub image: String,
    /// The hash of what was desired when it was made.
    pub hash: String,
}

#[derive(Debug, Serialize)]
pub struct Port {
    pub name: String,
    pub port: u16,
    pub published: u16,
}

/// The state of the named sets, in that order; of all that exist, if none is named. A member that does not answer in time is not
/// ready.
pub fn of(containers: &[Container], names: &[SetName], patience: Duration) -> Status {
    let mut by_set: BTreeMap<String, Vec<&Container>> = names.iter().map(|name| (name.to_string(), Vec::new())).collect();
    for container in containers {
        let Some(set) = container.label(label::SET) else { continue };
        match by_set.get_mut(set) {
            Some(members) => members.push(container),
            None if names.is_empty() => {
                by_set.insert(set.to_owned(), vec![container]);
            }
            None => {}
        }
    }
    let all: Vec<&Container> = by_set.values().flatten().copied().collect();
    let health: BTreeMap<&str, Health> = all
        .iter()
        .map(|container| container.name())
        .zip(side_by_side(&all, 32, |container| health(container, patience)))
        .collect();
    let mut sets: Vec<_> = by_set.iter().map(|(name, members)| set_status(name, members, &health)).collect();
    if !names.is_empty() {
        sets.sort_by_key(|set| names.iter().position(|name| name.as_str() == set.name));
    }
    Status { version: FORMAT_VERSION, sets }
}

/// The state of a set, from its members'.
pub fn set_state(members: &[&Container]) -> &'static str {
    let running = members.iter().filter(|container| container.running()).count();
    match running {
        _ if members.is_empty() => "absent",
        0 if members.iter().all(|container| container.state == "created") => "created",
        0 => "stopped",
        _ if running == members.len() => "running",
        _ => "partial",
    }
}

fn set_status(name: &str, members: &[&Container], health: &BTreeMap<&str, Health>) -> SetStatus {
    let mut statuses: Vec<_> = members.iter().map(|container| member_status(name, container, health)).collect();
    statuses.sort_by(|a, b| a.name.cmp(&b.name));
    let urls = pages(members).into_iter().map(|page| (page.name, page.url)).collect();
    SetStatus { name: name.to_owned(), state: set_state(members).to_owned(), urls, members: statuses }
}

fn member_status(set: &str, container: &Container, health: &BTreeMap<&str, Health>) -> MemberStatus {
    let health = health.get(container.name()).cloned().unwrap_or_default();
    let text = |key: &str| container.label(key).unwrap_or_default().to_owned();
    MemberStatus {
        name: text(label::MEMBER),
        role: text(label::ROLE),
        state: container.state.clone(),
        health: health.state,
        detail: health.detail,
        host: set.parse().map_or_else(|_| container.name().to_owned(), |set| full_name(&set, container.name())),
        address: text(label::ADDRESS),
        published: text(label::PUBLISHED),
        ports: parse_ports_label(container.label(label::PORTS).unwrap_or_default())
            .into_iter()
            .map(|port| Port { name: port.name, port: port.port, published: port.published })
            .collect(),
        urls: urls(container).into_values().collect(),
        image: container.image_id.clone(),
        hash: text(label::HASH),
    }
}

/// What a browser can show of a set: a wiki, or the site of a web server without wikis.
pub struct Page<'a> {
    pub name: String,
    pub url: String,
    pub container: &'a Container,
}

/// The pages of a set, the wikis before others, by name. Where several members serve a wiki it is at the last of them that runs:
/// the url that `up` prints.
pub fn pages<'a>(members: &[&'a Container]) -> Vec<Page<'a>> {
    let mut members = members.to_vec();
    members.sort_by_key(|container| (container.running(), container.name()));
    let mut pages = BTreeMap::new();
    for container in members {
        let is_wiki = container.label(label::WIKIS).is_some_and(|wikis| !wikis.is_empty());
        pages.extend(urls(container).into_iter().map(|(name, url)| ((!is_wiki, name), (url, container))));
    }
    pages.into_iter().map(|((_, name), (url, container))| Page { name, url, container }).collect()
}

/// The url of each wiki that a container serves, or of another web server in it.
fn urls(container: &Container) -> BTreeMap<String, String> {
    Endpoint::of(container).map(|endpoint| endpoint.urls()).unwrap_or_default()
}

/// How a member fares.
#[derive(Clone, Debug, Default)]
struct Health {
    state: String,
    detail: String,
}

fn health(container: &Container, patience: Duration) -> Health {
    let said = |state: String, details: Vec<String>| Health { state, detail: details.join(", ") };
    if !container.running() {
        return said("not running".to_owned(), Vec::new());
    }
    let asked = Endpoint::of(container).map(|endpoint| endpoint.questions()).unwrap_or_default();
    let mut wrong = Vec::new();
    let mut details = Vec::new();
    for answer in side_by_side(&asked, asked.len(), |question| probe::ask(&question.ask, patience)) {
        match answer {
            Ok(detail) => details.extend(detail),
            Err(why) => wrong.push(why),
        }
    }
    if wrong.is_empty() { said(READY.to_owned(), details) } else { said(format!("not ready: {}", wrong.join("; ")), Vec::new()) }
}

/// A member's logs on the host, by name. Where a role says `*.log`, each such file there is at the moment is one, `NAME/FILE`.
pub fn log_files(container: &Container) -> BTreeMap<String, PathBuf> {
    said_logs(container)
        .into_iter()
        .flat_map(|(name, path)| if path.ends_with(ALL_LOGS) { logs_in(&name, &path) } else { vec![(name, path)] })
        .collect()
}

/// Whether a member's role speaks of such a log, or group of logs: it may be yet to come.
pub fn may_have_log(container: &Container, name: &str) -> bool {
    let is_in = |group: &str| name.strip_prefix(group).is_some_and(|rest| rest.starts_with('/'));
    said_logs(container).iter().any(|(said, path)| said == name || path.ends_with(ALL_LOGS) && is_in(said))
}

/// What the role says: a file for each name, or [`ALL_LOGS`] of a folder.
fn said_logs(container: &Container) -> BTreeMap<String, PathBuf> {
    container.label(label::LOGS).and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}

/// The end of a path that stands for all logs of a folder.
const ALL_LOGS: &str = "*.log";

fn logs_in(name: &str, pattern: &Path) -> Vec<(String, PathBuf)> {
    let Some(entries) = pattern.parent().and_then(|folder| folder.read_dir().ok()) else { return Vec::new() };
    let files =
        entries.flatten().map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|extension| extension == "log"));
    files.filter_map(|path| Some((format!("{name}/{}", path.file_stem()?.to_string_lossy()), path))).collect()
}

/// The last lines of what a member said on its console and wrote into its logs.
pub fn last_log_lines(session: &Session<'_>, container: &Container, count: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let console = session.podman.output(&argv::logs(container.name(), count), Input::Nothing).unwrap_or_default();
    lines.extend(console.lines().map(|line| format!("console: {line}")));
    for (name, file) in log_files(container) {
        lines.extend(tail(&file, count).into_iter().map(|line| format!("{name}: {line}")));
    }
    lines
}

/// The last lines of a file that may be large; nothing where it cannot be read.
pub fn tail(file: &Path, count: usize) -> Vec<String> {
    let bytes = end_of(file, count).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].iter().map(|line| (*line).to_owned()).collect()
}

/// The end of a file, with so many whole lines at least, if it has them.
fn end_of(file: &Path, lines: usize) -> std::io::Result<Vec<u8>> {
    let mut file = std::fs::File::open(file)?;
    let length = file.metadata()?.len();
    let mut size = 1 << 16;
    loop {
        let start = length.saturating_sub(size);
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(start))?;
        file.read_to_end(&mut bytes)?;
        // One more than the lines: what is before the first may be half a line.
        if start == 0 || bytes.iter().filter(|byte| **byte == b'\n').count() > lines {
            return Ok(bytes);
        }
        size *= 4;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_last_lines_as_are_wanted_and_whole_ones() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("a.log");
        let all: Vec<_> = (0..200_000).map(|number| format!("line {number}")).collect();
        std::fs::write(&log, all.join("\n") + "\n").unwrap();
        for count in [0, 1, 8, 100_000, 200_000, 300_000] {
            assert_eq!(tail(&log, count), all[all.len().saturating_sub(count)..], "{count}");
        }
        std::fs::write(&log, "one\ntwo").unwrap();
        assert_eq!(tail(&log, 1), ["two"]);
        assert!(tail(&folder.path().join("none"), 1).is_empty());
    }
}
