//! Finding a set's file, reading it, and refusing what is wrong in it with file, line, what and what would be right.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::yaml::{SetFile, WikiFile};
use super::{Member, MemberName, Set, SetName, Source, SourceName, Wiki, WikiName};
use crate::builtin;
use crate::failure::{Failure, Kind};
use crate::paths::Paths;

/// A set file that was found, not yet read.
#[derive(Clone, Debug)]
pub struct Found {
    pub name: SetName,
    /// `None` for one built into the binary.
    pub file: Option<PathBuf>,
}

/// Reads the set of that name: from `./sets`, else the user's configuration folder, else those built in.
///
/// # Errors
/// [`Kind::Usage`] where there is none of that name; [`Kind::SetFile`] where it is wrong.
pub fn load(name: &SetName, paths: &Paths) -> Result<Set> {
    let found = find(name, paths)?;
    let text = match &found.file {
        Some(file) => std::fs::read_to_string(file).map_err(|error| unreadable(file, &error))?,
        None => builtin::set(name.as_str()).expect("find said it is built in").to_owned(),
    };
    parse(name, found.file.as_deref(), &text)
}

/// Where the set of that name is.
///
/// # Errors
/// [`Kind::Usage`] where there is none of that name.
pub fn find(name: &SetName, paths: &Paths) -> Result<Found> {
    let sets = list(paths);
    if let Some(found) = sets.iter().find(|found| found.name == *name) {
        return Ok(found.clone());
    }
    let failure = Failure::new(Kind::Usage, format!("there is no set named {name}"));
    let nearly = folders(paths).map(|folder| folder.join(format!("{name}.yml"))).into_iter().find(|file| file.exists());
    Err(match nearly {
        Some(file) => failure.hint(format!("{} has to be called {name}.yaml", file.display())),
        None => {
            let known: Vec<_> = sets.iter().map(|found| found.name.as_str()).collect();
            failure.hint(format!("known sets: {}; `podfarm init {name}` writes a new one", known.join(", ")))
        }
    }
    .into())
}

fn unreadable(file: &Path, error: &std::io::Error) -> Failure {
    Failure::new(Kind::SetFile, format!("{}: cannot be read: {error}", file.display()))
        .hint("a set file is a text in YAML; `podfarm init` writes a commented example")
}

/// Where set files lie, the first that counts first.
fn folders(paths: &Paths) -> [PathBuf; 2] {
    [PathBuf::from("sets"), paths.config.join("sets")]
}

/// All sets there are files of, each name once, by name.
pub fn list(paths: &Paths) -> Vec<Found> {
    let mut sets = BTreeMap::new();
    for folder in folders(paths) {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for entry in entries.flatten() {
            let file = entry.path();
            let stem = file.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_suffix(".yaml"));
            if let Some(Ok(name)) = stem.map(str::parse::<SetName>) {
                sets.entry(name.clone()).or_insert(Found { name, file: Some(std::path::absolute(&file).unwrap_or(file)) });
            }
        }
    }
    for name in builtin::set_names() {
        let name: SetName = name.parse().expect("built-in sets have good names");
        sets.entry(name.clone()).or_insert(Found { name, file: None });
    }
    sets.into_values().collect()
}

/// Reads a set from its text.
///
/// # Errors
/// [`Kind::SetFile`], naming file, line, what is wrong and what would be right.
pub fn parse(name: &SetName, file: Option<&Path>, text: &str) -> Result<Set> {
    let shown = file.map_or_else(|| format!("built-in set {name}"), |file| file.display().to_string());
    let written: SetFile = serde_yaml::from_str(text).map_err(|error| {
        let place = error.location().map_or_else(String::new, |at| format!("{}:{}: ", at.line(), at.column()));
        let message = error.to_string();
        let message = message.split(" at line ").next().unwrap_or(&message);
        Failure::new(Kind::SetFile, format!("{shown}:{place}{}{message}", if place.is_empty() { " " } else { "" }))
            .hint("docs/set-file.md lists every key; `podfarm init` writes a commented example")
    })?;
    let checker = Checker { shown: &shown, text, folder: file.and_then(Path::parent).unwrap_or(Path::new(".")) };
    checker.set(name, file, written)
}

/// Looks at what is written, and refuses what is wrong.
pub(super) struct Checker<'a> {
    shown: &'a str,
    text: &'a str,
    folder: &'a Path,
}

impl Checker<'_> {
    fn set(&self, name: &SetName, file: Option<&Path>, written: SetFile) -> Result<Set> {
        let archive = self.archive(written.archive)?;
        if let Some(base) = written.base.as_deref().filter(|base| !base.contains("@sha256:")) {
            return Err(self.wrong(
                &["base"],
                format!("{base:?} is not pinned"),
                "write it as NAME@sha256:DIGEST, so that it stays the same",
            ));
        }
        let mut sources = BTreeMap::new();
        for (source_name, source) in written.sources.0 {
            let source = self.source(&["sources", source_name.as_str()], source)?;
            sources.insert(source_name, source);
        }
        let default_source: SourceName = "mediawiki".parse().expect("a good name");
        sources.entry(default_source.clone()).or_insert(Source::Deb { package: "mediawiki".to_owned(), suite: None });
        let dumps = self.dumps(written.dumps, &mut sources)?;
        let mut wikis = BTreeMap::new();
        for (wiki_name, wiki) in written.wikis.0 {
            let wiki = self.wiki(&wiki_name, wiki.unwrap_or_default(), &sources, &default_source)?;
            wikis.insert(wiki_name, wiki);
        }
        self.farm(&mut wikis)?;
        let mut members = BTreeMap::new();
        for (member_name, member) in written.members.0 {
            let member = self.member(&member_name, member.map(|member| member.0).unwrap_or_default())?;
            members.insert(member_name, member);
        }
        Ok(Set {
            name: name.clone(),
            file: file.map(Path::to_owned),
            description: written.description,
            archive,
            base: written.base,
            sources,
            dumps,
            wikis,
            members,
        })
    }

    fn wiki(
        &self,
        name: &WikiName,
        written: WikiFile,
        sources: &BTreeMap<SourceName, Source>,
        default_source: &SourceName,
    ) -> Result<Wiki> {
        let at = ["wikis", name.as_str()];
        let mediawiki = written.mediawiki.unwrap_or_else(|| default_source.clone());
        if !sources.contains_key(&mediawiki) {
            let known: Vec<_> = sources.keys().map(SourceName::as_str).collect();
            return Err(self.wrong(
                &at,
                format!("there is no source named {mediawiki}"),
                &format!("add it under sources:, or use one of {}", known.join(", ")),
            ));
        }
        let is_part = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        if let Some(lang) = written.lang.as_deref().filter(|lang| !lang.split('-').all(is_part)) {
            return Err(self.wrong(&at, format!("{lang:?} is no language"), "write a code such as en, el or zh-hans"));
        }
        let db = match written.db {
            Some(db) => db,
            None => name
                .as_str()
                .replace('-', "_")
                .parse()
                .map_err(|why: String| self.wrong(&at, why, "name its database: {db: NAME}"))?,
        };
        if written.title.as_deref().is_some_and(|title| title.trim().is_empty() || title.chars().any(char::is_control)) {
            return Err(self.wrong(&at, "the title is empty or has control characters".to_owned(), "write a line of text"));
        }
        if written.pages.is_some_and(|pages| pages == 0 || pages > 100_000) {
            return Err(self.wrong(&at, "that is no number of pages to make up".to_owned(), "write one from 1 to 100000"));
        }
        if written.pages.is_some() && !written.import.0.is_empty() {
            return Err(self.wrong(
                &at,
                "it has both import and pages".to_owned(),
                "import brings pages, pages makes them up: leave one out",
            ));
        }
        Ok(Wiki {
            commons: written.commons.unwrap_or(db.as_str() == "commonswiki"),
            db,
            lang: written.lang,
            title: written.title,
            mediawiki,
            import: written.import.0.iter().map(|path| self.path(path)).collect(),
            private: written.private,
            pages: written.pages,
        })
    }

    /// What must hold of all wikis together.
    fn farm(&self, wikis: &mut BTreeMap<WikiName, Wiki>) -> Result<()> {
        let mut databases: BTreeMap<&str, &WikiName> = BTreeMap::new();
        let mut commons: Option<&WikiName> = None;
        for (name, wiki) in &*wikis {
            let at = ["wikis", name.as_str()];
            if let Some(other) = databases.insert(wiki.db.as_str(), name) {
                return Err(self.wrong(
                    &at,
                    format!("{name} and {other} have the same database, {}", wiki.db),
                    "give each wiki a database of its own: {db: NAME}",
                ));
            }
            if wiki.commons {
                if let Some(other) = commons.replace(name) {
                    return Err(self.wrong(
                        &at,
                        format!("{name} and {other} are both the farm's commons"),
                        "let one wiki be it: {commons: false} for the other",
                    ));
                }
            }
        }
        Ok(())
    }

    fn member(&self, name: &MemberName, mut keys: BTreeMap<String, super::yaml::Scalar>) -> Result<Member> {
        let count = keys.remove("count").map(|count| count.0);
        let count = match count.map(|count| count.parse::<u16>().map_err(|_| count)) {
            None => None,
            Some(Ok(count)) if count <= 100 => Some(count),
            Some(Ok(_)) => {
                return Err(self.wrong(
                    &["members", name.as_str()],
                    "that many would not fit".to_owned(),
                    "100 of a kind are the most",
                ));
            }
            Some(Err(text)) => {
                return Err(self.wrong(
                    &["members", name.as_str()],
                    format!("{text:?} is no count"),
                    "write a whole number, 0 for none",
                ));
            }
        };
        Ok(Member {
            role: keys.remove("role").map(|role| role.0),
            count,
            options: keys.into_iter().map(|(key, value)| (key, value.0)).collect(),
        })
    }

    pub(super) fn path(&self, written: &str) -> PathBuf {
        crate::paths::expand(written, self.folder)
    }

    pub(super) fn wrong(&self, at: &[&str], what: String, hint: &str) -> anyhow::Error {
        wrong(self.shown, self.text, at, &what, hint)
    }
}

/// The error for something wrong at a key of a set file.
fn wrong(shown: &str, text: &str, at: &[&str], what: &str, hint: &str) -> anyhow::Error {
    let line = line_of(text, at).map_or_else(String::new, |line| format!("{line}:"));
    Failure::new(Kind::SetFile, format!("{shown}:{line} {}: {what}", at.join("."))).hint(hint).into()
}

impl Set {
    /// The error for something that only what lies outside of the file shows to be wrong in it, such as an unknown role.
    pub fn wrong(&self, at: &[&str], what: &str, hint: &str) -> anyhow::Error {
        let text = match &self.file {
            Some(file) => std::fs::read_to_string(file).unwrap_or_default(),
            None => builtin::set(self.name.as_str()).unwrap_or_default().to_owned(),
        };
        let shown = self.file.as_ref().map_or_else(|| format!("built-in set {}", self.name), |file| file.display().to_string());
        wrong(&shown, &text, at, what, hint)
    }
}

/// The line on which a key stands, for a block mapping written one key a line; in a flow mapping, the line of its nearest parent.
pub fn line_of(text: &str, keys: &[&str]) -> Option<usize> {
    let mut line_number = None;
    let mut lines = text.lines().enumerate();
    let mut indent = 0;
    for (depth, key) in keys.iter().enumerate() {
        let found = lines.by_ref().find(|(_, line)| {
            let body = line.trim_start();
            let deep_enough = depth == 0 && body.len() == line.len() || depth > 0 && line.len() - body.len() > indent;
            let name = body.split(':').next().unwrap_or_default().trim().trim_matches(['"', '\'']);
            deep_enough && name == *key
        });
        let Some((number, line)) = found else { break };
        line_number = Some(number + 1);
        indent = line.len() - line.trim_start().len();
    }
    line_number
}
