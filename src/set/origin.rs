//! Where code comes from: checking a set file's `archive`, `sources` and `dumps`.

use std::collections::BTreeMap;

use anyhow::Result;

use super::load::Checker;
use super::yaml::{ArchiveFile, DumpsFile, ExtraFile, SourceFile, SourceOf};
use super::{Archive, Dumps, Extra, Key, Source, SourceName};

/// The source of the code that makes dumps, unless the set file names another.
const DUMPS: &str = "dumps";

impl Checker<'_> {
    pub(super) fn archive(&self, written: ArchiveFile) -> Result<Archive> {
        let suite = written.suite.unwrap_or_else(|| Archive::default().suite);
        if !is_word(&suite) {
            return Err(self.wrong(
                &["archive", "suite"],
                format!("{suite:?} is no suite"),
                "write a code name such as bookworm",
            ));
        }
        if let Some(moment) = &written.snapshot {
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
        if let Some(mirror) = written.mirror.as_ref().filter(|mirror| !is_url(mirror)) {
            return Err(self.wrong(&["archive", "mirror"], format!("{mirror:?} is no mirror"), A_URL));
        }
        let extra = written.extra.into_iter().map(|extra| self.extra(extra)).collect::<Result<_>>()?;
        Ok(Archive { suite, snapshot: written.snapshot, mirror: written.mirror, extra })
    }

    fn extra(&self, written: ExtraFile) -> Result<Extra> {
        let at = ["archive", "extra"];
        let ExtraFile { uri, suite, components, key } = written;
        if !is_url(&uri) {
            return Err(self.wrong(&at, format!("{uri:?} is no archive"), A_URL));
        }
        let components = if components.0.is_empty() { vec!["main".to_owned()] } else { components.0 };
        if let Some(word) = [&suite].into_iter().chain(&components).find(|word| !is_word(word)) {
            return Err(self.wrong(
                &at,
                format!("{word:?} is no suite and no component"),
                "write {suite: bookworm, components: [main]}",
            ));
        }
        let key = match key.as_str() {
            "none" => Key::None,
            file => Key::File(self.path(file)),
        };
        Ok(Extra { uri, suite, components, key })
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

const A_URL: &str = "write a URL that begins with http://, https:// or file:///";

fn is_url(text: &str) -> bool {
    ["http://", "https://", "file:///"].iter().any(|scheme| text.starts_with(scheme)) && !text.contains(char::is_whitespace)
}

/// A word of the kind Debian uses for packages and suites.
fn is_word(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with('-')
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'+' | b'_'))
}
