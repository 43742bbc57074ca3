//! What is built into the binary: sets, roles and the seeding program, so that one file is all there is to install.

use std::path::PathBuf;

use include_dir::{Dir, include_dir};

/// `containerfiles/`: one folder a role.
pub static ROLES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/containerfiles");
/// `templates/farm`: the farm's PHP configuration.
pub static FARM: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/templates/farm");
/// `templates/seed`: the program that fills a wiki's database.
pub static SEED: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/templates/seed");
static SETS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/sets");

/// The text of a built-in set.
pub fn set(name: &str) -> Option<&'static str> {
    SETS.get_file(format!("{name}.yaml"))?.contents_utf8()
}

/// The names of the built-in sets.
pub fn set_names() -> impl Iterator<Item = &'static str> {
    SETS.files().filter_map(|file| file.path().file_name()?.to_str()?.strip_suffix(".yaml"))
}

/// All files below a built-in folder, by their paths in it.
pub fn files(folder: &'static Dir<'static>) -> Vec<(PathBuf, &'static [u8])> {
    let mut files = Vec::new();
    let mut folders = vec![folder];
    while let Some(next) = folders.pop() {
        folders.extend(next.dirs());
        for file in next.files() {
            let path = file.path().strip_prefix(folder.path()).expect("a folder's files lie in it");
            files.push((path.to_owned(), file.contents()));
        }
    }
    files
}
