//! Names that reach a command line, a hosts file or a URL, as types that cannot hold a bad character.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The longest DNS label (RFC 1035, 2.3.4).
pub const LABEL_MAX: usize = 63;

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident, $what:literal, $check:path) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                $check(text).map_err(|why| format!("{text:?} cannot be {}: {why}", $what))?;
                Ok(Self(text.to_owned()))
            }
        }

        impl TryFrom<String> for $name {
            type Error = String;

            fn try_from(text: String) -> Result<Self, String> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
    };
}

name_type!(
    /// The name of a set: a DNS label.
    SetName, "the name of a set", check_label
);
name_type!(
    /// The name of a member within its set, without the set's name: a DNS label.
    MemberName, "the name of a member", check_label
);
name_type!(
    /// The directory name of a wiki, the first part of its URLs' paths.
    WikiName, "the name of a wiki", check_label
);
name_type!(
    /// The name of a source.
    SourceName, "the name of a source", check_label
);
name_type!(
    /// The name of a database: what MariaDB takes without quotes, in lower case as Wikimedia's are.
    DatabaseName, "the name of a database", check_database
);

fn check_label(text: &str) -> Result<(), String> {
    const RULE: &str = "use lower-case letters a-z, digits and hyphens, with a letter or digit at both ends";
    if text.is_empty() {
        return Err(format!("it is empty; {RULE}"));
    }
    if text.len() > LABEL_MAX {
        return Err(format!(
            "it has {} characters, and {LABEL_MAX} is the most a host name's part can have",
            text.chars().count()
        ));
    }
    if let Some(bad) = text.chars().find(|c| !matches!(c, 'a'..='z' | '0'..='9' | '-')) {
        return Err(format!("it has a {bad:?}; {RULE}"));
    }
    if text.starts_with('-') || text.ends_with('-') {
        return Err(format!("it begins or ends with a hyphen; {RULE}"));
    }
    Ok(())
}

fn check_database(text: &str) -> Result<(), String> {
    const RULE: &str = "use lower-case letters a-z, digits and underscores, beginning with a letter";
    // MariaDB's own databases, and the longest name it takes for one.
    const TAKEN: &[&str] = &["mysql", "information_schema", "performance_schema", "sys"];
    if text.len() > 64 {
        return Err("it has more than 64 characters".to_owned());
    }
    if TAKEN.contains(&text) {
        return Err("MariaDB itself uses it".to_owned());
    }
    if !text.starts_with(|c: char| c.is_ascii_lowercase()) {
        return Err(RULE.to_owned());
    }
    match text.chars().find(|c| !matches!(c, 'a'..='z' | '0'..='9' | '_')) {
        Some(bad) => Err(format!("it has a {bad:?}; {RULE}")),
        None => Ok(()),
    }
}

/// The host name of a member, `<set>-<member>`.
///
/// # Errors
/// Says so where the two together are longer than a DNS label can be.
pub fn host_name(set: &SetName, member: &MemberName) -> Result<String, String> {
    let host = format!("{set}-{member}");
    if host.len() > LABEL_MAX {
        return Err(format!(
            "the host name {host} would have {} characters, and {LABEL_MAX} is the most it can have",
            host.len()
        ));
    }
    Ok(host)
}

/// The full name of a member, `<set>-<member>.<set>.lan`.
pub fn full_name(set: &SetName, host: &str) -> String {
    format!("{host}.{set}.lan")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_names_are_refused_with_the_reason() {
        let long = "a".repeat(64);
        for (text, why) in [
            ("Demo", "'D'"),
            ("my set", "' '"),
            ("..", "'.'"),
            (long.as_str(), "64 characters"),
            ("; rm -rf", "';'"),
            ("-x", "hyphen"),
            ("x-", "hyphen"),
            ("", "empty"),
            ("βίκι", "'β'"),
            ("a/b", "'/'"),
        ] {
            let error = text.parse::<SetName>().unwrap_err();
            assert!(error.contains(why), "{text:?}: {error}");
        }
    }

    #[test]
    fn good_names_are_taken() {
        for text in ["demo", "a", "0", "el-1", &"a".repeat(63)] {
            assert_eq!(text.parse::<SetName>().unwrap().as_str(), text);
        }
    }

    #[test]
    fn database_names_are_those_that_need_no_quotes() {
        assert!("elwikivoyage".parse::<DatabaseName>().is_ok());
        assert!("zh_min_nanwiki".parse::<DatabaseName>().is_ok());
        for text in ["mysql", "el-wiki", "1wiki", "Wiki", ""] {
            assert!(text.parse::<DatabaseName>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_host_name_too_long_for_dns_is_refused() {
        let set: SetName = "s".repeat(40).parse().unwrap();
        let member: MemberName = "m".repeat(40).parse().unwrap();
        assert!(host_name(&set, &member).unwrap_err().contains("81 characters"));
    }
}
