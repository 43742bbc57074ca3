//! The set file as it is written: the shapes serde reads, before they are checked.

use std::collections::BTreeMap;
use std::fmt;
use std::hash::Hash;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, SeqAccess, Visitor};

use super::{DatabaseName, MemberName, SourceName, WikiName};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SetFile {
    #[serde(default)]
    pub description: String,
    #[serde(default)]
    pub archive: ArchiveFile,
    #[serde(default)]
    pub base: Option<String>,
    #[serde(default)]
    pub sources: UniqueMap<SourceName, SourceFile>,
    #[serde(default)]
    pub dumps: Option<DumpsFile>,
    #[serde(default)]
    pub wikis: UniqueMap<WikiName, Option<WikiFile>>,
    #[serde(default)]
    pub members: UniqueMap<MemberName, Option<MemberFile>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ArchiveFile {
    pub suite: Option<String>,
    pub snapshot: Option<String>,
    pub mirror: Option<String>,
    pub extra: Vec<ExtraFile>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ExtraFile {
    pub uri: String,
    pub suite: String,
    #[serde(default)]
    pub components: OneOrMany,
    pub key: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SourceFile {
    pub deb: Option<String>,
    pub suite: Option<String>,
    pub git: Option<String>,
    pub commit: Option<String>,
    pub path: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DumpsFile {
    pub source: SourceOf,
}

/// A source by its name, or one that is written where it is used.
#[derive(Clone, Debug)]
pub(super) enum SourceOf {
    Name(String),
    Own(SourceFile),
}

impl<'de> Deserialize<'de> for SourceOf {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct SourceVisitor;
        impl<'de> Visitor<'de> for SourceVisitor {
            type Value = SourceOf;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a source, a folder, or {git: URL, commit: COMMIT}")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<SourceOf, E> {
                let path = SourceFile { path: Some(text.to_owned()), deb: None, suite: None, git: None, commit: None };
                Ok(if text.contains('/') { SourceOf::Own(path) } else { SourceOf::Name(text.to_owned()) })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<SourceOf, A::Error> {
                SourceFile::deserialize(de::value::MapAccessDeserializer::new(map)).map(SourceOf::Own)
            }
        }
        deserializer.deserialize_any(SourceVisitor)
    }
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct WikiFile {
    pub db: Option<DatabaseName>,
    pub lang: Option<String>,
    pub title: Option<String>,
    pub mediawiki: Option<SourceName>,
    pub import: OneOrMany,
    pub commons: Option<bool>,
    pub private: bool,
    pub pages: Option<u32>,
}

/// A member's keys: `role`, `count`, and whatever options its role knows.
pub(super) type MemberFile = UniqueMap<String, Scalar>;

/// A string, number or boolean, as text.
#[derive(Clone, Debug)]
pub(super) struct Scalar(pub String);

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ScalarVisitor;
        impl Visitor<'_> for ScalarVisitor {
            type Value = Scalar;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string, a number, or true or false")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Scalar, E> {
                Ok(Scalar(text.to_owned()))
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Scalar, E> {
                Ok(Scalar(number.to_string()))
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Scalar, E> {
                Ok(Scalar(number.to_string()))
            }

            fn visit_bool<E: de::Error>(self, yes: bool) -> Result<Scalar, E> {
                Ok(Scalar(yes.to_string()))
            }
        }
        deserializer.deserialize_any(ScalarVisitor)
    }
}

/// One string, or a list of them.
#[derive(Clone, Debug, Default)]
pub(super) struct OneOrMany(pub Vec<String>);

impl<'de> Deserialize<'de> for OneOrMany {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrManyVisitor;
        impl<'de> Visitor<'de> for OneOrManyVisitor {
            type Value = OneOrMany;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a path, or a list of paths")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<OneOrMany, E> {
                Ok(OneOrMany(vec![text.to_owned()]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<OneOrMany, A::Error> {
                let mut paths = Vec::new();
                while let Some(path) = list.next_element()? {
                    paths.push(path);
                }
                Ok(OneOrMany(paths))
            }
        }
        deserializer.deserialize_any(OneOrManyVisitor)
    }
}

/// A map in which a key that comes twice is an error: serde's own maps would keep the last one silently.
#[derive(Clone, Debug)]
pub(super) struct UniqueMap<K, V>(pub BTreeMap<K, V>);

impl<K, V> Default for UniqueMap<K, V> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<'de, K, V> Deserialize<'de> for UniqueMap<K, V>
where
    K: Deserialize<'de> + Ord + Hash + fmt::Display,
    V: Deserialize<'de>,
{
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MapVisitor<K, V>(PhantomData<(K, V)>);
        impl<'de, K, V> Visitor<'de> for MapVisitor<K, V>
        where
            K: Deserialize<'de> + Ord + Hash + fmt::Display,
            V: Deserialize<'de>,
        {
            type Value = UniqueMap<K, V>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map of names")
            }

            fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
                Ok(UniqueMap::default())
            }

            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
                let mut map = BTreeMap::new();
                while let Some(key) = entries.next_key::<K>()? {
                    if map.contains_key(&key) {
                        return Err(de::Error::custom(format!("{key} is there twice")));
                    }
                    map.insert(key, entries.next_value()?);
                }
                Ok(UniqueMap(map))
            }
        }
        deserializer.deserialize_any(MapVisitor(PhantomData))
    }
}
