//! The farm's configuration: PHP files that all wikis share, and the data they read.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use askama::Template;
use serde_json::json;

use super::dumps;
use crate::builtin;
use crate::desired::{Desired, Member, PublishedPort};
use crate::set::{self, Set, Wiki};

/// Where members see the MediaWiki trees and the uploads.
const TREES: &str = "/srv/mediawiki";
const IMAGES: &str = "/srv/images";
/// What is a farm's data, in its folder.
const DATA: &str = "farm.json";

/// What is in a place of the farm's folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rendered {
    File(Vec<u8>),
    Link(PathBuf),
}

/// The hosts that the farm's configuration names.
#[derive(Clone, Debug, Default)]
pub struct Hosts {
    /// The set's name.
    pub set: String,
    /// Where the wikis are, for command lines: `http://<host>`.
    pub server: String,
    pub primary: String,
    pub replicas: Vec<String>,
    /// Those that have the text of revisions; if there are none, the primary has it.
    pub stores: Vec<String>,
    /// Where the dumps are published: `http://<host>:<port>`.
    pub dumps_web: String,
    /// What the page at / shows of each member, and dumps ask of the set.
    pub members: Vec<serde_json::Value>,
}

impl Hosts {
    /// Those of a set.
    pub fn of(desired: &Desired) -> Self {
        let providers = |service: &str| {
            let service = service.to_owned();
            desired.members.iter().filter(move |member| member.provides.contains(&service))
        };
        Self {
            set: desired.set.to_string(),
            server: providers("web")
                .next()
                .map_or_else(|| "http://localhost".to_owned(), |web| format!("http://{}", web.full_name)),
            primary: providers("db-primary").next().map(|primary| primary.host.clone()).unwrap_or_default(),
            replicas: providers("db-replica").map(|replica| replica.host.clone()).collect(),
            stores: providers("db-store").map(|store| store.host.clone()).collect(),
            dumps_web: providers("dumps-web").next().and_then(web_address).unwrap_or_else(|| "http://localhost".to_owned()),
            members: desired.members.iter().map(member_data).collect(),
        }
    }

    /// Those of seeding, which are no set's, so that any set can use the seed.
    pub fn of_seeding(store: bool) -> Self {
        Self {
            set: "seed".to_owned(),
            server: "http://localhost".to_owned(),
            primary: "primary".to_owned(),
            replicas: Vec::new(),
            stores: store.then(|| "store".to_owned()).into_iter().collect(),
            dumps_web: "http://localhost".to_owned(),
            members: Vec::new(),
        }
    }
}

fn web_address(member: &Member) -> Option<String> {
    let port = member.ports.iter().find(|port| port.name == "http")?;
    Some(format!("http://{}:{}", member.full_name, port.port))
}

fn member_data(member: &Member) -> serde_json::Value {
    let port = |port: &PublishedPort| json!({"name": port.name, "port": port.port, "published": port.published});
    let ports: Vec<_> = member.ports.iter().map(port).collect();
    json!({
        "name": member.name, "role": member.role, "host": member.host, "full_name": member.full_name,
        "address": member.address, "published": member.published, "ports": ports, "provides": member.provides,
    })
}

#[derive(Template)]
#[template(path = "farm/db_mapping.php", escape = "none")]
struct Mapping<'a> {
    wikis: Vec<MappedWiki<'a>>,
}

struct MappedWiki<'a> {
    name: &'a str,
    db: &'a str,
}

/// The files of a set's farm folder by their paths in it. No I/O.
///
/// # Errors
/// Where a template cannot be filled in.
pub fn render(set: &Set, desired: &Desired) -> Result<BTreeMap<PathBuf, Rendered>> {
    let hosts = Hosts::of(desired);
    let mut files = render_for(set, &hosts)?;
    files.extend(dumps::render(set, &hosts)?);
    Ok(files)
}

/// As [`render`], for hosts that are no set's.
///
/// # Errors
/// As [`render`].
pub fn render_for(set: &Set, hosts: &Hosts) -> Result<BTreeMap<PathBuf, Rendered>> {
    let mut files = built_in();
    let wikis = set.wikis.iter().map(|(name, wiki)| MappedWiki { name: name.as_str(), db: wiki.db.as_str() }).collect();
    files.insert("db_mapping.php".into(), Rendered::File(Mapping { wikis }.render()?.into_bytes()));
    files.insert(DATA.into(), Rendered::File(data(set, hosts)?));
    for (name, wiki) in &set.wikis {
        let folder = Path::new("htdocs").join(name.as_str());
        files.insert(folder.join("mw"), Rendered::Link(Path::new(TREES).join(wiki.mediawiki.as_str())));
        // The files of a private wiki are shown by MediaWiki alone, to those who may see them.
        if !wiki.private {
            files.insert(folder.join("images"), Rendered::Link(Path::new(IMAGES).join(name.as_str())));
        }
    }
    Ok(files)
}

fn built_in() -> BTreeMap<PathBuf, Rendered> {
    builtin::files(&builtin::FARM).into_iter().map(|(path, bytes)| (path, Rendered::File(bytes.to_vec()))).collect()
}

/// What templates/farm/farm.php documents.
fn data(set: &Set, hosts: &Hosts) -> Result<Vec<u8>> {
    let wikis: serde_json::Map<_, _> = set.wikis.values().map(|wiki| (wiki.db.to_string(), wiki_data(wiki))).collect();
    let data = json!({
        "set": hosts.set,
        "server": hosts.server,
        "commons": set::commons(&set.wikis).map(|(_, commons)| commons.db.as_str()),
        "databases": {"primary": hosts.primary, "replicas": hosts.replicas, "stores": hosts.stores},
        "wikis": wikis,
        "description": set.description,
        "members": hosts.members,
    });
    let mut text = serde_json::to_vec_pretty(&data)?;
    text.push(b'\n');
    Ok(text)
}

fn wiki_data(wiki: &Wiki) -> serde_json::Value {
    let mut data = json!({"source": wiki.mediawiki, "lang": wiki.lang, "sitename": wiki.title, "private": wiki.private});
    if let Some(pages) = wiki.pages {
        data["pages"] = json!(pages);
    }
    data
}

/// The databases of which a farm's folder, as it was written last, says something else than the set does now: whether there is
/// such a wiki, and whether it is private. None, where nothing was written.
#[must_use]
pub fn outdated(folder: &Path, set: &Set) -> BTreeSet<String> {
    let data = fs::read(folder.join(DATA)).ok().and_then(|text| serde_json::from_slice::<serde_json::Value>(&text).ok());
    let Some(wikis) = data.as_ref().and_then(|data| data["wikis"].as_object()) else { return BTreeSet::new() };
    let written: BTreeSet<_> = wikis.iter().map(|(db, wiki)| (db.as_str(), wiki["private"] == true)).collect();
    let now = set.wikis.values().map(|wiki| (wiki.db.as_str(), wiki.private)).collect();
    written.symmetric_difference(&now).map(|(db, _)| (*db).to_owned()).collect()
}

/// Makes a folder hold exactly these files: writes what is different, each file at once, and removes what is not among them.
/// Members have the folder itself mounted, so it stays the same folder.
///
/// # Errors
/// Where something cannot be written or removed.
pub fn write(folder: &Path, files: &BTreeMap<PathBuf, Rendered>) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("{}: cannot be made", folder.display()))?;
    remove_others(folder, files)?;
    for (path, rendered) in files {
        let path = folder.join(path);
        if !is_so(&path, rendered) {
            replace(&path, rendered).with_context(|| format!("{}: cannot be written", path.display()))?;
        }
    }
    Ok(())
}

fn is_so(path: &Path, rendered: &Rendered) -> bool {
    match rendered {
        Rendered::File(bytes) => {
            let plain = fs::symlink_metadata(path).is_ok_and(|about| about.is_file() && about.len() == bytes.len() as u64);
            plain && fs::read(path).is_ok_and(|there| there == *bytes)
        }
        Rendered::Link(target) => fs::read_link(path).is_ok_and(|there| there == *target),
    }
}

fn replace(path: &Path, rendered: &Rendered) -> std::io::Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let part = path.with_file_name(format!(".{name}.part"));
    match fs::remove_file(&part) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    match rendered {
        Rendered::File(bytes) => fs::write(&part, bytes)?,
        Rendered::Link(target) => symlink(target, &part)?,
    }
    fs::rename(&part, path)
}

fn remove_others(folder: &Path, files: &BTreeMap<PathBuf, Rendered>) -> Result<()> {
    let walk = walkdir::WalkDir::new(folder).min_depth(1).contents_first(true);
    for entry in walk {
        let entry = entry?;
        let path = entry.path().strip_prefix(folder)?;
        let is_folder = entry.file_type().is_dir();
        let wanted =
            if is_folder { files.keys().any(|file| file != path && file.starts_with(path)) } else { files.contains_key(path) };
        if !wanted {
            let removed = if is_folder { fs::remove_dir(entry.path()) } else { fs::remove_file(entry.path()) };
            removed.with_context(|| format!("{}: cannot be removed", entry.path().display()))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(text: &str) -> Set {
        set::parse(&"demo".parse().unwrap(), None, text).unwrap()
    }

    fn text(files: &BTreeMap<PathBuf, Rendered>, path: &str) -> String {
        match &files[Path::new(path)] {
            Rendered::File(bytes) => String::from_utf8(bytes.clone()).unwrap(),
            Rendered::Link(target) => target.display().to_string(),
        }
    }

    #[test]
    fn a_farm_maps_directories_to_databases_and_trees() {
        let set = set(
            "sources:\n  old: {deb: mediawiki}\nwikis:\n  el-voy: {db: elwikivoyage, lang: el, mediawiki: old}\n  files: {commons: true, private: true}\n",
        );
        let files = render_for(&set, &Hosts { primary: "demo-dbprimary".into(), ..Hosts::of_seeding(false) }).unwrap();
        assert!(text(&files, "db_mapping.php").contains("'el-voy' => 'elwikivoyage',"), "{}", text(&files, "db_mapping.php"));
        assert_eq!(text(&files, "htdocs/el-voy/mw"), "/srv/mediawiki/old");
        assert_eq!(text(&files, "htdocs/el-voy/images"), "/srv/images/el-voy");
        assert!(!files.contains_key(Path::new("htdocs/files/images")), "a private wiki's files are not served");
        let data: serde_json::Value = serde_json::from_str(&text(&files, "farm.json")).unwrap();
        assert_eq!(data["wikis"]["elwikivoyage"], json!({"source": "old", "lang": "el", "sitename": null, "private": false}));
        assert_eq!(data["commons"], "files");
        assert_eq!(data["databases"]["primary"], "demo-dbprimary");
    }

    #[test]
    fn wikis_that_are_others_than_when_the_folder_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let written = set("wikis:\n  same: {private: true}\n  shut: {db: shutwiki}\n  gone: {}\n");
        assert!(outdated(folder.path(), &written).is_empty(), "nothing was written");
        write(folder.path(), &render_for(&written, &Hosts::of_seeding(false)).unwrap()).unwrap();
        assert!(outdated(folder.path(), &written).is_empty());
        let now = set("wikis:\n  same: {private: true, title: Title}\n  shut: {db: shutwiki, private: true}\n  new: {}\n");
        assert_eq!(Vec::from_iter(outdated(folder.path(), &now)), ["gone", "new", "shutwiki"]);
    }

    #[test]
    fn writing_touches_only_what_is_different() {
        let folder = tempfile::tempdir().unwrap();
        let at = |path: &str| folder.path().join(path);
        let file = |text: &str| Rendered::File(text.into());
        let mut files = BTreeMap::from([
            ("same".into(), file("1")),
            ("a/changed".into(), file("1")),
            ("b/gone".into(), file("1")),
            ("link".into(), Rendered::Link("/x".into())),
        ]);
        write(folder.path(), &files).unwrap();
        let before = fs::metadata(at("same")).unwrap().modified().unwrap();
        files.insert("a/changed".into(), file("2"));
        files.insert("link".into(), Rendered::Link("/y".into()));
        files.remove(Path::new("b/gone"));
        write(folder.path(), &files).unwrap();
        assert_eq!(fs::read_to_string(at("a/changed")).unwrap(), "2");
        assert_eq!(fs::read_link(at("link")).unwrap(), Path::new("/y"));
        assert!(!at("b").exists());
        assert_eq!(fs::metadata(at("same")).unwrap().modified().unwrap(), before);
    }
}
