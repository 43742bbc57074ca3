//! Import files: that they are what their names say, and the hashes of their contents.

use std::fs::{self, File, Metadata};
use std::io::{self, BufWriter, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use super::worker::import_mount;
use crate::image::{digest, hex};
use crate::paths::Paths;
use crate::set::{Set, WikiName};

const ENDINGS: &str = "podfarm imports .xml and .sql files, plain or packed as .gz, .bz2 or .7z";

/// How a file begins that is packed in some way.
const PACKINGS: &[(&str, &[u8])] = &[("bz2", b"BZh"), ("gz", b"\x1f\x8b"), ("7z", b"7z\xbc\xaf\x27\x1c")];

/// Refuses an import file that is not there, is empty, is not what its name says, or cannot be mounted. Its beginning is looked
/// at, not all of it.
///
/// # Errors
/// [`crate::failure::Kind::SetFile`] with file and line of the wiki.
pub(super) fn check(set: &Set, wiki: &WikiName, path: &Path) -> Result<()> {
    let wrong = |what: &str, hint: &str| Err(set.wrong(&["wikis", wiki.as_str(), "import"], what, hint));
    if let Some((what, hint)) = problem(path) {
        return wrong(&format!("{}: {what}", path.display()), hint);
    }
    import_mount(0, path).option().map(drop).or_else(|error| wrong(&error.to_string(), "rename it"))
}

fn problem(path: &Path) -> Option<(String, &'static str)> {
    let name = path.file_name()?.to_string_lossy();
    let (stem, packing) = match name.rsplit_once('.') {
        Some((stem, ending)) if PACKINGS.iter().any(|(packing, _)| *packing == ending) => (stem, Some(ending)),
        _ => (&*name, None),
    };
    let kind = stem.rsplit_once('.').map_or("", |(_, ending)| ending);
    if !matches!(kind, "xml" | "sql") {
        return Some(("its name does not say what it is".to_owned(), ENDINGS));
    }
    let start = match beginning(path) {
        Ok(start) => start,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Some(("there is no such file".to_owned(), "paths are relative to the folder the set file lies in"));
        }
        Err(error) => return Some((format!("it cannot be read: {error}"), "podfarm must be able to read it")),
    };
    if start.is_empty() {
        return Some(("it is empty".to_owned(), "was it downloaded to its end?"));
    }
    let packed = PACKINGS.iter().find(|(_, magic)| start.starts_with(magic)).map(|(packing, _)| *packing);
    if packed != packing {
        let is = packed.map_or_else(|| "not packed".to_owned(), |packed| format!("packed as .{packed}"));
        return Some((format!("it is not what its name says: it is {is}"), "rename it to what it is"));
    }
    let text = String::from_utf8_lossy(&start);
    if packing.is_none() && kind == "xml" && !text.trim_start_matches('\u{feff}').trim_start().starts_with('<') {
        return Some(("it is not what its name says: it is no XML".to_owned(), ENDINGS));
    }
    None
}

fn beginning(path: &Path) -> io::Result<Vec<u8>> {
    let mut start = Vec::new();
    File::open(path)?.take(512).read_to_end(&mut start)?;
    Ok(start)
}

/// The SHA-256 of a file's contents, from the cache if the file is the same as when it was last read.
///
/// # Errors
/// Where it cannot be read.
pub(super) fn hash(path: &Path, paths: &Paths) -> Result<String> {
    let unreadable = || format!("{}: cannot be read", path.display());
    let about = fs::metadata(path).with_context(unreadable)?;
    let entry = paths.cache.join("hashes").join(&digest([path.as_os_str().as_encoded_bytes()])[..16]);
    let identity = identity(path, &about);
    if let Some(hash) = fs::read_to_string(&entry).ok().and_then(|known| remembered(&known, &identity)) {
        return Ok(hash);
    }
    let hash = hash_contents(path).with_context(unreadable)?;
    // One that is being written to just now may change again within the same moment.
    if self::identity(path, &fs::metadata(path).with_context(unreadable)?) == identity {
        remember(&entry, &identity, &hash);
    }
    Ok(hash)
}

/// What changes when a file's contents do.
fn identity(path: &Path, about: &Metadata) -> String {
    let moment = |seconds: i64, nanoseconds: i64| format!("{seconds}.{nanoseconds:09}");
    let (modified, changed) = (moment(about.mtime(), about.mtime_nsec()), moment(about.ctime(), about.ctime_nsec()));
    format!("{}\n{} {} {modified} {changed}", path.display(), about.len(), about.ino())
}

fn remembered(known: &str, identity: &str) -> Option<String> {
    Some(known.strip_prefix(identity)?.trim().to_owned()).filter(|hash| hash.len() == 64)
}

/// Keeps a hash, if that can be done: without it, the file is read again next time.
fn remember(entry: &Path, identity: &str, hash: &str) {
    let Some(folder) = entry.parent() else { return };
    let write = || -> io::Result<()> {
        fs::create_dir_all(folder)?;
        let part: PathBuf = entry.with_extension(format!("{}.part", std::process::id()));
        fs::write(&part, format!("{identity}\n{hash}\n"))?;
        fs::rename(part, entry)
    };
    let _ = write();
}

fn hash_contents(path: &Path) -> io::Result<String> {
    let mut sha = Sha256::new();
    io::copy(&mut File::open(path)?, &mut BufWriter::with_capacity(1 << 20, &mut sha))?;
    Ok(hex(&sha.finalize()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_what_their_names_say() {
        let folder = tempfile::tempdir().unwrap();
        let what = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            fs::write(&path, bytes).unwrap();
            problem(&path).map(|(what, _)| what)
        };
        assert_eq!(what("a.xml", b"<mediawiki>"), None);
        assert_eq!(what("a.xml.bz2", b"BZh91AY"), None);
        assert_eq!(what("a.sql.gz", b"\x1f\x8b\x08"), None);
        assert_eq!(what("a.xml.7z", b"7z\xbc\xaf\x27\x1c\0"), None);
        assert_eq!(what("a.xml.gz", b"").as_deref(), Some("it is empty"));
        assert_eq!(what("a.xml.gz", b"BZh91AY").as_deref(), Some("it is not what its name says: it is packed as .bz2"));
        assert_eq!(what("b.xml", b"\x1f\x8b\x08").as_deref(), Some("it is not what its name says: it is packed as .gz"));
        assert_eq!(what("b.xml.bz2", b"<html>").as_deref(), Some("it is not what its name says: it is not packed"));
        assert_eq!(what("b.xml", b"hello").as_deref(), Some("it is not what its name says: it is no XML"));
        assert_eq!(what("b.txt", b"hello").as_deref(), Some("its name does not say what it is"));
        assert_eq!(problem(&folder.path().join("c.xml")).unwrap().0, "there is no such file");
    }

    #[test]
    fn a_changed_file_is_read_again_and_an_unchanged_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let at = |path: &str| folder.path().join(path);
        let paths = Paths { config: at("config"), data: at("data"), cache: at("cache"), locks: at("locks") };
        let file = folder.path().join("a.xml");
        fs::write(&file, "one").unwrap();
        let one = hash(&file, &paths).unwrap();
        let entry = fs::read_dir(paths.cache.join("hashes")).unwrap().next().unwrap().unwrap().path();
        let forged = fs::read_to_string(&entry).unwrap().replace(&one, &"0".repeat(64));
        fs::write(&entry, forged).unwrap();
        assert_eq!(hash(&file, &paths).unwrap(), "0".repeat(64));
        fs::write(&file, "two").unwrap();
        assert_ne!(hash(&file, &paths).unwrap(), one);
        fs::write(&file, "one").unwrap();
        assert_eq!(hash(&file, &paths).unwrap(), one);
    }
}
