//! What ssh needs to know to get into every member with no password and no question.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::paths::{Paths, remove_file};
use crate::probe::Endpoint;
use crate::role::SSH;
use crate::set::{SetName, full_name};

/// The folder with one configuration file a set, for an Include.
pub fn folder(paths: &Paths) -> PathBuf {
    paths.data.join("ssh").join("config.d")
}

/// The configuration for a set's members.
pub fn config(paths: &Paths, set: &SetName, endpoints: &[Endpoint]) -> String {
    endpoints.iter().map(|endpoint| entry(paths, set, endpoint)).collect()
}

fn entry(paths: &Paths, set: &SetName, endpoint: &Endpoint) -> String {
    format!(
        "\nHost {host} {full}\n  HostName {published}\n  Port {port}\n  User root\n  IdentityFile {key}\n  IdentitiesOnly yes\n  \
         HostKeyAlias {set}.podfarm\n  UserKnownHostsFile {known}\n  StrictHostKeyChecking yes\n  ForwardAgent no\n",
        host = endpoint.host,
        full = full_name(set, &endpoint.host),
        published = endpoint.published,
        port = endpoint.on_host(SSH.port).unwrap_or(SSH.port),
        key = quoted(&paths.data.join("ssh/id_ed25519").display().to_string()),
        known = quoted(&paths.set(set).join("known_hosts").display().to_string()),
    )
}

/// A path as ssh_config takes it, should it hold a space.
fn quoted(path: &str) -> String {
    if path.contains(' ') { format!("\"{path}\"") } else { path.to_owned() }
}

/// Puts a set's host key under the one name that all its members have for ssh, and its configuration into [`folder`].
///
/// # Errors
/// Where the key cannot be read or a file not be written.
pub fn publish(paths: &Paths, set: &SetName, endpoints: &[Endpoint]) -> Result<()> {
    let key = paths.set(set).join("ssh_host_key.pub");
    let key = fs::read_to_string(&key).with_context(|| format!("{}: the set's host key cannot be read", key.display()))?;
    let known_hosts = paths.set(set).join("known_hosts");
    fs::write(&known_hosts, format!("{set}.podfarm {key}"))
        .with_context(|| format!("{}: cannot be written", known_hosts.display()))?;
    let file = folder(paths).join(set.as_str());
    let write = || fs::create_dir_all(folder(paths)).and_then(|()| fs::write(&file, config(paths, set, endpoints)));
    write().with_context(|| format!("{}: cannot be written", file.display()))
}

/// Takes a set's configuration away.
///
/// # Errors
/// Where the file is there and cannot be removed.
pub fn withdraw(paths: &Paths, set: &SetName) -> Result<()> {
    remove_file(&folder(paths).join(set.as_str()))
}
