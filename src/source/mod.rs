//! Sources: the MediaWiki that a set's wikis run on, and the code that makes dumps, as folders on this machine.
//!
//! A Debian package and a git commit are fetched once, into a folder of the cache named by the hash of what was asked for,
//! and never written again. A path is used as it is, so that an edited file shows at once.

mod deb;
mod git;
mod submodules;
mod version;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::failure::{Kind, kind};
use crate::image::digest;
use crate::lock::Lock;
use crate::paths::Paths;
use crate::podman::Podman;
use crate::podman::mount::Mounted;
use crate::process::Argv;
use crate::progress::Progress;
use crate::set::{Archive, Set, Source, SourceName};

pub use version::{mediawiki_version, schema_version};

/// Changes when the way trees are made from sources does.
const FORMAT: &[u8] = b"1";

/// The libraries that MediaWiki needs, which are no part of its own repository.
const LIBRARIES: &str = "vendor/autoload.php";

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
            Self::MediaWiki => &["includes/Defines.php", "index.php", "maintenance", LIBRARIES],
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
    if let Err(error) = Mounted::read_only(folder, "/").option() {
        return Err(set.wrong(&at, &error.to_string(), "rename it"));
    }
    match contents.parts().iter().find(|part| !folder.join(part).exists()) {
        Some(&LIBRARIES) => {
            return Err(set.wrong(
                &at,
                &format!("this MediaWiki has no {LIBRARIES}, so the libraries it needs are missing"),
                "take a commit of a release branch, which has vendor as a submodule; or run `composer install --no-dev` in a checkout, and use that as {path: FOLDER}",
            ));
        }
        Some(lacking) => {
            let what = format!("{} is no {}: it has no {lacking}", folder.display(), contents.name());
            return Err(set.wrong(&at, &what, contents.hint()));
        }
        None => {}
    }
    if let Some(closed) = contents.parts().iter().find_map(|part| closed(folder, part)) {
        let what = format!("members cannot read {}: their users are others to this machine", closed.display());
        return Err(set.wrong(&at, &what, &format!("chmod -R o+rX {}", shell_words::quote(&folder.to_string_lossy()))));
    }
    Ok(())
}

/// What keeps others from a part of a folder: the folder itself, one in it, or the part. Whatever the folder lies in does not.
fn closed(folder: &Path, part: &str) -> Option<PathBuf> {
    let path = folder.join(part);
    let way: Vec<_> = path.ancestors().take_while(|path| path.starts_with(folder)).collect();
    let is_closed = |path: &&&Path| {
        fs::metadata(path).is_ok_and(|about| {
            let needed = if about.is_dir() { 0o005 } else { 0o004 };
            about.permissions().mode() & needed != needed
        })
    };
    way.iter().rev().find(is_closed).map(|path| path.to_path_buf())
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
        let text = format!("sources:\n  mw: {{path: \"{}\"}}\nwikis: {{}}\n", source.display());
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

    /// What makes a folder a MediaWiki.
    fn mediawiki(folder: &Path) {
        for path in Contents::MediaWiki.parts() {
            let path = folder.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
    }

    #[test]
    fn a_mediawiki_without_libraries_is_refused_with_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        mediawiki(folder.path());
        let set = set_with(folder.path());
        check(&tree(&set), &set).unwrap();
        fs::remove_file(folder.path().join("vendor/autoload.php")).unwrap();
        let error = check(&tree(&set), &set).unwrap_err();
        assert!(hints(&error)[0].contains("composer install"), "{error}");
    }

    #[test]
    fn a_path_that_members_cannot_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        mediawiki(folder.path());
        let set = set_with(folder.path());
        for (path, mode) in [("", 0o750), ("index.php", 0o640), ("includes", 0o754), ("vendor", 0o700)] {
            let path: PathBuf = folder.path().join(path).components().collect();
            let before = fs::metadata(&path).unwrap().permissions();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let error = check(&tree(&set), &set).unwrap_err();
            assert_eq!(kind(&error), Kind::SetFile);
            assert!(error.to_string().contains(&format!("members cannot read {}:", path.display())), "{error}");
            assert_eq!(hints(&error)[0], format!("chmod -R o+rX {}", folder.path().display()));
            fs::set_permissions(&path, before).unwrap();
            check(&tree(&set), &set).unwrap();
        }
    }

    #[test]
    fn a_path_that_cannot_be_mounted_is_refused() {
        let folder = tempfile::Builder::new().prefix("a,b:c").tempdir().unwrap();
        mediawiki(folder.path());
        let set = set_with(folder.path());
        let error = check(&tree(&set), &set).unwrap_err();
        assert_eq!((kind(&error), hints(&error)), (Kind::SetFile, vec!["rename it"]));
    }
}
