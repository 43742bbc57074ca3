//! The hashes that name images.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::{BASE, Image};
use crate::role::{ContextFile, Roles};

/// Changes when the way images are built does, so that all are built again.
const FORMAT: &str = "1";

/// SHA-256 in hexadecimal over several fields. Each is preceded by its length, so that no two lists of fields hash alike by accident.
pub fn digest<'a>(fields: impl IntoIterator<Item = &'a [u8]>) -> String {
    let mut sha = Sha256::new();
    for field in fields {
        sha.update((field.len() as u64).to_be_bytes());
        sha.update(field);
    }
    hex(&sha.finalize())
}

/// Bytes as hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// What goes into a role's image, with the hash of each part.
pub(super) fn parts(name: &str, roles: &Roles, parent: &Image) -> BTreeMap<String, String> {
    let mut parts = BTreeMap::from([
        (format!("its base image {}", parent.name), short(&parent.hash)),
        ("the way images are built".to_owned(), FORMAT.to_owned()),
    ]);
    for folder in [BASE, name] {
        for (path, file) in files(folder, roles) {
            let field = digest([file.bytes.as_slice(), &[u8::from(file.executable)]]);
            parts.insert(format!("containerfiles/{folder}/{}", path.display()), short(&field));
        }
    }
    parts
}

/// The files of a folder that go into a build context: all but role.yaml, which tells how containers run, not what is in the image.
pub(super) fn files<'a>(folder: &str, roles: &'a Roles) -> impl Iterator<Item = (&'a Path, &'a ContextFile)> {
    let files = roles.folders.get(folder).into_iter().flatten();
    files.map(|(path, file)| (path.as_path(), file)).filter(|(path, _)| *path != Path::new("role.yaml"))
}

fn short(hash: &str) -> String {
    hash.chars().take(16).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_do_not_run_into_each_other() {
        assert_ne!(digest([b"ab".as_slice(), b"c"]), digest([b"a".as_slice(), b"bc"]));
        assert_eq!(digest([b"a".as_slice()]).len(), 64);
    }
}
