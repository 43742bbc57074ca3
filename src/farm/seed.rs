//! Which seeds a farm needs, which of them there are, and why the others have to be made.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::inputs;
use super::parts::{self, Parts};
use crate::image::{Image, differences, digest};
use crate::paths::Paths;
use crate::set::{Set, WikiName};
use crate::source::Tree;

/// Changes when the layout of seeds does.
const FORMAT: &[u8] = b"2";
/// The role whose server makes the database files, and so decides their format.
const DATABASE: &str = "mariadb";
/// The database servers of a farm, by the names of their folders in its seed.
const PRIMARY: &str = "primary";
const STORE: &str = "store";
/// What a wiki's seed was made from, in its folder; in a farm's, what each wiki's was.
pub(super) const ABOUT: &str = "about.json";

/// The seed of a whole farm: a database server's files, and the uploads and caches of all wikis.
#[derive(Clone, Debug)]
pub struct SeedPlan {
    pub key: String,
    /// Has a folder for each of the servers (its files) and `shared` (`images`, `cache`) once it is there.
    pub path: PathBuf,
    /// Whether the set has database servers at all.
    pub(super) databases: bool,
    /// Whether the text of revisions is in a database server of its own.
    pub store: bool,
    pub wikis: Vec<WikiSeed>,
}

/// The seed of one wiki, which farms that have the same wiki share.
#[derive(Clone, Debug)]
pub struct WikiSeed {
    pub wiki: WikiName,
    pub key: String,
    pub path: PathBuf,
    pub present: bool,
    /// Why there is something to do for it.
    pub why: String,
    pub(super) parts: Parts,
}

impl SeedPlan {
    /// The database servers that are filled.
    pub(super) fn servers(&self) -> impl Iterator<Item = &'static str> + use<> {
        self.databases.then_some(PRIMARY).into_iter().chain(self.store.then_some(STORE))
    }

    /// Whether there is nothing to do.
    pub fn present(&self) -> bool {
        self.path.is_dir()
    }
}

/// The folder of all seeds.
pub(super) fn folder(paths: &Paths) -> PathBuf {
    paths.cache.join("seeds")
}

/// What is wrong with the databases of a seed for what a plan wants of them, where a set has them already.
pub fn misfits(seed: &Path, plan: &SeedPlan) -> Vec<String> {
    let mut wrong = Vec::new();
    if seed.join(STORE).is_dir() != plan.store {
        let was = if plan.store { "without" } else { "with" };
        wrong.push(format!("they were made {was} a server for the text of pages (dbstore)"));
    }
    let about = fs::read(seed.join(ABOUT)).ok();
    let Some(made) = about.and_then(|about| serde_json::from_slice::<BTreeMap<String, Parts>>(&about).ok()) else { return wrong };
    for WikiSeed { wiki, parts, .. } in &plan.wikis {
        let Some(before) = made.get(wiki.as_str()) else {
            wrong.push(format!("none of them is wiki {wiki}'s"));
            continue;
        };
        let changed = |part: &str| before.get(part).zip(parts.get(part)).filter(|(before, now)| before != now);
        if let Some((before, now)) = changed(parts::DATABASE) {
            wrong.push(format!("wiki {wiki}'s is {before} and not {now}"));
        }
        if changed(parts::MEDIAWIKI).is_some() {
            wrong.push(format!("wiki {wiki}'s was made for another version of MediaWiki"));
        }
    }
    wrong
}

/// The seed a set needs, after a look at its import files; `store` says whether it has a server for the text of revisions.
///
/// # Errors
/// [`crate::failure::Kind::SetFile`] where an import file is missing, empty, or not what its name says.
pub fn desired(set: &Set, store: bool, trees: &[Tree], images: &BTreeMap<String, Image>, paths: &Paths) -> Result<SeedPlan> {
    check(set)?;
    let known = known(&folder(paths).join("wiki"));
    let mut wikis = Vec::new();
    for (name, wiki) in &set.wikis {
        let tree = trees.iter().find(|tree| tree.name == wiki.mediawiki);
        let tree = tree.with_context(|| format!("the source {} was not worked out", wiki.mediawiki))?;
        let parts = parts::of_wiki(set, store, name, wiki, tree, paths)?;
        let key = parts::key(&parts);
        let path = folder(paths).join("wiki").join(&key[..16]);
        let present = path.is_dir();
        let why = if present { "it is there, and the farm is new".to_owned() } else { why(name, &parts, &known) };
        wikis.push(WikiSeed { wiki: name.clone(), key, path, present, why, parts });
    }
    let database = images.get(DATABASE).map_or("", |image| image.hash.as_str());
    let key =
        digest([FORMAT, database.as_bytes(), &[u8::from(store)]].into_iter().chain(wikis.iter().map(|wiki| wiki.key.as_bytes())));
    let path = folder(paths).join("farm").join(&key[..16]);
    let databases = images.contains_key(DATABASE) || !wikis.is_empty();
    Ok(SeedPlan { key, path, databases, store, wikis })
}

/// Looks at all import files of a set, before anything is built or fetched for it.
///
/// # Errors
/// As [`desired`].
pub fn check(set: &Set) -> Result<()> {
    let mut files = set.wikis.iter().flat_map(|(name, wiki)| wiki.import.iter().map(move |path| (name, path)));
    files.try_for_each(|(name, path)| inputs::check(set, name, path))
}

/// What the wiki seeds there are were made from.
fn known(folder: &Path) -> Vec<Parts> {
    let about = |entry: fs::DirEntry| serde_json::from_slice(&fs::read(entry.path().join(ABOUT)).ok()?).ok();
    fs::read_dir(folder).map(|entries| entries.flatten().filter_map(about).collect()).unwrap_or_default()
}

/// What is different from the most similar seed of that wiki.
fn why(wiki: &WikiName, parts: &Parts, known: &[Parts]) -> String {
    let of_wiki = known.iter().filter(|other| other.get("its directory").map(String::as_str) == Some(wiki.as_str()));
    let closest = of_wiki.map(|other| differences(other, parts)).min_by_key(Vec::len);
    closest.map_or_else(|| "never made".to_owned(), |all| all.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::set::{Archive, SourceName};

    struct Sandbox {
        folder: tempfile::TempDir,
    }

    impl Sandbox {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            fs::write(folder.path().join("el.xml"), "<mediawiki>1").unwrap();
            Self { folder }
        }

        fn plan(&self, text: &str) -> Result<SeedPlan> {
            let at = |path: &str| self.folder.path().join(path);
            let paths = Paths { config: at("config"), data: at("data"), cache: at("cache"), locks: at("locks") };
            fs::write(at("demo.yaml"), text).unwrap();
            let set = crate::set::parse(&"demo".parse().unwrap(), Some(&at("demo.yaml")), text).unwrap();
            let name: SourceName = "mediawiki".parse().unwrap();
            let contents = crate::source::Contents::MediaWiki;
            let tree = crate::source::desired(&name, contents, &set.sources[&name], &Archive::default(), &paths);
            desired(&set, text.contains("dbstore"), &[tree], &BTreeMap::new(), &paths)
        }

        /// As if the plan's wikis had been seeded.
        fn seeded(&self, plan: &SeedPlan) {
            for wiki in &plan.wikis {
                fs::create_dir_all(&wiki.path).unwrap();
                fs::write(wiki.path.join(ABOUT), serde_json::to_vec(&wiki.parts).unwrap()).unwrap();
            }
        }
    }

    #[test]
    fn a_changed_import_is_work_for_that_wiki_alone() {
        let sandbox = Sandbox::new();
        let text = "wikis:\n  a: {}\n  el: {import: el.xml}\n";
        let before = sandbox.plan(text).unwrap();
        assert!(before.wikis.iter().all(|wiki| wiki.why == "never made" && !wiki.present));
        sandbox.seeded(&before);
        fs::write(sandbox.folder.path().join("el.xml"), "<mediawiki>2").unwrap();
        let after = sandbox.plan(text).unwrap();
        assert_ne!(before.key, after.key);
        assert!(after.wikis[0].present);
        assert_eq!((after.wikis[1].present, after.wikis[1].why.as_str()), (false, "import file el.xml changed"));
    }

    #[test]
    fn text_in_a_store_makes_another_seed() {
        let sandbox = Sandbox::new();
        let before = sandbox.plan("wikis:\n  a: {}\n").unwrap();
        sandbox.seeded(&before);
        let after = sandbox.plan("wikis:\n  a: {}\nmembers:\n  dbstore: {}\n").unwrap();
        assert_ne!(before.key, after.key);
        assert_eq!(after.wikis[0].why, "where its text is changed");
        assert_eq!(after.servers().collect::<Vec<_>>(), ["primary", "store"]);
    }

    #[test]
    fn what_is_refused_names_file_and_line() {
        let sandbox = Sandbox::new();
        let error = sandbox.plan("wikis:\n  el:\n    import: gone.xml\n").unwrap_err();
        assert_eq!(crate::failure::kind(&error), crate::failure::Kind::SetFile);
        let text = error.to_string();
        assert!(text.contains("demo.yaml:3: wikis.el.import: ") && text.ends_with("gone.xml: there is no such file"), "{text}");
    }
}
