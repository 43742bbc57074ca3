//! The set file: its schema, its names, and how it is found and read.

mod load;
mod names;
mod origin;
#[cfg(test)]
mod template;
mod yaml;

use std::collections::BTreeMap;
use std::path::PathBuf;

pub use load::{Found, find, line_of, list, load, parse};
pub use names::{DatabaseName, MemberName, SetName, SourceName, WikiName, full_name, host_name};

/// A set, as its file says and with defaults filled in. Everything in it has been checked as far as
/// that can be done without looking at the machine.
#[derive(Clone, Debug)]
pub struct Set {
    pub name: SetName,
    /// The file it was read from; `None` for one built into the binary.
    pub file: Option<PathBuf>,
    pub description: String,
    pub archive: Archive,
    /// A registry image, by digest, to use as the base instead of bootstrapping one.
    pub base: Option<String>,
    pub sources: BTreeMap<SourceName, Source>,
    /// The code that makes dumps; `None` for the built-in run.
    pub dumps: Option<Dumps>,
    pub wikis: BTreeMap<WikiName, Wiki>,
    pub members: BTreeMap<MemberName, Member>,
}

/// Where Debian packages come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Archive {
    /// Debian's code name of the release that images are made of.
    pub suite: String,
    /// The moment the archive is pinned to, as the snapshot service writes it: 20261101T000000Z.
    pub snapshot: Option<String>,
    /// Another mirror than mmdebstrap's default, or another snapshot service than Debian's
    /// (then `{snapshot}` in it stands for the moment).
    pub mirror: Option<String>,
    /// Archives beside Debian's that images take packages from.
    pub extra: Vec<Extra>,
}

/// An archive of packages beside Debian's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extra {
    pub uri: String,
    pub suite: String,
    pub components: Vec<String>,
    pub key: Key,
}

/// By what an archive's packages are trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key {
    /// A signature by the key in this file.
    File(PathBuf),
    /// Nothing: it is not signed.
    None,
}

impl Default for Archive {
    fn default() -> Self {
        Self { suite: "bookworm".to_owned(), snapshot: None, mirror: None, extra: Vec::new() }
    }
}

/// A pinned tree of code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A Debian package, from the set's archive in the given suite (the set's own if `None`).
    Deb { package: String, suite: Option<String> },
    /// A git repository at one commit, given in full.
    Git { url: String, commit: String },
    /// A folder on this machine, mounted live.
    Path(PathBuf),
}

/// The code that makes dumps: one of the sources, which holds operations-dumps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dumps {
    pub source: SourceName,
    /// Whether the source itself is written under `dumps`.
    pub inline: bool,
}

/// One wiki of the farm.
#[derive(Clone, Debug)]
pub struct Wiki {
    pub db: DatabaseName,
    /// `None`: what its imported content says, else English.
    pub lang: Option<String>,
    /// The site's name, `$wgSitename`; `None`: what its imported content says, else the wiki's name.
    pub title: Option<String>,
    /// The source of its MediaWiki.
    pub mediawiki: SourceName,
    pub import: Vec<PathBuf>,
    /// Its files are usable from the other wikis.
    pub commons: bool,
    pub private: bool,
    /// How many pages are made up for it, besides the built-in ones.
    pub pages: Option<u32>,
}

/// What a set file says of a kind of member.
#[derive(Clone, Debug, Default)]
pub struct Member {
    /// The role, where the name alone does not tell it.
    pub role: Option<String>,
    pub count: Option<u16>,
    /// What else it says, for the role's own options to check.
    pub options: BTreeMap<String, String>,
}

/// The commons of a farm, if it has one.
pub fn commons(wikis: &BTreeMap<WikiName, Wiki>) -> Option<(&WikiName, &Wiki)> {
    wikis.iter().find(|(_, wiki)| wiki.commons)
}
