//! Whether this machine is ready for podfarm, from what `podman info` says of it. Asked where something is to be built or imported.

use anyhow::{Context, Result};
use serde::Deserialize;

use super::{LOWEST, subids};
use crate::failure::{Failure, Kind};
use crate::process::find_program;

/// `podman info --format json`, as far as it matters here.
#[derive(Debug, Deserialize)]
pub struct Machine {
    version: Version,
    #[serde(default)]
    host: Host,
    #[serde(default)]
    store: Store,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Version {
    version: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Host {
    id_mappings: Option<IdMappings>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct IdMappings {
    uidmap: Option<Vec<Range>>,
    gidmap: Option<Vec<Range>>,
}

#[derive(Debug, Deserialize)]
struct Range {
    size: u64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Store {
    graph_driver_name: String,
    graph_root: String,
}

/// Reads what podman says.
///
/// # Errors
/// Where it is no such thing.
pub fn parse(info: &str) -> Result<Machine> {
    serde_json::from_str(info).context("what `podman info` says was not understood")
}

impl Machine {
    /// Refuses what podfarm cannot work with.
    ///
    /// # Errors
    /// [`Kind::Machine`], with what to do.
    pub fn check(&self, user: &str) -> Result<(), Failure> {
        let version = &self.version.version;
        if parse_version(version).is_none_or(|version| version < LOWEST) {
            let (major, minor) = LOWEST;
            let what = format!("this is podman {version}, and podfarm needs {major}.{minor} or newer");
            return Err(Failure::new(Kind::Machine, what)
                .hint("Debian 12 and Ubuntu 24.04 have a new enough one: sudo apt-get install podman"));
        }
        let maps = self.host.id_mappings.as_ref();
        let few =
            |map: Option<&Vec<Range>>| map.is_some_and(|map| map.iter().map(|range| range.size).sum::<u64>() < subids::NEEDED);
        // No map at all is root's podman, which has all ids.
        if few(maps.and_then(|maps| maps.uidmap.as_ref())) || few(maps.and_then(|maps| maps.gidmap.as_ref())) {
            return Err(no_subordinate_ids(user));
        }
        Ok(())
    }

    /// What works, and could be better.
    pub fn warning(&self) -> Option<String> {
        let vfs = self.store.graph_driver_name == "vfs";
        vfs.then(|| {
            format!(
                "warning: podman's storage driver here is vfs, which copies a whole image for each container: slow, and much room\n\
                 hint: if podman holds nothing you need: podman system reset, then write '[storage]' and 'driver = \"overlay\"' \
                 into ~/.config/containers/storage.conf; what it holds lies in {}",
                self.store.graph_root
            )
        })
    }
}

/// A user who has no ids to give to the users of a container.
pub fn no_subordinate_ids(user: &str) -> Failure {
    Failure::new(Kind::Machine, format!("rootless podman has too few subordinate ids for {user}")).hint(subids::give(user))
}

/// A machine without the programs that give a user's subordinate ids to a container, or where they lack the right to.
pub fn no_mapper(program: &str) -> Failure {
    let (what, hint) = match find_program(program) {
        None => ("is missing", "sudo apt-get install uidmap"),
        Some(_) => ("has lost its right to (setuid, or file capabilities)", "sudo apt-get install --reinstall uidmap"),
    };
    Failure::new(Kind::Machine, format!("rootless podman needs {program} to use its subordinate ids, and it {what}")).hint(hint)
}

/// The first two numbers of a version such as 5.4.2 or 6.0.0-dev.
fn parse_version(text: &str) -> Option<(u32, u32)> {
    let mut parts = text.split(['.', '-']);
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(version: &str, uids: &str, driver: &str) -> Machine {
        // Shortened from podman 4.3.1's.
        let info = format!(
            r#"{{"host": {{"arch": "amd64", "idMappings": {{"gidmap": null, "uidmap": {uids}}}}},
                "store": {{"graphDriverName": "{driver}", "graphRoot": "/home/lab/.local/share/containers/storage"}},
                "version": {{"APIVersion": "{version}", "Version": "{version}"}}}}"#
        );
        parse(&info).unwrap()
    }

    const ENOUGH: &str =
        r#"[{"container_id": 0, "host_id": 1001, "size": 1}, {"container_id": 1, "host_id": 100000, "size": 65536}]"#;

    #[test]
    fn versions_are_compared_by_number() {
        for good in ["4.3.1", "4.10.0", "10.0.0", "6.0.0-dev"] {
            assert!(machine(good, ENOUGH, "overlay").check("me").is_ok(), "{good}");
        }
        for bad in ["4.2.1", "3.4.4", "none"] {
            assert!(machine(bad, ENOUGH, "overlay").check("me").is_err(), "{bad}");
        }
    }

    #[test]
    fn a_user_without_subordinate_ids_is_told_how_to_get_them() {
        let alone = r#"[{"container_id": 0, "host_id": 1003, "size": 1}]"#;
        let failure = machine("5.4.2", alone, "overlay").check("me").unwrap_err();
        assert!(failure.hint.unwrap().contains("usermod --add-subuids"));
        assert!(machine("5.4.2", "null", "overlay").check("root").is_ok());
    }

    #[test]
    fn vfs_is_warned_of() {
        assert!(machine("4.3.1", ENOUGH, "vfs").warning().unwrap().contains("driver = \"overlay\""));
        assert_eq!(machine("4.3.1", ENOUGH, "overlay").warning(), None);
    }
}
