//! Roles: what a `role.yaml` says, and the folders they are found in.
//!
//! A role is a folder with a Containerfile and a role.yaml. Everything podfarm knows of a kind of member it
//! reads there: adding a role is adding a folder. docs/roles.md is the reference of the file.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use include_dir::Dir;
use serde::{Deserialize, Serialize};

use crate::builtin;
use crate::failure::{Failure, Kind as FailureKind};
use crate::image::BASE;
use crate::paths::Paths;

/// A role, as its role.yaml says.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Role {
    pub description: String,
    /// The names under which set files ask for members of this role.
    pub kinds: BTreeMap<String, Kind>,
    /// What the entrypoint is given as `KEY=value`; values may hold `{placeholders}`.
    #[serde(default)]
    pub arguments: BTreeMap<String, String>,
    #[serde(default)]
    pub ports: Vec<Port>,
    /// All other capabilities are dropped.
    #[serde(default)]
    pub capabilities: Vec<String>,
    #[serde(default)]
    pub mounts: Vec<Mount>,
    #[serde(default)]
    pub secrets: Vec<Secret>,
    /// What members have besides, in sets that have a member that provides this service.
    #[serde(default)]
    pub when: BTreeMap<String, Additions>,
    /// Log name to file inside the container.
    #[serde(default)]
    pub logs: BTreeMap<String, PathBuf>,
    /// How to ask a member whether it is ready; without one, sshd's banner is asked for.
    #[serde(default)]
    pub probe: Probe,
    #[serde(default)]
    pub stop: Stop,
}

/// One way in which a role is used in a set.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kind {
    /// Every set has one, unless it says `count: 0`.
    #[serde(default)]
    pub default: bool,
    /// Members are called NAME1, NAME2…, even where there is only one.
    #[serde(default)]
    pub numbered: bool,
    /// The services members of this kind provide, for other roles' placeholders.
    #[serde(default)]
    pub provides: Vec<String>,
    /// Services without which members of this kind cannot work: sets in which nobody provides them are refused.
    #[serde(default)]
    pub needs: Vec<String>,
    /// Arguments besides the role's own.
    #[serde(default)]
    pub arguments: BTreeMap<String, String>,
    /// Keys a set file may give this kind of member; `{option.NAME}` in arguments.
    #[serde(default)]
    pub options: BTreeMap<String, MemberOption>,
    /// Mounts besides the role's own.
    #[serde(default)]
    pub mounts: Vec<Mount>,
    /// Another probe than the role's.
    #[serde(default)]
    pub probe: Option<Probe>,
}

/// What a role's members have in some sets alone.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Additions {
    pub capabilities: Vec<String>,
    /// Devices of the host, such as `/dev/fuse`.
    pub devices: Vec<PathBuf>,
    pub secrets: Vec<Secret>,
    /// Another probe than the role's.
    pub probe: Option<Probe>,
}

/// A key that a set file may give a kind of member.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemberOption {
    #[serde(rename = "type")]
    pub kind: OptionKind,
    pub default: String,
    /// The values that a choice can have, and the services that members provide who have it.
    #[serde(default)]
    pub choices: BTreeMap<String, Vec<String>>,
}

/// What an option's value can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OptionKind {
    Text,
    /// One of several words.
    Choice,
    /// `30s`, `5m`, `2h`; arguments get it in seconds.
    Duration,
}

impl MemberOption {
    /// What arguments get for a value as it is written.
    ///
    /// # Errors
    /// What would be right.
    pub fn value(&self, written: &str) -> Result<String, String> {
        match self.kind {
            OptionKind::Text => Ok(written.to_owned()),
            OptionKind::Choice if self.choices.contains_key(written) => Ok(written.to_owned()),
            OptionKind::Choice => {
                let all: Vec<_> = self.choices.keys().map(String::as_str).collect();
                Err(format!("write one of {}", all.join(", ")))
            }
            OptionKind::Duration => {
                let seconds = seconds(written).ok_or("write a duration such as 30s, 5m or 2h")?;
                Ok(seconds.to_string())
            }
        }
    }
}

/// The seconds of a duration of at most a week.
fn seconds(written: &str) -> Option<u32> {
    let (number, unit) = written.split_at_checked(written.len().checked_sub(1)?)?;
    let unit = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return None,
    };
    number.parse::<u32>().ok()?.checked_mul(unit).filter(|seconds| *seconds <= 7 * 24 * 3600)
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Port {
    pub name: String,
    pub port: u16,
}

/// Something of the host's that a container sees; with `when` or `unless`, only in sets that do, or do not, have a member
/// that provides this service.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, tag = "from", rename_all = "kebab-case")]
pub enum Mount {
    /// A folder of the member's own: `sets/<set>/<member>/<name>`.
    Own {
        name: String,
        at: PathBuf,
        #[serde(default)]
        when: Option<String>,
    },
    /// A folder that members of a set share: `sets/<set>/shared/<name>`.
    Shared {
        name: String,
        at: PathBuf,
        #[serde(default)]
        read_only: bool,
        #[serde(default)]
        when: Option<String>,
        #[serde(default)]
        unless: Option<String>,
    },
    /// The farm's configuration, read-only.
    Farm { at: PathBuf },
    /// Each MediaWiki tree, read-only, at `<at>/<source>`.
    Sources { at: PathBuf },
    /// The code that makes dumps, read-only, in sets that have a source of it.
    Dumps { at: PathBuf },
    /// The set's own copy-on-write layer over a folder of the farm's seed.
    Seed { name: String, at: PathBuf },
}

impl Mount {
    /// Whether it is there in a set whose members provide these services.
    pub fn applies(&self, provided: &BTreeSet<String>) -> bool {
        match self {
            Self::Own { when, .. } => when.as_ref().is_none_or(|service| provided.contains(service)),
            Self::Shared { when, unless, .. } => {
                when.as_ref().is_none_or(|service| provided.contains(service))
                    && unless.as_ref().is_none_or(|service| !provided.contains(service))
            }
            _ => true,
        }
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Secret {
    pub name: String,
    /// The numeric id of the user inside the container who may read it.
    #[serde(default)]
    pub owner: u32,
}

/// How to ask a member whether it is ready. None of the forms costs a podman process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "ProbeKeys", into = "ProbeKeys")]
pub enum Probe {
    /// The server on this port of the container greets those who connect, as MariaDB, sshd and many others do.
    Banner(u16),
    /// This path on the port named `http` answers 200, after redirections; `{wiki}` in it stands for each wiki in turn.
    Http(String),
    /// The member itself says so, in a file in one of its own folders that it writes anew all the time: a line that begins
    /// with `ready`, and then tells how it fares, or with `broken`, and then tells why.
    Report(PathBuf),
}

/// A probe as it is written: a map of one key, which serde's YAML has no enum for without tags.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ProbeKeys {
    #[serde(skip_serializing_if = "Option::is_none")]
    banner: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    http: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    report: Option<PathBuf>,
}

impl TryFrom<ProbeKeys> for Probe {
    type Error = &'static str;

    fn try_from(keys: ProbeKeys) -> Result<Self, Self::Error> {
        match keys {
            ProbeKeys { banner: Some(port), http: None, report: None } => Ok(Self::Banner(port)),
            ProbeKeys { banner: None, http: Some(path), report: None } => Ok(Self::Http(path)),
            ProbeKeys { banner: None, http: None, report: Some(path) } => Ok(Self::Report(path)),
            _ => Err("a probe is {banner: PORT}, {http: PATH} or {report: FILE}"),
        }
    }
}

impl From<Probe> for ProbeKeys {
    fn from(probe: Probe) -> Self {
        match probe {
            Probe::Banner(port) => Self { banner: Some(port), http: None, report: None },
            Probe::Http(path) => Self { banner: None, http: Some(path), report: None },
            Probe::Report(path) => Self { banner: None, http: None, report: Some(path) },
        }
    }
}

impl Default for Probe {
    fn default() -> Self {
        Self::Banner(SSH.port)
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stop {
    pub signal: String,
    /// How long the member has to end by itself before it is killed.
    pub seconds: u32,
}

impl Default for Stop {
    fn default() -> Self {
        Self { signal: "SIGTERM".to_owned(), seconds: 10 }
    }
}

/// What every member has besides its role's own ports.
pub struct SshPort {
    pub name: &'static str,
    pub port: u16,
}

/// sshd runs in every member.
pub const SSH: SshPort = SshPort { name: "ssh", port: 22 };

/// A file of an image's build context.
#[derive(Clone, Debug)]
pub struct ContextFile {
    pub bytes: Vec<u8>,
    /// Whether it is a program: its first two bytes say so, so that neither a checkout's modes nor a umask matter.
    pub executable: bool,
}

/// A folder under containerfiles/: the files of a build context by their path in it.
pub type BuildContext = BTreeMap<PathBuf, ContextFile>;

/// All roles there are, and the folders they come from.
#[derive(Clone, Debug, Default)]
pub struct Roles {
    pub roles: BTreeMap<String, Role>,
    /// Every folder that has a Containerfile, role or not, and the shared `base`.
    pub folders: BTreeMap<String, BuildContext>,
}

impl Roles {
    /// Reads all roles: from `./containerfiles`, the user's configuration folder, and those built in, the first of a name winning.
    ///
    /// # Errors
    /// [`FailureKind::SetFile`] where a role.yaml is wrong.
    pub fn load(paths: &Paths) -> Result<Self> {
        let mut roles = Self::default();
        for parent in [PathBuf::from("containerfiles"), paths.config.join("containerfiles")] {
            let Ok(entries) = std::fs::read_dir(&parent) else { continue };
            for entry in entries.flatten().filter(|entry| entry.path().is_dir()) {
                let Ok(name) = entry.file_name().into_string() else { continue };
                if !roles.folders.contains_key(&name) {
                    roles.add(name, &entry.path().display().to_string(), folder_on_disk(&entry.path())?)?;
                }
            }
        }
        for folder in builtin::ROLES.dirs() {
            let name = folder.path().to_string_lossy().into_owned();
            if !roles.folders.contains_key(&name) {
                roles.add(name.clone(), &format!("built-in role {name}"), folder_built_in(folder))?;
            }
        }
        Ok(roles)
    }

    fn add(&mut self, name: String, shown: &str, files: BuildContext) -> Result<()> {
        if let Some(file) = files.get(Path::new("role.yaml")) {
            let role: Role = serde_yaml::from_slice(&file.bytes).map_err(|error| {
                Failure::new(FailureKind::SetFile, format!("{shown}/role.yaml: {error}")).hint("docs/roles.md lists every key")
            })?;
            self.roles.insert(name.clone(), role);
        }
        self.folders.insert(name, files);
        Ok(())
    }

    /// The same, with more files in the folder that all images share.
    #[must_use]
    pub fn with_shared(&self, files: BuildContext) -> Self {
        let mut roles = self.clone();
        roles.folders.entry(BASE.to_owned()).or_default().extend(files);
        roles
    }

    /// The role that offers a kind of member.
    pub fn of_kind(&self, kind: &str) -> Option<(&str, &Role)> {
        let mut offers = self.roles.iter().filter(|(_, role)| role.kinds.contains_key(kind));
        offers.next().map(|(name, role)| (name.as_str(), role))
    }
}

fn folder_on_disk(folder: &Path) -> Result<BuildContext> {
    let mut files = BuildContext::new();
    for entry in walkdir::WalkDir::new(folder).sort_by_file_name() {
        let entry = entry?;
        if entry.file_type().is_file() {
            let bytes = std::fs::read(entry.path()).with_context(|| format!("{}: cannot be read", entry.path().display()))?;
            files.insert(entry.path().strip_prefix(folder)?.to_owned(), context_file(bytes));
        }
    }
    Ok(files)
}

fn folder_built_in(folder: &'static Dir<'static>) -> BuildContext {
    builtin::files(folder).into_iter().map(|(path, bytes)| (path, context_file(bytes.to_vec()))).collect()
}

fn context_file(bytes: Vec<u8>) -> ContextFile {
    ContextFile { executable: bytes.starts_with(b"#!"), bytes }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_told_in_seconds() {
        let option = MemberOption { kind: OptionKind::Duration, default: "0s".to_owned(), choices: BTreeMap::new() };
        for (written, value) in [("30s", "30"), ("5m", "300"), ("0s", "0"), ("2h", "7200"), ("168h", "604800")] {
            assert_eq!(option.value(written).unwrap(), value);
        }
        for written in ["", "30", "s", "-1s", "1d", "1.5m", "30 s", "169h", "5µ"] {
            assert!(option.value(written).is_err(), "{written:?}");
        }
    }
}
