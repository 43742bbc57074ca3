//! What podman says exists: parsers of its JSON, for all versions from [`super::LOWEST`] on.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use serde::{Deserialize, Deserializer};

/// A container, as `podman ps --format json` lists it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Container {
    pub id: String,
    names: Vec<String>,
    /// created, running, exited, stopped, paused, …
    pub state: String,
    #[serde(default, deserialize_with = "or_default")]
    pub labels: BTreeMap<String, String>,
    #[serde(rename = "ImageID", default)]
    pub image_id: String,
    /// The id of its pod; empty where it is in none.
    #[serde(default)]
    pub pod: String,
    #[serde(default)]
    pub exit_code: i32,
    /// In seconds since 1970; far below zero where it was never started.
    #[serde(default)]
    started_at: i64,
}

impl Container {
    pub fn name(&self) -> &str {
        self.names.first().map_or("", String::as_str)
    }

    pub fn label(&self, key: &str) -> Option<&str> {
        self.labels.get(key).map(String::as_str)
    }

    pub fn running(&self) -> bool {
        self.state == "running"
    }

    /// When it was started, to the second, where it runs.
    pub fn started(&self) -> Option<SystemTime> {
        let seconds = u64::try_from(self.started_at).ok().filter(|_| self.running())?;
        Some(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
    }
}

/// A pod, as `podman pod ps --format json` lists it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Pod {
    pub name: String,
    #[serde(default, deserialize_with = "or_default")]
    pub labels: BTreeMap<String, String>,
}

/// An image, as `podman images --format json` lists it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Image {
    pub id: String,
    #[serde(default, deserialize_with = "or_default")]
    pub names: Vec<String>,
    #[serde(default, deserialize_with = "or_default")]
    pub labels: BTreeMap<String, String>,
}

/// A network, as `podman network ls --format json` lists it.
#[derive(Clone, Debug, Deserialize)]
pub struct Network {
    pub name: String,
    #[serde(default, deserialize_with = "or_default")]
    pub subnets: Vec<Subnet>,
    #[serde(default, deserialize_with = "or_default")]
    pub labels: BTreeMap<String, String>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Subnet {
    pub subnet: String,
}

/// A secret, as `podman secret ls --format` lists it: names alone, for its JSON differs between versions.
pub fn secrets(output: &str) -> Vec<String> {
    let mut names: Vec<_> = output.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect();
    names.sort();
    names
}

/// Parses one of podman's JSON lists. Nothing at all is an empty list: some versions print that.
///
/// # Errors
/// Where it is not the list that is expected, with the beginning of what came.
pub fn list<T: for<'de> Deserialize<'de>>(output: &str) -> Result<Vec<T>> {
    if matches!(output.trim(), "" | "null") {
        return Ok(Vec::new());
    }
    serde_json::from_str(output).with_context(|| {
        let beginning: String = output.chars().take(200).collect();
        format!("podman's answer was not understood: {beginning}")
    })
}

/// podman writes null for an empty list or map.
fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(deserializer: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Captured from podman 4.3.1, shortened.
    const PS: &str = r#"[
      {"AutoRemove": false, "Command": null, "CreatedAt": "2 seconds ago", "Exited": false, "ExitedAt": -62135596800,
       "ExitCode": 0, "Id": "b5e5", "Image": "localhost/x:1", "ImageID": "d0d7", "IsInfra": false, "Labels": null,
       "Mounts": [], "Names": ["demo-a"], "Namespaces": {}, "Networks": [], "Pid": 10763, "Pod": "0156", "PodName": "",
       "Ports": null, "Size": null, "StartedAt": 1795254947, "State": "running", "Status": "Up", "Created": 1795254947},
      {"Id": "4793", "ImageID": "d9bf", "Labels": {"podfarm.set": "demo"}, "Names": ["demo-b"], "State": "created"}
    ]"#;

    #[test]
    fn containers_with_and_without_labels() {
        let containers: Vec<Container> = list(PS).unwrap();
        assert_eq!(containers[0].name(), "demo-a");
        assert!(containers[0].running() && containers[0].labels.is_empty());
        assert_eq!(containers[1].label("podfarm.set"), Some("demo"));
        assert!(!containers[1].running());
        assert_eq!(
            containers[0].started().map(|then| then.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()),
            Some(1_795_254_947)
        );
        assert_eq!(containers[1].started(), None);
    }

    #[test]
    fn nothing_is_an_empty_list() {
        assert!(list::<Pod>("").unwrap().is_empty());
        assert!(list::<Pod>("null\n").unwrap().is_empty());
    }

    #[test]
    fn what_is_no_list_is_shown() {
        assert!(list::<Pod>("Error: no").unwrap_err().to_string().contains("Error: no"));
    }
}
