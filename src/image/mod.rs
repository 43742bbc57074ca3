//! Images: which ones a set needs, what goes into each, and why one has to be built.
//!
//! An image's tag is the hash of everything that goes into it. Present means there is nothing to do; the
//! parts that were hashed are kept in a label, so that the next image of the role can say what is different.

mod base;
mod build;
mod extra;
mod hash;
mod oci;
mod order;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::Result;

use crate::failure::{Failure, Kind};
use crate::podman::observe;
use crate::role::Roles;
use crate::set::Archive;

pub use base::architecture;
pub use build::{build_all, commands};
pub use extra::files as extra_files;
pub use hash::{digest, hex};

/// The image that holds Debian and nothing else; also the folder of the files that all role images share.
pub const BASE: &str = "base";

/// Where all of podfarm's images are named.
pub const REPOSITORY: &str = "localhost/podfarm/";
/// The image's name, its full hash, and the hashes of its parts as JSON.
const LABEL_NAME: &str = "podfarm.image";
const LABEL_HASH: &str = "podfarm.hash";
const LABEL_PARTS: &str = "podfarm.parts";

/// An image as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// The folder under containerfiles/; [`BASE`] for Debian itself.
    pub name: String,
    /// `localhost/podfarm/<name>:<the first 16 digits of the hash>`.
    pub tag: String,
    /// SHA-256 over all parts.
    pub hash: String,
    /// The name of the image it is built on.
    pub parent: Option<String>,
    /// What goes in: a phrase for people, and its hash.
    pub parts: BTreeMap<String, String>,
    /// Where its Debian comes from.
    pub origin: Origin,
}

/// Where the Debian of all images of a set comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    pub archive: Archive,
    /// An image of a registry, by digest, instead of one bootstrapped from the archive.
    pub registry: Option<String>,
}

impl Image {
    fn new(name: &str, parent: Option<String>, parts: BTreeMap<String, String>, origin: Origin) -> Self {
        let hash = digest(parts.iter().flat_map(|(part, hash)| [part.as_bytes(), hash.as_bytes()]));
        Self { name: name.to_owned(), tag: format!("{REPOSITORY}{name}:{}", &hash[..16]), hash, parent, parts, origin }
    }

    fn labels(&self) -> Vec<(String, String)> {
        let parts = serde_json::to_string(&self.parts).expect("a map of strings is JSON");
        vec![
            (LABEL_NAME.to_owned(), self.name.clone()),
            (LABEL_HASH.to_owned(), self.hash.clone()),
            (LABEL_PARTS.to_owned(), parts),
        ]
    }
}

/// The images that these roles need, with those they are built on, by name. No I/O.
///
/// # Errors
/// [`Kind::SetFile`] where a Containerfile is built on a folder that is not there, or on itself.
pub fn desired(
    roles: &Roles,
    wanted: &BTreeSet<String>,
    archive: &Archive,
    base: Option<&str>,
) -> Result<BTreeMap<String, Image>> {
    let origin = Origin { archive: archive.clone(), registry: base.map(str::to_owned) };
    let mut images = BTreeMap::from([(BASE.to_owned(), Image::new(BASE, None, base::parts(&origin), origin))]);
    for name in wanted {
        add(name, roles, &mut images, &mut Vec::new())?;
    }
    Ok(images)
}

fn add(name: &str, roles: &Roles, images: &mut BTreeMap<String, Image>, below: &mut Vec<String>) -> Result<()> {
    if images.contains_key(name) {
        return Ok(());
    }
    if below.iter().any(|child| child == name) {
        return Err(Failure::new(Kind::SetFile, format!("containerfiles/{name}: this image is built on itself")).into());
    }
    below.push(name.to_owned());
    let parent = parent(name, roles)?;
    add(&parent, roles, images, below)?;
    let parts = hash::parts(name, roles, &images[&parent]);
    let origin = images[&parent].origin.clone();
    images.insert(name.to_owned(), Image::new(name, Some(parent), parts, origin));
    Ok(())
}

/// What the first line of a Containerfile says its image is built on, `# base: NAME`; Debian where it says nothing.
fn parent(name: &str, roles: &Roles) -> Result<String> {
    let containerfile = roles.folders.get(name).and_then(|files| files.get(Path::new("Containerfile")));
    let Some(containerfile) = containerfile else {
        return Err(Failure::new(Kind::SetFile, format!("there is no containerfiles/{name}/Containerfile"))
            .hint("a role is a folder with a Containerfile and a role.yaml; docs/roles.md")
            .into());
    };
    let text = String::from_utf8_lossy(&containerfile.bytes);
    let first = text.lines().next().unwrap_or_default();
    Ok(first.strip_prefix("# base:").map_or(BASE, str::trim).to_owned())
}

/// The images that do not exist, parents first.
pub fn missing<'a>(images: &'a BTreeMap<String, Image>, existing: &[observe::Image]) -> Vec<&'a Image> {
    let exists = |image: &Image| existing.iter().any(|other| other.names.contains(&image.tag));
    let mut missing: Vec<_> = images.values().filter(|image| !exists(image)).collect();
    missing.sort_by_key(|image| (depth(image, images), &image.name));
    missing
}

fn depth(image: &Image, images: &BTreeMap<String, Image>) -> usize {
    image.parent.as_ref().and_then(|parent| images.get(parent)).map_or(0, |parent| 1 + depth(parent, images))
}

/// Why an image that is missing has to be built: what is different from the most similar one of its name.
pub fn reason(image: &Image, existing: &[observe::Image]) -> String {
    let mut similar: Vec<Vec<String>> = existing
        .iter()
        .filter(|other| other.labels.get(LABEL_NAME) == Some(&image.name))
        .filter_map(|other| serde_json::from_str::<BTreeMap<String, String>>(other.labels.get(LABEL_PARTS)?).ok())
        .map(|parts| differences(&parts, &image.parts))
        .collect();
    similar.sort_by_key(Vec::len);
    match similar.first().map(Vec::as_slice) {
        None => "never built".to_owned(),
        Some([]) => "its tag is gone".to_owned(),
        Some(all) if all.len() > 3 => format!("{}, and {} more", all[..3].join(", "), all.len() - 3),
        Some(all) => all.join(", "),
    }
}

/// How one list of parts is different from an older one, in words.
pub(crate) fn differences(old: &BTreeMap<String, String>, new: &BTreeMap<String, String>) -> Vec<String> {
    let changed = new.iter().filter_map(|(part, hash)| match old.get(part) {
        None => Some(format!("{part} is new")),
        Some(other) if other != hash => Some(format!("{part} changed")),
        Some(_) => None,
    });
    let gone = old.keys().filter(|part| !new.contains_key(*part)).map(|part| format!("{part} is gone"));
    changed.chain(gone).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::role::{BuildContext, ContextFile};

    fn folder(files: &[(&str, &str)]) -> BuildContext {
        let file = |text: &str| ContextFile { bytes: text.as_bytes().to_vec(), executable: text.starts_with("#!") };
        files.iter().map(|(path, text)| ((*path).into(), file(text))).collect()
    }

    fn roles(php_ini: &str) -> Roles {
        let folders = [
            ("base", folder(&[("entrypoint", "#!/bin/sh\n")])),
            ("php-cli", folder(&[("Containerfile", "ARG BASE\nFROM ${BASE}\n"), ("php.ini", php_ini), ("role.yaml", "x: 1")])),
            ("php-fpm", folder(&[("Containerfile", "# base: php-cli\nARG BASE\nFROM ${BASE}\n")])),
            ("mariadb", folder(&[("Containerfile", "ARG BASE\nFROM ${BASE}\n")])),
        ];
        let folders = folders.into_iter().map(|(name, files)| (name.to_owned(), files)).collect();
        Roles { folders, ..Roles::default() }
    }

    fn wanted() -> BTreeSet<String> {
        BTreeSet::from(["php-fpm".to_owned(), "mariadb".to_owned()])
    }

    fn exist(images: &BTreeMap<String, Image>) -> Vec<observe::Image> {
        let json = |image: &Image| {
            let labels: BTreeMap<_, _> = image.labels().into_iter().collect();
            serde_json::from_value(serde_json::json!({"Id": "x", "Names": [image.tag], "Labels": labels})).unwrap()
        };
        images.values().map(json).collect()
    }

    #[test]
    fn the_wanted_bring_what_they_are_built_on() {
        let images = desired(&roles("a"), &wanted(), &Archive::default(), None).unwrap();
        assert_eq!(images.keys().collect::<Vec<_>>(), ["base", "mariadb", "php-cli", "php-fpm"]);
        let order: Vec<_> = missing(&images, &[]).iter().map(|image| image.name.as_str()).collect();
        assert_eq!(order, ["base", "mariadb", "php-cli", "php-fpm"]);
        assert!(missing(&images, &exist(&images)).is_empty());
    }

    #[test]
    fn one_changed_byte_rebuilds_that_image_and_those_built_on_it() {
        let before = exist(&desired(&roles("a"), &wanted(), &Archive::default(), None).unwrap());
        let after = desired(&roles("b"), &wanted(), &Archive::default(), None).unwrap();
        let missing: Vec<_> =
            missing(&after, &before).into_iter().map(|image| (image.name.as_str(), reason(image, &before))).collect();
        let expected = [
            ("php-cli", "containerfiles/php-cli/php.ini changed".to_owned()),
            ("php-fpm", "its base image php-cli changed".to_owned()),
        ];
        assert_eq!(missing, expected);
    }

    #[test]
    fn another_pin_rebuilds_all() {
        let before = exist(&desired(&roles("a"), &wanted(), &Archive::default(), None).unwrap());
        let pinned = Archive { snapshot: Some("20261101T000000Z".to_owned()), ..Archive::default() };
        let after = desired(&roles("a"), &wanted(), &pinned, None).unwrap();
        assert_eq!(missing(&after, &before).len(), 4);
        assert_eq!(reason(&after["base"], &before), "the archive's snapshot is new");
        assert_eq!(reason(&after["base"], &[]), "never built");
    }

    #[test]
    fn a_role_yaml_is_no_part_of_an_image() {
        let mut changed = roles("a");
        changed.folders.get_mut("php-cli").unwrap().insert("role.yaml".into(), ContextFile { bytes: vec![], executable: false });
        let images = |roles: &Roles| desired(roles, &wanted(), &Archive::default(), None).unwrap();
        assert_eq!(images(&roles("a")), images(&changed));
    }

    #[test]
    fn an_image_on_itself_or_on_nothing_is_refused() {
        let mut circle = roles("a");
        circle.folders.insert("php-cli".to_owned(), folder(&[("Containerfile", "# base: php-fpm\n")]));
        let error = desired(&circle, &wanted(), &Archive::default(), None).unwrap_err().to_string();
        assert!(error.contains("built on itself"), "{error}");
        circle.folders.remove("php-cli");
        let error = desired(&circle, &wanted(), &Archive::default(), None).unwrap_err().to_string();
        assert!(error.contains("there is no containerfiles/php-cli/Containerfile"), "{error}");
    }
}
