//! The user's own settings: `~/.config/podfarm/config.yaml`, which need not be there. docs/config.md lists every key.

use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Deserializer, de};

use crate::addresses::{Addresses, Range};
use crate::failure::{Failure, Kind};
use crate::paths::Paths;
use crate::set::line_of;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Config {
    pub addresses: Addresses,
}

/// The file as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ConfigFile {
    addresses: Option<AddressesFile>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct AddressesFile {
    #[serde(deserialize_with = "range")]
    inside: Option<Range>,
    #[serde(deserialize_with = "range")]
    published: Option<Range>,
}

fn range<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Range>, D::Error> {
    String::deserialize(deserializer)?.parse().map(Some).map_err(de::Error::custom)
}

/// Where the settings are.
pub fn file(paths: &Paths) -> std::path::PathBuf {
    paths.config.join("config.yaml")
}

/// Reads the user's settings.
///
/// # Errors
/// [`Kind::SetFile`], naming file, line, what is wrong and what would be right.
pub fn load(paths: &Paths) -> Result<Config> {
    let file = file(paths);
    match std::fs::read_to_string(&file) {
        Ok(text) => parse(&file, &text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Config::default()),
        Err(error) => Err(error).with_context(|| format!("{}: cannot be read", file.display())),
    }
}

fn parse(file: &Path, text: &str) -> Result<Config> {
    // A file with nothing but comments in it is no mapping.
    let written: Option<ConfigFile> = serde_yaml::from_str(text).map_err(|error| {
        let place = error.location().map_or_else(String::new, |at| format!("{}:{}: ", at.line(), at.column()));
        let message = error.to_string();
        let message = message.split(" at line ").next().unwrap_or(&message);
        Failure::new(Kind::SetFile, format!("{}:{place}{message}", file.display())).hint("docs/config.md lists every key")
    })?;
    let addresses = written.unwrap_or_default().addresses.unwrap_or_default();
    let usual = Addresses::default();
    let addresses =
        Addresses { inside: addresses.inside.unwrap_or(usual.inside), published: addresses.published.unwrap_or(usual.published) };
    addresses.check().map_err(|(key, what, right)| {
        let line = line_of(text, &["addresses", key]).map_or_else(String::new, |line| format!("{line}:"));
        Failure::new(Kind::SetFile, format!("{}:{line} addresses.{key}: {what}", file.display())).hint(right)
    })?;
    Ok(Config { addresses })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        parse(Path::new("/c.yaml"), text).unwrap_err().to_string()
    }

    #[test]
    fn what_is_not_written_is_as_usual() {
        for text in ["", "# nothing\n", "addresses:\n", "addresses: {}\n"] {
            assert_eq!(parse(Path::new("/c.yaml"), text).unwrap(), Config::default(), "{text:?}");
        }
        let config = parse(Path::new("/c.yaml"), "addresses: {inside: 10.78.0.0/16}\n").unwrap();
        assert_eq!(config.addresses.inside.to_string(), "10.78.0.0/16");
        assert_eq!(config.addresses.published, Addresses::default().published);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        let cases = [
            ("adresses: {}\n", "/c.yaml:1:", "unknown field `adresses`"),
            ("addresses:\n  outside: 10.1.0.0/16\n", "/c.yaml:2:", "unknown field `outside`"),
            ("addresses:\n  inside: 10.78\n", "/c.yaml:2:", "10.78"),
            ("addresses:\n  inside: ten\n", "/c.yaml:2:", "no range such as 10.78.0.0/16"),
            ("addresses:\n  inside: 10.78.0.0/16\n  published: 10.79.0.0/16\n", "/c.yaml:3:", "loopback"),
            ("- 1\n", "/c.yaml:1:", "invalid type"),
        ];
        for (text, place, what) in cases {
            let said = refused(text);
            assert!(said.starts_with(place) && said.contains(what), "{text:?}: {said}");
        }
    }
}
