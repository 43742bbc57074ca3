//! What a set comes to: every name, address, port and command line, as values.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::SystemTime;

use crate::podman::argv;
use crate::probe::Endpoint;
use crate::process::Argv;
use crate::role::Probe;
use crate::set::{MemberName, SetName, WikiName};

/// The labels by which podfarm knows its own.
pub mod label {
    pub const SET: &str = "podfarm.set";
    /// The set's number, which is in all its addresses.
    pub const NUMBER: &str = "podfarm.number";
    /// The ranges its addresses come from.
    pub const RANGES: &str = "podfarm.ranges";
    pub const MEMBER: &str = "podfarm.member";
    /// The member's number, the last part of its addresses.
    pub const MEMBER_NUMBER: &str = "podfarm.member-number";
    pub const ROLE: &str = "podfarm.role";
    /// The hash of what was desired of a container.
    pub const HASH: &str = "podfarm.hash";
    pub const IMAGE: &str = "podfarm.image-tag";
    /// The seed a set was created from.
    pub const SEED: &str = "podfarm.seed";
    /// `name=port:published` of each port, separated by commas.
    pub const PORTS: &str = "podfarm.ports";
    /// The host's address the ports are published on.
    pub const PUBLISHED: &str = "podfarm.published";
    /// The address inside of the set.
    pub const ADDRESS: &str = "podfarm.address";
    /// The wikis this member serves, separated by commas.
    pub const WIKIS: &str = "podfarm.wikis";
    /// The services it provides, separated by commas.
    pub const PROVIDES: &str = "podfarm.provides";
    /// How to ask whether it is ready, as JSON.
    pub const PROBE: &str = "podfarm.probe";
    /// Log name to file on the host, as JSON.
    pub const LOGS: &str = "podfarm.logs";
}

/// A set, resolved.
#[derive(Clone, Debug)]
pub struct Desired {
    pub set: SetName,
    pub number: u8,
    pub subnet: String,
    pub labels: Vec<(String, String)>,
    /// podman's names of the secrets the set needs.
    pub secrets: Vec<String>,
    pub members: Vec<Member>,
    pub wikis: Vec<WikiName>,
    /// The hosts file all members have.
    pub hosts: String,
    /// Folders that must be there before a container starts.
    pub folders: Vec<PathBuf>,
}

/// One container to be.
#[derive(Clone, Debug)]
pub struct Member {
    pub name: MemberName,
    pub role: String,
    pub number: u8,
    /// `<set>-<member>`: container name, host name.
    pub host: String,
    pub full_name: String,
    pub provides: Vec<String>,
    pub address: Ipv4Addr,
    pub published: Ipv4Addr,
    pub ports: Vec<PublishedPort>,
    pub image: String,
    pub probe: Probe,
    /// The wikis it serves.
    pub wikis: Vec<String>,
    pub hash: String,
    /// What follows `podman create` or `podman run --detach`.
    pub(crate) arguments: Vec<String>,
}

/// A port inside and where it is on the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishedPort {
    pub name: String,
    pub port: u16,
    pub published: u16,
}

impl Member {
    /// How it will be reached and asked, started from now on.
    pub fn endpoint(&self) -> Endpoint {
        Endpoint {
            host: self.host.clone(),
            full_name: self.full_name.clone(),
            member: self.name.to_string(),
            published: self.published,
            ports: self.ports.clone(),
            probe: self.probe.clone(),
            wikis: self.wikis.clone(),
            since: SystemTime::now(),
        }
    }

    pub fn create(&self) -> Argv {
        argv::podman().arg("create").args(self.arguments.clone())
    }

    /// Creates and starts in one go, which is faster than the two one after the other.
    pub fn run(&self) -> Argv {
        argv::podman().args(["run", "--detach"]).args(self.arguments.clone())
    }
}

/// `name=port:published` of each port.
pub fn ports_label(ports: &[PublishedPort]) -> String {
    let all: Vec<_> = ports.iter().map(|port| format!("{}={}:{}", port.name, port.port, port.published)).collect();
    all.join(",")
}

/// The reverse of [`ports_label`]; what cannot be understood is left out.
pub fn parse_ports_label(label: &str) -> Vec<PublishedPort> {
    let parse = |text: &str| {
        let (name, numbers) = text.split_once('=')?;
        let (port, published) = numbers.split_once(':')?;
        Some(PublishedPort { name: name.to_owned(), port: port.parse().ok()?, published: published.parse().ok()? })
    };
    label.split(',').filter_map(parse).collect()
}

/// The base of all names of a set's secrets. A dot cannot be in a set's name, so no two sets' secrets can be mixed up.
pub fn secret_prefix(set: &SetName) -> String {
    format!("podfarm.{set}.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_survive_their_label() {
        let ports = vec![
            PublishedPort { name: "mysql".to_owned(), port: 3306, published: 3306 },
            PublishedPort { name: "ssh".to_owned(), port: 22, published: 20022 },
        ];
        assert_eq!(ports_label(&ports), "mysql=3306:3306,ssh=22:20022");
        assert_eq!(parse_ports_label(&ports_label(&ports)), ports);
        assert!(parse_ports_label("").is_empty());
    }
}
