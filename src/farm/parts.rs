//! What goes into a wiki's seed, part by part, so that the next one can say which part is different.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use include_dir::Dir;

use super::inputs;
use crate::builtin;
use crate::image::digest;
use crate::paths::Paths;
use crate::set::{Set, Wiki, WikiName};
use crate::source::{self, Tree};

/// Phrases for people, and hashes.
pub(super) type Parts = BTreeMap<String, String>;

pub(super) const DATABASE: &str = "its database";
pub(super) const MEDIAWIKI: &str = "its MediaWiki";
/// The farm's files that no content depends on: a page that lists wikis.
const NOT_IN_SEEDS: &str = "htdocs";
/// The built-in pages, which a wiki with an import has none of.
const CONTENT: &str = "content";

/// The parts of a wiki's seed. Its import files have been checked.
///
/// # Errors
/// Where an input cannot be read.
pub(super) fn of_wiki(set: &Set, store: bool, name: &WikiName, wiki: &Wiki, tree: &Tree, paths: &Paths) -> Result<Parts> {
    let mut parts = Parts::from([
        ("podfarm's way of seeding".to_owned(), hash_folder(&builtin::SEED, CONTENT)),
        ("the farm's configuration".to_owned(), hash_folder(&builtin::FARM, NOT_IN_SEEDS)),
        (MEDIAWIKI.to_owned(), source::schema_version(tree)?),
        ("its source's name".to_owned(), wiki.mediawiki.to_string()),
        ("its directory".to_owned(), name.to_string()),
        (DATABASE.to_owned(), wiki.db.to_string()),
        ("its language".to_owned(), wiki.lang.clone().unwrap_or_default()),
        ("its title".to_owned(), wiki.title.clone().unwrap_or_default()),
        ("where its text is".to_owned(), if store { "in a store" } else { "beside it" }.to_owned()),
        ("whether it is private".to_owned(), wiki.private.to_string()),
        (
            "whether it is the commons".to_owned(),
            crate::set::commons(&set.wikis).is_some_and(|(commons, _)| commons == name).to_string(),
        ),
    ]);
    if let Some(pages) = wiki.pages {
        parts.insert("how many pages are made up for it".to_owned(), pages.to_string());
    }
    for (index, path) in wiki.import.iter().enumerate() {
        let file = path.file_name().unwrap_or_default().to_string_lossy();
        let place =
            if wiki.import.len() > 1 { format!("import file {}, {file}", index + 1) } else { format!("import file {file}") };
        parts.insert(place, inputs::hash(path, paths)?);
    }
    if let (true, Some(content)) = (wiki.import.is_empty(), builtin::SEED.get_dir(CONTENT)) {
        parts.insert("the built-in pages".to_owned(), hash_folder(content, ""));
    }
    Ok(parts)
}

/// The hash of a built-in folder, without one of its folders.
fn hash_folder(folder: &Dir<'_>, without: &str) -> String {
    let mut files = BTreeMap::new();
    let mut folders = vec![folder];
    while let Some(next) = folders.pop() {
        folders.extend(next.dirs().filter(|folder| folder.path() != Path::new(without)));
        files.extend(next.files().map(|file| (file.path(), file.contents())));
    }
    digest(files.iter().flat_map(|(path, contents)| [path.as_os_str().as_encoded_bytes(), contents]))
}

/// One hash over all parts.
pub(super) fn key(parts: &Parts) -> String {
    digest(parts.iter().flat_map(|(part, hash)| [part.as_bytes(), hash.as_bytes()]))
}
