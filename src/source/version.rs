//! What a tree says of itself: its version, and the shape of its tables.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::Tree;
use crate::image::digest;

/// Where MediaWiki's versions keep the definition of their tables.
const SCHEMAS: &[&str] = &["sql/mysql", "maintenance"];

/// MediaWiki's version, as `1.39.17`; `None` where the tree is not there or does not say.
pub fn mediawiki_version(tree: &Tree) -> Option<String> {
    let defines = fs::read_to_string(tree.path.join("includes/Defines.php")).ok()?;
    let after = defines.split("'MW_VERSION'").nth(1)?;
    after.split('\'').nth(1).map(str::to_owned)
}

/// What of a tree a seed depends on: for one that never changes what it was made from; for a live one its version and
/// its tables, so that an edited PHP file does not cost an import and a changed table does.
///
/// # Errors
/// Where a live tree cannot be read.
pub fn schema_version(tree: &Tree) -> Result<String> {
    if !tree.live {
        return Ok(tree.id.clone());
    }
    let version = mediawiki_version(tree).unwrap_or_default();
    let mut fields = vec![version.into_bytes()];
    for file in schema_files(&tree.path) {
        fields.push(fs::read(&file).with_context(|| format!("{}: cannot be read", file.display()))?);
    }
    Ok(digest(fields.iter().map(Vec::as_slice)))
}

fn schema_files(tree: &Path) -> Vec<PathBuf> {
    let is_schema = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.starts_with("tables") && name.ends_with(".sql")
    };
    let folders = SCHEMAS.iter().filter_map(|folder| fs::read_dir(tree.join(folder)).ok());
    let mut files: Vec<_> = folders.flatten().flatten().map(|entry| entry.path()).filter(is_schema).collect();
    files.sort();
    files
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Contents;

    #[test]
    fn a_live_tree_is_known_by_its_version_and_tables() {
        let folder = tempfile::tempdir().unwrap();
        let contents = Contents::MediaWiki;
        let tree = Tree { name: "mw".parse().unwrap(), contents, id: "x".into(), path: folder.path().into(), live: true };
        for path in ["includes", "sql/mysql"] {
            fs::create_dir_all(folder.path().join(path)).unwrap();
        }
        fs::write(folder.path().join("includes/Defines.php"), "<?php\ndefine( 'MW_VERSION', '1.43.1' );\n").unwrap();
        fs::write(folder.path().join("sql/mysql/tables-generated.sql"), "CREATE TABLE a").unwrap();
        assert_eq!(mediawiki_version(&tree).as_deref(), Some("1.43.1"));
        let before = schema_version(&tree).unwrap();
        fs::write(folder.path().join("index.php"), "edited").unwrap();
        assert_eq!(schema_version(&tree).unwrap(), before);
        fs::write(folder.path().join("sql/mysql/tables-generated.sql"), "CREATE TABLE b").unwrap();
        assert_ne!(schema_version(&tree).unwrap(), before);
    }
}
