//! What podfarms that were killed, or sets that lost their members, have left behind.

use std::fs;

use super::{Finding, Verdict, trial};
use crate::desired::label;
use crate::lifecycle::Session;
use crate::paths::Paths;
use crate::podman::{Inventory, observe::Container};
use crate::{farm, hostdns, ssh};

pub(super) fn finding(session: &Session<'_>, containers: &[Container], inventory: &Inventory) -> Finding {
    let what = "leftovers";
    let sets = dead_sets(containers, inventory, &session.paths);
    let abandoned = farm::abandoned(containers, &session.paths)
        .and_then(|seeding| Ok(seeding.into_iter().chain(trial::abandoned(containers, &session.paths)?).collect()));
    let abandoned: Vec<&Container> = match abandoned {
        Ok(abandoned) => abandoned,
        Err(error) => return Finding::new(what, Verdict::Note, format!("{error:#}")),
    };
    let names: Vec<_> = abandoned.iter().map(|container| container.name()).collect();
    let mut facts = Vec::new();
    let mut mends = Vec::new();
    if !sets.is_empty() {
        facts.push(format!("of sets that have no members: {}", sets.join(", ")));
        mends.push(format!("podfarm destroy {}", sets.join(" ")));
    }
    if !names.is_empty() {
        facts.push(format!("containers of a podfarm that was killed: {}", names.join(", ")));
        mends.push(format!("podman rm --force {}", names.join(" ")));
    }
    let fact = if facts.is_empty() { "none".to_owned() } else { facts.join("; ") };
    Finding::good_if(facts.is_empty(), Verdict::Note, what, fact).mend(mends.join("; "))
}

/// Sets of which there is something, but no container.
pub fn dead_sets(containers: &[Container], inventory: &Inventory, paths: &Paths) -> Vec<String> {
    let labels = inventory.pods.iter().map(|pod| &pod.labels).chain(inventory.networks.iter().map(|network| &network.labels));
    let mut sets: Vec<String> = labels.filter_map(|labels| labels.get(label::SET).cloned()).collect();
    let secret = |name: &String| Some(name.strip_prefix("podfarm.")?.split('.').next()?.to_owned());
    sets.extend(inventory.secrets.iter().filter_map(secret));
    for folder in [paths.data.join("sets"), hostdns::folder(paths), ssh::folder(paths)] {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
        // A file that is just being written has a name that no set can have.
        sets.extend(names.filter(|name| name.parse::<crate::set::SetName>().is_ok()));
    }
    sets.sort();
    sets.dedup();
    sets.retain(|set| !containers.iter().any(|container| container.label(label::SET) == Some(set)));
    sets
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_of_a_set_without_members_is_found() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("sets/left")).unwrap();
        fs::create_dir_all(folder.path().join("names")).unwrap();
        fs::write(folder.path().join("names/named"), "").unwrap();
        fs::write(folder.path().join("names/#half#"), "").unwrap();
        let paths = Paths { config: folder.path().into(), data: folder.path().into(), cache: "/".into(), locks: "/".into() };
        let inventory =
            Inventory { secrets: vec!["podfarm.gone.db-wiki".to_owned(), "other".to_owned()], ..Inventory::default() };
        assert_eq!(dead_sets(&[], &inventory, &paths), ["gone", "left", "named"]);
    }
}
