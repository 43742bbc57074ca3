//! What there is of a set and is kept, and what is still free for it: a number and ports.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Result;

use crate::addresses::Addresses;
use crate::desired::{PublishedPort, label};
use crate::failure::{Failure, Kind};
use crate::host::{self, Ports};
use crate::plan;
use crate::podman::{Inventory, observe::Container};
use crate::probe::Endpoint;
use crate::resolve::PORT_SHIFT;
use crate::set::SetName;

/// What of a set exists already and is kept.
#[derive(Default)]
pub(super) struct Existing {
    pub number: Option<u8>,
    pub seed: Option<PathBuf>,
    /// Where its addresses come from, which may have been changed in the user's settings since.
    pub addresses: Option<Addresses>,
    pub members: BTreeMap<String, (u8, Vec<PublishedPort>)>,
}

impl Existing {
    pub fn of(containers: &[Container], set: &SetName) -> Self {
        let mut existing = Self::default();
        for container in plan::containers_of(containers, set) {
            existing.take_from(&container.labels);
            existing.seed = existing.seed.or(container.label(label::SEED).map(PathBuf::from));
            let number = container.label(label::MEMBER_NUMBER).and_then(|number| number.parse().ok());
            if let (Some(member), Some(number)) = (container.label(label::MEMBER), number) {
                let ports = Endpoint::of(container).map(|endpoint| endpoint.ports).unwrap_or_default();
                existing.members.insert(member.to_owned(), (number, ports));
            }
        }
        existing
    }

    /// Where no container tells, the pod or the network may.
    pub fn or_of_ground(mut self, inventory: &Inventory, set: &SetName) -> Self {
        let pods = inventory.pods.iter().map(|pod| (&pod.name, &pod.labels));
        let networks = inventory.networks.iter().map(|network| (&network.name, &network.labels));
        for (_, labels) in pods.chain(networks).filter(|(name, labels)| *name == set.as_str() && plan::is_of(set, labels)) {
            self.take_from(labels);
        }
        self.seed = self.seed.or_else(|| {
            // A network stays when a set is made anew, from another seed perhaps.
            let pod = inventory.pods.iter().find(|pod| pod.name == set.as_str() && plan::is_of(set, &pod.labels))?;
            pod.labels.get(label::SEED).map(PathBuf::from)
        });
        self
    }

    fn take_from(&mut self, labels: &BTreeMap<String, String>) {
        self.number = self.number.or_else(|| labels.get(label::NUMBER)?.parse().ok());
        self.addresses = self.addresses.or_else(|| labels.get(label::RANGES)?.parse().ok());
    }
}

/// Refuses a port that somebody else has: for new members, both at its own number and at the shifted one.
pub(super) fn check_ports(ports: &Ports, endpoints: &[Endpoint], containers: &[Container]) -> Result<()> {
    let runs = |host: &str| containers.iter().any(|container| container.name() == host && container.running());
    for endpoint in endpoints.iter().filter(|endpoint| !runs(&endpoint.host)) {
        for port in &endpoint.ports {
            if let Err(error) = ports.try_one(endpoint.published, port.published) {
                let (address, host) = (format!("{}:{}", endpoint.published, port.published), &endpoint.host);
                return Err(Failure::new(
                    Kind::Failed,
                    format!("{address} cannot be published for {host}'s port {}: {error}", port.port),
                )
                .hint(way_out(&error, port.published))
                .into());
            }
        }
    }
    Ok(())
}

/// What can be done about a port that is not to be had.
fn way_out(error: &std::io::Error, port: u16) -> String {
    if error.kind() == std::io::ErrorKind::PermissionDenied {
        return format!(
            "the set was made when ordinary users could have port {port}: `podfarm hostdns install` gives it back to them; or \
             `podfarm down` and `podfarm up` make the set anew, its edits and dumps lost, its port {PORT_SHIFT} higher"
        );
    }
    format!("`ss -ltnp sport = :{port}` shows who has it; stop that, or let it listen on 127.0.0.1 only")
}

/// The smallest number that neither a set nor anybody's network has, this machine's own among them.
pub(super) fn free_number(addresses: &Addresses, containers: &[Container], inventory: &Inventory) -> Result<u8> {
    let labels = containers.iter().map(|container| &container.labels).chain(inventory.pods.iter().map(|pod| &pod.labels));
    let by_label = labels.filter_map(|labels| labels.get(label::NUMBER)?.parse::<u8>().ok());
    let networks = inventory.networks.iter().flat_map(|network| &network.subnets);
    let networks = networks.filter_map(|network| network.subnet.parse().ok());
    let taken: Vec<_> = networks.chain(host::interfaces().into_iter().map(|(_, subnet)| subnet)).collect();
    addresses.free_number(&by_label.collect::<Vec<_>>(), &taken).ok_or_else(|| {
        Failure::new(Kind::Failed, format!("none of the networks in {} is free for one more set", addresses.inside))
            .hint(
                "podfarm list shows the sets there are, podman network ls and ip address who else has networks; \
                 docs/config.md says how to take another range",
            )
            .into()
    })
}

#[cfg(test)]
mod tests {
    use std::io::{Error, ErrorKind};

    use super::*;

    #[test]
    fn a_port_that_is_not_to_be_had_comes_with_the_way_out() {
        let taken = way_out(&Error::from(ErrorKind::AddrInUse), 3306);
        assert!(taken.contains("`ss -ltnp sport = :3306`"), "{taken}");
        let forbidden = way_out(&Error::from(ErrorKind::PermissionDenied), 80);
        assert!(forbidden.contains("port 80:") && forbidden.contains("`podfarm hostdns install`"), "{forbidden}");
        assert!(!forbidden.contains("ss -ltnp"), "nobody has it: {forbidden}");
    }
}
