//! ssh-config: an Include file for ssh.

use std::collections::BTreeMap;

use anyhow::Result;

use crate::cli::SshConfig;
use crate::desired::label;
use crate::lifecycle::Session;
use crate::probe::Endpoint;
use crate::set::SetName;
use crate::ssh;
use crate::ui::Ui;

use super::known::known;

pub fn run(session: &Session<'_>, arguments: &SshConfig, ui: &Ui) -> Result<()> {
    for set in &arguments.sets {
        known(session, set)?;
    }
    let mut by_set: BTreeMap<SetName, Vec<Endpoint>> = BTreeMap::new();
    for container in &session.podman.containers()? {
        let set = container.label(label::SET).and_then(|set| set.parse().ok());
        if let (Some(set), Some(endpoint)) = (set, Endpoint::of(container)) {
            by_set.entry(set).or_default().push(endpoint);
        }
    }
    let mut text = String::from("# Written by `podfarm ssh-config`. In ~/.ssh/config: Include FILE, above all Host lines.\n");
    for (set, mut endpoints) in by_set {
        if arguments.sets.is_empty() || arguments.sets.contains(&set) {
            endpoints.sort_by(|a, b| a.host.cmp(&b.host));
            ssh::publish(&session.paths, &set, &endpoints)?;
            text.push_str(&ssh::config(&session.paths, &set, &endpoints));
        }
    }
    ui.result(&text);
    Ok(())
}
