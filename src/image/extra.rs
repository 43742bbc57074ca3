//! Archives of packages beside Debian's: what all images of a set are told of them.

use std::path::{Path, PathBuf};

use anyhow::Result;
use askama::Template;

use crate::role::{BuildContext, ContextFile};
use crate::set::{Archive, Key, Set};

/// Where `install-packages` looks, in the folder of files that all images share.
const FOLDER: &str = "apt";

#[derive(Template)]
#[template(path = "image/extra.sources", escape = "none")]
struct Sources<'a> {
    archives: Vec<Source<'a>>,
}

struct Source<'a> {
    uri: &'a str,
    suite: &'a str,
    components: String,
    /// The file of its key, below the folder that all images share.
    key: Option<String>,
}

/// The files that tell apt of a set's extra archives, for the folder that all images share.
///
/// # Errors
/// [`crate::failure::Kind::SetFile`] where a key cannot be read, or is none.
pub fn files(set: &Set) -> Result<BuildContext> {
    let mut files = BuildContext::new();
    let mut archives = Vec::new();
    for (index, extra) in set.archive.extra.iter().enumerate() {
        let key = match &extra.key {
            Key::None => None,
            Key::File(file) => {
                let (bytes, ending) = read_key(file, set)?;
                let name = format!("{FOLDER}/extra-{}.{ending}", index + 1);
                files.insert(PathBuf::from(&name), ContextFile { bytes, executable: false });
                Some(name)
            }
        };
        archives.push(Source { uri: &extra.uri, suite: &extra.suite, components: extra.components.join(" "), key });
    }
    if !archives.is_empty() {
        let text = Sources { archives }.render()?;
        files.insert(Path::new(FOLDER).join("extra.sources"), ContextFile { bytes: text.into_bytes(), executable: false });
    }
    Ok(files)
}

/// A key, and the ending that apt wants its file to have.
fn read_key(file: &Path, set: &Set) -> Result<(Vec<u8>, &'static str)> {
    let wrong = |why: &str| {
        let what = format!("{} cannot be an archive's key: {why}", file.display());
        set.wrong(
            &["archive", "extra"],
            &what,
            "name the file with the public key that signs it, or write none where nothing does",
        )
    };
    let bytes = std::fs::read(file).map_err(|error| wrong(&error.to_string()))?;
    // In binary, the first byte says that what follows is a public key.
    match bytes.first() {
        Some(b'-') if bytes.starts_with(b"-----BEGIN PGP PUBLIC KEY") => Ok((bytes, "asc")),
        Some(0x98 | 0x99 | 0xc6) => Ok((bytes, "gpg")),
        _ => Err(wrong("it holds no public key of OpenPGP")),
    }
}

/// The folders on this machine that extra archives lie in.
pub(super) fn local(archive: &Archive) -> impl Iterator<Item = &str> {
    archive.extra.iter().filter_map(|extra| extra.uri.strip_prefix("file://"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::{Kind, kind};

    fn set(key: &str) -> Set {
        let text = format!("archive:\n  extra:\n    - {{uri: 'http://a.example/x', suite: bookworm-x, key: {key}}}\n");
        crate::set::parse(&"demo".parse().unwrap(), Some(Path::new("/sets/demo.yaml")), &text).unwrap()
    }

    #[test]
    fn an_archive_is_trusted_by_its_key_or_without() {
        let folder = tempfile::tempdir().unwrap();
        let key = folder.path().join("key");
        std::fs::write(&key, "-----BEGIN PGP PUBLIC KEY BLOCK-----\n").unwrap();
        let signed = files(&set(&key.display().to_string())).unwrap();
        let text = |files: &BuildContext| String::from_utf8(files[Path::new("apt/extra.sources")].bytes.clone()).unwrap();
        assert!(text(&signed).ends_with(
            "\nTypes: deb\nURIs: http://a.example/x\nSuites: bookworm-x\nComponents: main\n\
             Signed-By: /usr/local/lib/podfarm/apt/extra-1.asc\n"
        ));
        assert!(signed.contains_key(Path::new("apt/extra-1.asc")));
        assert!(text(&files(&set("none")).unwrap()).ends_with("\nTrusted: yes\n"));

        std::fs::write(&key, "hello").unwrap();
        let error = files(&set(&key.display().to_string())).unwrap_err();
        assert!(kind(&error) == Kind::SetFile && error.to_string().contains("demo.yaml: archive.extra: "), "{error}");
        assert!(files(&set("nowhere.asc")).unwrap_err().to_string().contains("/sets/nowhere.asc"));
    }
}
