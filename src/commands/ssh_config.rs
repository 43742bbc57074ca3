//! ssh-config: what ssh needs to know to get into every member with no password and no question.

use anyhow::{Context, Result};

use crate::cli::SshConfig;
use crate::desired::label;
use crate::lifecycle::Session;
use crate::podman::observe::Container;
use crate::probe::Endpoint;
use crate::role::SSH;
use crate::set::{SetName, full_name};
use crate::ui::Ui;

pub fn run(session: &Session<'_>, arguments: &SshConfig, ui: &Ui) -> Result<()> {
    let containers = session.podman.containers()?;
    let mut ours: Vec<_> = containers
        .iter()
        .filter_map(|container| Some((container.label(label::SET)?.parse::<SetName>().ok()?, container)))
        .filter(|(set, _)| arguments.sets.is_empty() || arguments.sets.contains(set))
        .collect();
    ours.sort_by(|a, b| a.1.name().cmp(b.1.name()));
    let mut text = String::from("# Written by `podfarm ssh-config`. In ~/.ssh/config: Include FILE, above all Host lines.\n");
    let mut sets: Vec<_> = ours.iter().map(|(set, _)| set.clone()).collect();
    sets.dedup();
    for set in &sets {
        known_hosts(session, set)?;
    }
    for (set, container) in ours {
        text.push_str(&entry(session, &set, container));
    }
    ui.result(&text);
    Ok(())
}

fn entry(session: &Session<'_>, set: &SetName, container: &Container) -> String {
    let Some(endpoint) = Endpoint::of(container) else { return String::new() };
    format!(
        "\nHost {host} {full}\n  HostName {published}\n  Port {port}\n  User root\n  IdentityFile {key}\n  IdentitiesOnly yes\n  HostKeyAlias {set}.podfarm\n  UserKnownHostsFile {known}\n  StrictHostKeyChecking yes\n  ForwardAgent no\n",
        published = endpoint.published,
        port = endpoint.on_host(SSH.port).unwrap_or(SSH.port),
        host = container.name(),
        full = full_name(set, container.name()),
        key = quoted(&session.paths.data.join("ssh/id_ed25519").display().to_string()),
        known = quoted(&session.paths.set(set).join("known_hosts").display().to_string()),
    )
}

/// The set's host key under the one name all its members have for ssh.
fn known_hosts(session: &Session<'_>, set: &SetName) -> Result<()> {
    let folder = session.paths.set(set);
    let key = folder.join("ssh_host_key.pub");
    let key = std::fs::read_to_string(&key).with_context(|| format!("{}: the set's host key cannot be read", key.display()))?;
    let line = format!("{set}.podfarm {key}");
    std::fs::write(folder.join("known_hosts"), line).with_context(|| format!("{}: cannot be written", folder.display()))
}

/// A path as ssh_config takes it, should it hold a space.
fn quoted(path: &str) -> String {
    if path.contains(' ') { format!("\"{path}\"") } else { path.to_owned() }
}
