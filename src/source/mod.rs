//! Sources: the MediaWiki that a set's wikis run on, and the code that makes dumps, as folders on this machine.
//!
//! A Debian package and a git commit are fetched once, into a folder of the cache named by the hash of what was asked for,
//! and never written again. A path is used as it is, so that an edited file shows at once.

mod deb;
mod git;
mod submodules;
mod version;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::failure::{Kind, kind};
use crate::image::digest;
use crate::lock::Lock;
use crate::paths::Paths;
use crate::podman::Podman;
use crate::process::Argv;
use crate::progress::Progress;
use crate::set::{Archive, Set, Source, SourceName};

pub use version::{mediawiki_version, schema_version};

/// Changes when the way trees are made from sources does.
const FORMAT: &[u8] = b"1";

/// What a source is used as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contents {
    MediaWiki,
    /// operations-dumps, which makes dumps.
    Dumps,
}

impl Contents {
    fn name(self) -> &'static str {
        match self {
            Self::MediaWiki => "MediaWiki",
            Self::Dumps => "operations-dumps",
        }
    }

    /// By these it is known.
    fn parts(self) -> &'static [&'static str] {
        match self {
            Self::MediaWiki => &["includes/Defines.php", "index.php", "maintenance"],
            Self::Dumps => &["xmldumps-backup/worker.py", "xmldumps-backup/defaults.conf", "xmldumps-backup/dumps"],
        }
    }

    fn hint(self) -> &'static str {
        match self {
            Self::MediaWiki => "name the folder that has index.php, includes and maintenance",
            Self::Dumps => "name the top folder of a checkout, which has xmldumps-backup in it",
        }
    }
}

/// A source as a folder that members see read-only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tree {
    pub name: SourceName,
    pub contents: Contents,
    /// The hash of what was asked for: package, suite and archive, or url and commit, or the path.
    pub id: String,
    pub path: PathBuf,
    /// The user's own folder, which may change at any time.
    pub live: bool,
}

impl Tree {
    /// Whether there is nothing to fetch.
    pub fn present(&self) -> bool {
        self.live || self.path.is_dir()
    }
}

/// The tree of a source. No I/O.
pub fn desired(name: &SourceName, contents: Contents, source: &Source, archive: &Archive, paths: &Paths) -> Tree {
    let fields: Vec<&[u8]> = match source {
        Source::Deb { package, suite } => vec![
            b"deb",
            FORMAT,
            package.as_bytes(),
            suite.as_ref().unwrap_or(&archive.suite).as_bytes(),
            archive.snapshot.as_deref().unwrap_or_default().as_bytes(),
            archive.mirror.as_deref().unwrap_or_default().as_bytes(),
        ],
        Source::Git { url, commit } => vec![b"git", FORMAT, url.as_bytes(), commit.as_bytes()],
        Source::Path(path) => vec![b"path", path.as_os_str().as_encoded_bytes()],
    };
    let id = digest(fields);
    let name = name.clone();
    match source {
        Source::Path(path) => Tree { name, contents, id, path: path.clone(), live: true },
        _ => Tree { name, contents, path: paths.cache.join("sources").join(&id[..16]), id, live: false },
    }
}

/// Refuses a tree that is there and is not what it is used as. One that has to be fetched yet is looked at when it is.
///
/// # Errors
/// [`crate::failure::Kind::SetFile`], saying what is not there.
pub fn check(tree: &Tree, set: &Set) -> Result<()> {
    if tree.present() { check_folder(&tree.path, tree, set) } else { Ok(()) }
}

fn check_folder(folder: &Path, tree: &Tree, set: &Set) -> Result<()> {
    let at = place(tree, set);
    let contents = tree.contents;
    if !folder.is_dir() {
        let hint = format!("write where {}'s code is", contents.name());
        return Err(set.wrong(&at, &format!("there is no folder {}", folder.display()), &hint));
    }
    if let Some(lacking) = contents.parts().iter().find(|part| !folder.join(part).exists()) {
        let what = format!("{} is no {}: it has no {lacking}", folder.display(), contents.name());
        return Err(set.wrong(&at, &what, contents.hint()));
    }
    if contents == Contents::MediaWiki && !folder.join("vendor/autoload.php").exists() {
        return Err(set.wrong(
            &at,
            "this MediaWiki has no vendor/autoload.php, so the libraries it needs are missing",
            "take a commit of a release branch, which has vendor as a submodule; or run `composer install --no-dev` in a checkout, and use that as {path: FOLDER}",
        ));
    }
    Ok(())
}

/// The keys of the set file under which a source stands.
fn place<'a>(tree: &'a Tree, set: &Set) -> [&'a str; 2] {
    match &set.dumps {
        Some(dumps) if dumps.inline && tree.contents == Contents::Dumps => ["dumps", "source"],
        _ => ["sources", tree.name.as_str()],
    }
}

/// Fetches a tree, unless it is there. `base` is the tag of the set's base image, in which Debian packages are fetched.
///
/// # Errors
/// [`crate::failure::Kind::SetFile`] where what is fetched is not there or is no MediaWiki; else that of the failed command.
pub fn prepare(tree: &Tree, base: &str, set: &Set, podman: &Podman, paths: &Paths, progress: &dyn Progress) -> Result<()> {
    if tree.present() {
        return check(tree, set);
    }
    let _lock = Lock::take(&paths.lock(&format!("source-{}", &tree.id[..16])), &format!("source {}", tree.name), progress)?;
    if tree.present() {
        return Ok(());
    }
    let part = tree.path.with_extension("part");
    remove(&part)?;
    fs::create_dir_all(&part).with_context(|| format!("{}: cannot be made", part.display()))?;
    let task = format!("source {}", tree.name);
    progress.advance(&task, 0, None, "");
    let fetched = match &set.sources[&tree.name] {
        Source::Deb { package, suite } => {
            let package = deb::Package { package, suite: suite.as_ref().unwrap_or(&set.archive.suite), archive: &set.archive };
            deb::fetch(&package, tree, base, &part, podman)
        }
        Source::Git { url, commit } => git::fetch(url, commit, tree, set, &part, paths, progress),
        Source::Path(_) => Ok(()),
    };
    progress.finish(&task);
    let finished = fetched
        .map_err(|error| match kind(&error) {
            Kind::SetFile => error,
            _ => error.context(format!("source {} could not be fetched", tree.name)),
        })
        .and_then(|()| check_folder(&part.join("tree"), tree, set))
        .and_then(|()| {
            fs::rename(part.join("tree"), &tree.path).with_context(|| format!("{}: cannot be written", tree.path.display()))
        });
    remove(&part)?;
    finished
}

/// The commands that fetch a tree, as far as they are known before the first has run.
pub fn commands(tree: &Tree, base: &str, set: &Set, paths: &Paths) -> Vec<Argv> {
    match &set.sources[&tree.name] {
        Source::Deb { package, suite } => {
            let package = deb::Package { package, suite: suite.as_ref().unwrap_or(&set.archive.suite), archive: &set.archive };
            vec![deb::run(&package, tree, base, &tree.path.with_extension("part"))]
        }
        Source::Git { url, commit } => vec![git::fetch_one(&git::cache(paths, url), url, commit)],
        Source::Path(_) => Vec::new(),
    }
}

fn remove(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("{}: cannot be removed", folder.display()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::hints;

    fn paths() -> Paths {
        Paths { config: "/config".into(), data: "/data".into(), cache: "/cache".into(), locks: "/locks".into() }
    }

    fn set_with(source: &Path) -> Set {
        let text = format!("sources:\n  mw: {{path: {}}}\nwikis: {{}}\n", source.display());
        crate::set::parse(&"demo".parse().unwrap(), Some(Path::new("/sets/demo.yaml")), &text).unwrap()
    }

    fn tree(set: &Set) -> Tree {
        let name: SourceName = "mw".parse().unwrap();
        desired(&name, Contents::MediaWiki, &set.sources[&name], &set.archive, &paths())
    }

    #[test]
    fn the_same_package_of_another_archive_is_another_tree() {
        let name: SourceName = "mediawiki".parse().unwrap();
        let package = |suite: Option<&str>| Source::Deb { package: "mediawiki".into(), suite: suite.map(str::to_owned) };
        let archive = Archive::default();
        let of = |source: &Source, archive: &Archive| desired(&name, Contents::MediaWiki, source, archive, &paths()).id;
        assert_eq!(of(&package(None), &archive), of(&package(Some("bookworm")), &archive));
        assert_ne!(of(&package(None), &archive), of(&package(Some("trixie")), &archive));
        let pinned = Archive { snapshot: Some("20261101T000000Z".into()), ..Archive::default() };
        assert_ne!(of(&package(None), &archive), of(&package(None), &pinned));
    }

    #[test]
    fn a_path_without_mediawiki_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let set = set_with(folder.path());
        let error = check(&tree(&set), &set).unwrap_err();
        assert_eq!(kind(&error), Kind::SetFile);
        assert!(error.to_string().contains("is no MediaWiki: it has no includes/Defines.php"), "{error}");
    }

    #[test]
    fn a_path_that_is_not_there_is_refused() {
        let set = set_with(Path::new("/nowhere/at/all"));
        let error = check(&tree(&set), &set).unwrap_err();
        assert!(error.to_string().contains("there is no folder /nowhere/at/all"), "{error}");
    }

    #[test]
    fn a_mediawiki_without_libraries_is_refused_with_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        for path in ["includes", "maintenance"] {
            fs::create_dir(folder.path().join(path)).unwrap();
        }
        for path in ["includes/Defines.php", "index.php"] {
            fs::write(folder.path().join(path), "").unwrap();
        }
        let set = set_with(folder.path());
        let error = check(&tree(&set), &set).unwrap_err();
        assert!(hints(&error)[0].contains("composer install"), "{error}");
    }
}
