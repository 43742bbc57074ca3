//! What `podfarm init` writes is held against the schema: it explains every key, and its examples are good ones.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::path::Path;

use serde::de::DeserializeOwned;
use serde_yaml::Value;

use super::yaml::{ArchiveFile, DumpsFile, ExtraFile, SetFile, SourceFile, WikiFile};
use super::{Set, parse};
use crate::paths::Paths;
use crate::resolve::roles_of;
use crate::role::Roles;

const TEMPLATE: &str = include_str!("../../templates/set.yaml");

/// The template with its examples in force: in an explanation one space follows the #, in an example none, or more.
fn uncommented() -> String {
    let line = |line: &str| match line.split_once('#') {
        Some((before, rest)) if before.trim().is_empty() && (!rest.starts_with(' ') || rest.starts_with("  ")) => {
            format!("{before}{rest}\n")
        }
        _ => format!("{line}\n"),
    };
    TEMPLATE.lines().map(line).collect()
}

fn read(text: &str) -> Set {
    parse(&"mine".parse().unwrap(), Some(Path::new("/sets/mine.yaml")), text).unwrap_or_else(|error| panic!("{error:#}"))
}

/// The keys of one of the file's maps: serde lists them when it is given another.
fn keys_of<T: DeserializeOwned + Debug>() -> BTreeSet<String> {
    let error = serde_yaml::from_str::<T>("'?': 0").unwrap_err().to_string();
    let (_, known) = error.split_once("expected ").unwrap_or_else(|| panic!("{error}"));
    known.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// The keys that some maps of the template have, all taken together.
fn written<'a>(maps: impl IntoIterator<Item = &'a Value>) -> BTreeSet<String> {
    let keys = maps.into_iter().flat_map(|map| map.as_mapping().expect("a map").keys());
    keys.map(|key| key.as_str().expect("a name").to_owned()).collect()
}

#[test]
fn it_is_a_small_set() {
    let set = read(TEMPLATE);
    assert_eq!((set.wikis.len(), set.members.len(), set.sources.len()), (1, 0, 1));
}

#[test]
fn its_examples_are_good_together() {
    let paths = Paths { config: "/nowhere".into(), data: "/".into(), cache: "/".into(), locks: "/".into() };
    roles_of(&read(&uncommented()), &Roles::load(&paths).unwrap()).unwrap_or_else(|error| panic!("{error:#}"));
}

#[test]
fn it_has_every_key() {
    let file: Value = serde_yaml::from_str(&uncommented()).unwrap();
    let all = |key: &str| file[key].as_mapping().expect("a map").values();
    assert_eq!(written([&file]), keys_of::<SetFile>());
    assert_eq!(written([&file["archive"]]), keys_of::<ArchiveFile>());
    assert_eq!(written(file["archive"]["extra"].as_sequence().expect("a list")), keys_of::<ExtraFile>());
    assert_eq!(written(all("sources")), keys_of::<SourceFile>());
    assert_eq!(written([&file["dumps"]]), keys_of::<DumpsFile>());
    assert_eq!(written(all("wikis")), keys_of::<WikiFile>());
}

#[test]
fn it_has_every_member_and_their_keys() {
    let file: Value = serde_yaml::from_str(&uncommented()).unwrap();
    let paths = Paths { config: "/nowhere".into(), data: "/".into(), cache: "/".into(), locks: "/".into() };
    let mut keys = BTreeSet::from(["count".to_owned(), "role".to_owned()]);
    for (name, kind) in Roles::load(&paths).unwrap().roles.values().flat_map(|role| &role.kinds) {
        let shown = file["members"].get(name.as_str()).is_some() || kind.default && TEMPLATE.contains(&format!("({name})"));
        assert!(shown, "{name}");
        keys.extend(kind.options.keys().cloned());
    }
    assert_eq!(written(file["members"].as_mapping().expect("a map").values()), keys);
}
