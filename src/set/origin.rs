//! Where code comes from: checking a set file's `archive`, `sources` and `dumps`.

use std::collections::BTreeMap;

use anyhow::Result;

use super::load::Checker;
use super::yaml::{DumpsFile, SourceFile, SourceOf};
use super::{Archive, Dumps, Source, SourceName};

/// The source of the code that makes dumps, unless the set file names another.
const DUMPS: &str = "dumps";

impl Checker<'_> {
    pub(super) fn archive(&self, archive: &Archive) -> Result<()> {
        if !is_word(&archive.suite) {
            return Err(self.wrong(
                &["archive", "suite"],
                format!("{:?} is no suite", archive.suite),
                "write a code name such as bookworm",
            ));
        }
        if let Some(moment) = &archive.snapshot {
            let digits =
                |range: std::ops::Range<usize>| moment.get(range).is_some_and(|part| part.bytes().all(|b| b.is_ascii_digit()));
            let good = moment.len() == 16 && digits(0..8) && digits(9..15) && &moment[8..9] == "T" && moment.ends_with('Z');
            if !good {
                return Err(self.wrong(
                    &["archive", "snapshot"],
                    format!("{moment:?} is no moment of the archive"),
                    "write it as 20261101T000000Z",
                ));
            }
        }
        if let Some(mirror) = &archive.mirror {
            let good = ["http://", "https://", "file:///"].iter().any(|scheme| mirror.starts_with(scheme))
                && !mirror.contains(char::is_whitespace);
            if !good {
                return Err(self.wrong(
                    &["archive", "mirror"],
                    format!("{mirror:?} is no mirror"),
                    "write a URL that begins with http://, https:// or file:///",
                ));
            }
        }
        Ok(())
    }

    /// A source that is written at a place of the set file.
    pub(super) fn source(&self, at: &[&str], written: SourceFile) -> Result<Source> {
        match written {
            SourceFile { deb: Some(package), suite, git: None, commit: None, path: None } => {
                if !is_word(&package) || suite.as_deref().is_some_and(|suite| !is_word(suite)) {
                    return Err(self.wrong(
                        at,
                        "the package or the suite is none".to_owned(),
                        "write {deb: mediawiki, suite: trixie}",
                    ));
                }
                Ok(Source::Deb { package, suite })
            }
            SourceFile { git: Some(url), commit: Some(commit), deb: None, suite: None, path: None } => {
                let full = matches!(commit.len(), 40 | 64) && commit.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
                if !full {
                    return Err(self.wrong(
                        at,
                        format!("{commit:?} is no full commit"),
                        "write all 40 hexadecimal digits, as `git rev-parse` prints them: a branch or a tag can move",
                    ));
                }
                if url.starts_with('-') {
                    return Err(self.wrong(at, format!("{url:?} is no git url"), "write a URL or a path"));
                }
                let local = !url.contains("://") && !url.contains(':');
                let url = if local { self.path(&url).display().to_string() } else { url };
                Ok(Source::Git { url, commit })
            }
            SourceFile { path: Some(path), deb: None, suite: None, git: None, commit: None } => {
                Ok(Source::Path(self.path(&path)))
            }
            _ => Err(self.wrong(
                at,
                "a source is one of three things".to_owned(),
                "write {deb: PACKAGE}, {deb: PACKAGE, suite: SUITE}, {git: URL, commit: COMMIT} or {path: FOLDER}",
            )),
        }
    }

    /// The source of the code that makes dumps; one that is written where it is used joins the others, under the name it
    /// would have had there.
    pub(super) fn dumps(&self, written: Option<DumpsFile>, sources: &mut BTreeMap<SourceName, Source>) -> Result<Option<Dumps>> {
        let usual: SourceName = DUMPS.parse().expect("a good name");
        let at = ["dumps", "source"];
        let (source, inline) = match written.map(|dumps| dumps.source) {
            None if !sources.contains_key(&usual) => return Ok(None),
            None => (usual, false),
            Some(SourceOf::Name(name)) => (self.known(&name, sources)?, false),
            Some(SourceOf::Own(_)) if sources.contains_key(&usual) => {
                let what = format!("there is a source named {DUMPS} as well");
                return Err(self.wrong(&at, what, &format!("write {{source: {DUMPS}}} to use that one, or rename it")));
            }
            Some(SourceOf::Own(source)) => {
                sources.insert(usual.clone(), self.source(&at, source)?);
                (usual, true)
            }
        };
        if matches!(sources[&source], Source::Deb { .. }) {
            let what = format!("{source} is a Debian package, and operations-dumps comes as none");
            return Err(self.wrong(&at, what, "write {path: FOLDER} or {git: URL, commit: COMMIT}"));
        }
        Ok(Some(Dumps { source, inline }))
    }

    /// One of the sources, by its name.
    fn known(&self, name: &str, sources: &BTreeMap<SourceName, Source>) -> Result<SourceName> {
        let known: Vec<_> = sources.keys().map(SourceName::as_str).collect();
        name.parse().ok().filter(|name| sources.contains_key(name)).ok_or_else(|| {
            self.wrong(
                &["dumps", "source"],
                format!("there is no source named {name}"),
                &format!("write {{path: FOLDER}} or {{git: URL, commit: COMMIT}}, or the name of a source: {}", known.join(", ")),
            )
        })
    }
}

/// A word of the kind Debian uses for packages and suites.
fn is_word(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with('-')
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'+' | b'_'))
}
