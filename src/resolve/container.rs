//! The arguments of `podman create`: what a container is given of the host.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Result;
use sha2::{Digest, Sha256};

use super::placeholder::entrypoint_arguments;
use super::{Draft, World, set_labels};
use crate::desired::{Member, label, ports_label, secret_prefix};
use crate::podman::argv::label_options;
use crate::podman::mount::Mounted;
use crate::role::Mount;
use crate::set::{MemberName, Set};

/// The role's own secrets, and the host key that sshd needs everywhere; each with its owner inside.
pub(super) fn secrets_of<'a>(draft: &'a Draft<'_>) -> impl Iterator<Item = (&'a str, u32)> {
    let more = draft.additions.iter().flat_map(|more| &more.secrets);
    draft.role.secrets.iter().chain(more).map(|secret| (secret.name.as_str(), secret.owner)).chain([("ssh-host-key", 0)])
}

/// The folders on the host that a mount needs to be there.
pub(super) fn mount_folders(mount: &Mount, set: &Set, member: &MemberName, world: &World<'_>) -> Vec<PathBuf> {
    let folder = world.paths.set(&set.name);
    match mount {
        Mount::Own { name, .. } => vec![folder.join(member.as_str()).join(name)],
        Mount::Shared { name, .. } => vec![folder.join("shared").join(name)],
        Mount::Seed { name, .. } => {
            ["data", "work"].iter().map(|layer| folder.join(member.as_str()).join(name).join(layer)).collect()
        }
        Mount::Farm { .. } => vec![folder.join("farm")],
        Mount::Sources { .. } | Mount::Dumps { .. } => Vec::new(),
    }
}

/// What a mount comes to.
fn mounted(mount: &Mount, set: &Set, member: &MemberName, world: &World<'_>) -> Vec<Mounted> {
    let folders = mount_folders(mount, set, member, world);
    let inside = |at: &Path| at.display().to_string();
    match mount {
        Mount::Own { at, .. } | Mount::Shared { at, read_only: false, .. } => vec![Mounted::new(&folders[0], inside(at))],
        Mount::Shared { at, read_only: true, .. } | Mount::Farm { at } => vec![Mounted::read_only(&folders[0], inside(at))],
        Mount::Sources { at } => {
            let trees = world.trees.iter();
            trees.map(|(name, path)| Mounted::read_only(path, format!("{}/{name}", at.display()))).collect()
        }
        Mount::Dumps { at } => world.dumps.iter().map(|path| Mounted::read_only(*path, inside(at))).collect(),
        Mount::Seed { name, at } => {
            let seed = world.seed.map(|seed| seed.join(name)).unwrap_or_default();
            vec![Mounted::under(seed, inside(at), &folders[0], &folders[1])]
        }
    }
}

/// Where each of a member's logs lies on the host.
fn log_files(set: &Set, draft: &Draft<'_>, world: &World<'_>) -> BTreeMap<String, PathBuf> {
    draft.role.logs.iter().filter_map(|(name, inside)| Some((name.clone(), on_host(set, draft, inside, world)?))).collect()
}

/// Where on the host a file lies that is in one of a member's own folders.
pub(super) fn on_host(set: &Set, draft: &Draft<'_>, inside: &Path, world: &World<'_>) -> Option<PathBuf> {
    draft.mounts.iter().find_map(|mount| match mount {
        Mount::Own { name, at, .. } => {
            Some(world.paths.set(&set.name).join(draft.name.as_str()).join(name).join(inside.strip_prefix(at).ok()?))
        }
        _ => None,
    })
}

/// What follows `podman create`, all but the label that holds its hash.
pub(super) fn arguments(
    set: &Set,
    draft: &Draft<'_>,
    member: &Member,
    members: &[Member],
    network: &str,
    world: &World<'_>,
) -> Result<Vec<String>> {
    let folder = world.paths.set(&set.name);
    let mut labels = set_labels(set, world);
    labels.push((label::MEMBER.to_owned(), member.name.to_string()));
    labels.push((label::MEMBER_NUMBER.to_owned(), member.number.to_string()));
    labels.push((label::ROLE.to_owned(), member.role.clone()));
    labels.push((label::IMAGE.to_owned(), member.image.clone()));
    labels.push((label::ADDRESS.to_owned(), member.address.to_string()));
    labels.push((label::PUBLISHED.to_owned(), member.published.to_string()));
    labels.push((label::PORTS.to_owned(), ports_label(&member.ports)));
    labels.push((label::PROBE.to_owned(), serde_json::to_string(&member.probe)?));
    labels.push((label::LOGS.to_owned(), serde_json::to_string(&log_files(set, draft, world))?));
    if !member.provides.is_empty() {
        labels.push((label::PROVIDES.to_owned(), member.provides.join(",")));
    }
    if !member.wikis.is_empty() {
        labels.push((label::WIKIS.to_owned(), member.wikis.join(",")));
    }
    let mut words: Vec<String> = Vec::new();
    let mut option = |name: &str, value: String| words.extend([name.to_owned(), value]);
    option("--name", member.host.clone());
    option("--hostname", member.host.clone());
    option("--pod", set.name.to_string());
    option("--network", set.name.to_string());
    option("--ip", member.address.to_string());
    // From the address, so that it stays the same: others would look for a member made anew at its old one, for ten seconds.
    let [a, b, c, d] = member.address.octets();
    option("--mac-address", format!("02:00:{a:02x}:{b:02x}:{c:02x}:{d:02x}"));
    for port in &member.ports {
        option("--publish", format!("{}:{}:{}", member.published, port.published, port.port));
    }
    let common = [
        Mounted::read_only(folder.join("hosts"), "/etc/hosts"),
        Mounted::read_only(world.paths.data.join("ssh/id_ed25519.pub"), "/run/podfarm/authorized_keys"),
    ];
    let own = draft.mounts.iter().flat_map(|mount| mounted(mount, set, &member.name, world));
    for mounted in common.into_iter().chain(own) {
        let [form, value] = mounted.option()?;
        option(&form, value);
    }
    for (name, owner) in secrets_of(draft) {
        option("--secret", format!("{}{name},target={name},uid={owner},mode=0400", secret_prefix(&set.name)));
    }
    option("--cap-drop", "all".to_owned());
    for capability in draft.role.capabilities.iter().chain(draft.additions.iter().flat_map(|more| &more.capabilities)) {
        option("--cap-add", capability.clone());
    }
    for device in draft.additions.iter().flat_map(|more| &more.devices) {
        option("--device", device.display().to_string());
    }
    option("--security-opt", "no-new-privileges".to_owned());
    option("--stop-signal", draft.role.stop.signal.clone());
    option("--stop-timeout", draft.role.stop.seconds.to_string());
    words.push("--no-hosts".to_owned());
    // podman would hand this machine's proxy on, which knows no member.
    words.push("--http-proxy=false".to_owned());
    words.extend(label_options(&labels));
    words.push(member.image.clone());
    words.extend(entrypoint_arguments(set, draft, member, members, network)?);
    Ok(words)
}

/// Puts the hash of everything else into a label, in front of the image.
pub(super) fn finish(mut member: Member, mut arguments: Vec<String>) -> Member {
    member.hash = format!("{:x}", Sha256::digest(arguments.join("\0")));
    arguments.splice(0..0, ["--label".to_owned(), format!("{}={}", label::HASH, member.hash)]);
    member.arguments = arguments;
    member
}
