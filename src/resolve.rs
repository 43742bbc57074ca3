//! From a set to what it comes to: pure, so that it can be tested without podman.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::path::Path;

use anyhow::{Result, anyhow};
use sha2::{Digest, Sha256};

use crate::desired::{Desired, Member, PublishedPort, label, ports_label, secret_prefix};
use crate::paths::Paths;
use crate::podman::argv::label_options;
use crate::role::{Kind, Mount, Role, Roles, SSH};
use crate::set::{self, MemberName, Set};

/// The first two parts of all addresses inside of sets, and of those on the host.
pub const INSIDE: [u8; 2] = [10, 77];
pub const PUBLISHED: [u8; 2] = [127, 77];
/// Added to a port that cannot be published as it is.
pub const PORT_SHIFT: u16 = 10_000;

/// What is known of the outside world, as values.
pub struct World<'a> {
    pub roles: &'a Roles,
    pub paths: &'a Paths,
    /// Image tag by role.
    pub images: &'a BTreeMap<String, String>,
    /// Folder on this machine by source name.
    pub trees: &'a [(String, std::path::PathBuf)],
    /// The folder of the seed the set is, or will be, created from.
    pub seed: Option<&'a Path>,
    pub number: u8,
    /// Numbers and ports of members that exist, which they keep.
    pub existing: &'a BTreeMap<String, (u8, Vec<PublishedPort>)>,
    /// Whether this machine lets us publish a port on an address.
    pub free: &'a dyn Fn(Ipv4Addr, u16) -> bool,
}

/// A member before it has an address.
struct Draft<'a> {
    name: MemberName,
    role_name: &'a str,
    role: &'a Role,
    kind: &'a Kind,
    options: BTreeMap<String, String>,
}

/// The roles a set's members have.
///
/// # Errors
/// As [`resolve`].
pub fn roles_of(set: &Set, roles: &Roles) -> Result<BTreeSet<String>> {
    Ok(drafts(set, roles)?.iter().map(|draft| draft.role_name.to_owned()).collect())
}

/// Names, numbers, addresses, ports and command lines of all members of a set.
///
/// # Errors
/// [`crate::failure::Kind::SetFile`] for an unknown role or option, a host name too long, two members of one name, too many members.
pub fn resolve(set: &Set, world: &World<'_>) -> Result<Desired> {
    let drafts = drafts(set, world.roles)?;
    let numbers = member_numbers(set, &drafts, world)?;
    let mut members = Vec::new();
    for draft in &drafts {
        members.push(placed(set, draft, numbers[draft.name.as_str()], world)?);
    }
    let hosts = hosts_file(set, &members);
    let network = format!("{}.{}.{}.0/24", INSIDE[0], INSIDE[1], world.number);
    let mut secrets = BTreeSet::new();
    let mut folders = BTreeSet::new();
    let mut done = Vec::new();
    for (draft, member) in drafts.iter().zip(&members) {
        secrets.extend(secrets_of(draft.role).map(|(name, _)| format!("{}{name}", secret_prefix(&set.name))));
        for mount in &draft.role.mounts {
            folders.extend(mount_folders(mount, set, &draft.name, world));
        }
        let arguments = arguments(set, draft, member, &members, &network, world)?;
        done.push(finish(member.clone(), arguments));
    }
    Ok(Desired {
        set: set.name.clone(),
        number: world.number,
        subnet: network,
        labels: set_labels(set, world),
        secrets: secrets.into_iter().collect(),
        members: done,
        wikis: set.wikis.keys().cloned().collect(),
        hosts,
        folders: folders.into_iter().collect(),
    })
}

fn drafts<'a>(set: &Set, roles: &'a Roles) -> Result<Vec<Draft<'a>>> {
    let mut drafts = Vec::new();
    for (role_name, role) in &roles.roles {
        for (kind_name, kind) in role.kinds.iter().filter(|(_, kind)| kind.default) {
            let name: MemberName = kind_name.parse().map_err(|why: String| anyhow!("role {role_name}: {why}"))?;
            if !set.members.contains_key(&name) {
                expand(&mut drafts, &name, (role_name, role, kind), &set::Member::default(), set)?;
            }
        }
    }
    for (name, member) in &set.members {
        let at = ["members", name.as_str()];
        let known = || roles.roles.values().flat_map(|role| role.kinds.keys().cloned()).collect::<Vec<_>>().join(", ");
        let (role_name, role) = match &member.role {
            Some(role) => roles.roles.get_key_value(role).map(|(name, role)| (name.as_str(), role)).ok_or_else(|| {
                let known: Vec<_> = roles.roles.keys().map(String::as_str).collect();
                set.wrong(
                    &at,
                    &format!("there is no role {role:?}"),
                    &format!("known roles: {}; docs/roles.md says how to add one", known.join(", ")),
                )
            })?,
            None => roles.of_kind(name.as_str()).ok_or_else(|| {
                set.wrong(
                    &at,
                    &format!("no role has members named {name}"),
                    &format!("use one of {}, or say its role: {{role: NAME}}", known()),
                )
            })?,
        };
        let kind = role.kinds.get(name.as_str()).or_else(|| role.kinds.values().next());
        let kind = kind.ok_or_else(|| anyhow!("role {role_name} has no kinds"))?;
        expand(&mut drafts, name, (role_name, role, kind), member, set)?;
    }
    drafts.sort_by(|a, b| a.name.cmp(&b.name));
    if let Some(twice) = drafts.windows(2).find(|pair| pair[0].name == pair[1].name) {
        let name = twice[0].name.as_str();
        return Err(set.wrong(
            &["members", name],
            &format!("there are two members named {name}"),
            "rename one, or change a count",
        ));
    }
    Ok(drafts)
}

/// Adds as many members as the set file asks for of one kind.
fn expand<'a>(
    drafts: &mut Vec<Draft<'a>>,
    name: &MemberName,
    (role_name, role, kind): (&'a str, &'a Role, &'a Kind),
    written: &set::Member,
    set: &Set,
) -> Result<()> {
    let at = ["members", name.as_str()];
    if let Some(unknown) = written.options.keys().find(|option| !kind.options.contains_key(*option)) {
        let known: Vec<_> = ["count", "role"].into_iter().chain(kind.options.keys().map(String::as_str)).collect();
        return Err(set.wrong(&at, &format!("{unknown:?} is no key of {name}"), &format!("use one of {}", known.join(", "))));
    }
    let mut options = kind.options.clone();
    options.extend(written.options.clone());
    let count = written.count.unwrap_or(1);
    for index in 1..=count {
        let member = if kind.numbered || count > 1 { format!("{name}{index}") } else { name.to_string() };
        let member: MemberName = member.parse().map_err(|why: String| set.wrong(&at, &why, "choose a shorter name"))?;
        drafts.push(Draft { name: member, role_name, role, kind, options: options.clone() });
    }
    Ok(())
}

/// Members that exist keep their number; new ones get the smallest that are free, from 2 (1 is the network's gateway).
fn member_numbers(set: &Set, drafts: &[Draft<'_>], world: &World<'_>) -> Result<BTreeMap<String, u8>> {
    let mut numbers: BTreeMap<String, u8> = BTreeMap::new();
    for draft in drafts {
        if let Some((number, _)) = world.existing.get(draft.name.as_str()) {
            numbers.insert(draft.name.to_string(), *number);
        }
    }
    let taken: BTreeSet<u8> = world.existing.values().map(|(number, _)| *number).collect();
    let mut free = (2..=254).filter(|number| !taken.contains(number));
    for draft in drafts {
        if !numbers.contains_key(draft.name.as_str()) {
            let number = free
                .next()
                .ok_or_else(|| set.wrong(&["members"], "there are too many members", "253 are the most a set can have"))?;
            numbers.insert(draft.name.to_string(), number);
        }
    }
    Ok(numbers)
}

/// A member with its name, addresses and ports.
fn placed(set: &Set, draft: &Draft<'_>, number: u8, world: &World<'_>) -> Result<Member> {
    let host = set::host_name(&set.name, &draft.name)
        .map_err(|why| set.wrong(&["members", draft.name.as_str()], &why, "choose a shorter name for the set or the member"))?;
    let published = Ipv4Addr::new(PUBLISHED[0], PUBLISHED[1], world.number, number);
    let kept = world.existing.get(draft.name.as_str()).map(|(_, ports)| ports.as_slice()).unwrap_or_default();
    let ports = draft.role.ports.iter().map(|port| (port.name.as_str(), port.port)).chain([(SSH.name, SSH.port)]);
    let ports = ports
        .map(|(name, port)| PublishedPort {
            name: name.to_owned(),
            port,
            published: kept
                .iter()
                .find(|kept| kept.port == port)
                .map_or_else(|| publish(published, port, world), |kept| kept.published),
        })
        .collect();
    Ok(Member {
        full_name: set::full_name(&set.name, &host),
        host,
        name: draft.name.clone(),
        role: draft.role_name.to_owned(),
        number,
        provides: draft.kind.provides.clone(),
        address: Ipv4Addr::new(INSIDE[0], INSIDE[1], world.number, number),
        published,
        ports,
        image: world.images.get(draft.role_name).cloned().unwrap_or_default(),
        probe: draft.role.probe.clone(),
        hash: String::new(),
        arguments: Vec::new(),
    })
}

/// The natural port where the machine lets us have it, else the one 10,000 above, as DESIGN has it for ports under 1024.
fn publish(address: Ipv4Addr, port: u16, world: &World<'_>) -> u16 {
    if (world.free)(address, port) { port } else { port.saturating_add(PORT_SHIFT) }
}

fn hosts_file(set: &Set, members: &[Member]) -> String {
    let mut text =
        format!("# The members of {}, written by podfarm.\n127.0.0.1 localhost\n::1 localhost ip6-localhost\n", set.name);
    for member in members {
        text.push_str(&format!("{} {} {}\n", member.address, member.full_name, member.host));
    }
    text
}

fn set_labels(set: &Set, world: &World<'_>) -> Vec<(String, String)> {
    let mut labels = vec![(label::SET.to_owned(), set.name.to_string()), (label::NUMBER.to_owned(), world.number.to_string())];
    if let Some(seed) = world.seed {
        labels.push((label::SEED.to_owned(), seed.display().to_string()));
    }
    labels
}

/// The role's own secrets, and the host key that sshd needs everywhere; each with its owner inside.
fn secrets_of(role: &Role) -> impl Iterator<Item = (&str, u32)> {
    role.secrets.iter().map(|secret| (secret.name.as_str(), secret.owner)).chain([("ssh-host-key", 0)])
}

/// The folders on the host that a mount needs to be there.
fn mount_folders(mount: &Mount, set: &Set, member: &MemberName, world: &World<'_>) -> Vec<std::path::PathBuf> {
    let folder = world.paths.set(&set.name);
    match mount {
        Mount::Own { name, .. } => vec![folder.join(member.as_str()).join(name)],
        Mount::Shared { name, .. } => vec![folder.join("shared").join(name)],
        Mount::Seed { name, .. } => {
            ["data", "work"].iter().map(|layer| folder.join(member.as_str()).join(name).join(layer)).collect()
        }
        Mount::Farm { .. } => vec![folder.join("farm")],
        Mount::Sources { .. } => Vec::new(),
    }
}

/// The `--volume` values of a mount.
fn volumes(mount: &Mount, set: &Set, member: &MemberName, world: &World<'_>) -> Vec<String> {
    let folders = mount_folders(mount, set, member, world);
    let shown = |index: usize| folders[index].display();
    match mount {
        Mount::Own { at, .. } | Mount::Shared { at, read_only: false, .. } => vec![format!("{}:{}", shown(0), at.display())],
        Mount::Shared { at, read_only: true, .. } | Mount::Farm { at } => vec![format!("{}:{}:ro", shown(0), at.display())],
        Mount::Sources { at } => {
            world.trees.iter().map(|(name, path)| format!("{}:{}/{name}:ro", path.display(), at.display())).collect()
        }
        Mount::Seed { name, at } => {
            let seed = world.seed.map(|seed| seed.join(name)).unwrap_or_default();
            vec![format!("{}:{}:O,upperdir={},workdir={}", seed.display(), at.display(), shown(0), shown(1))]
        }
    }
}

/// Where each of a member's logs lies on the host.
fn log_files(set: &Set, draft: &Draft<'_>, world: &World<'_>) -> BTreeMap<String, std::path::PathBuf> {
    let own = draft.role.mounts.iter().filter_map(|mount| match mount {
        Mount::Own { name, at } => Some((world.paths.set(&set.name).join(draft.name.as_str()).join(name), at)),
        _ => None,
    });
    let own: Vec<_> = own.collect();
    let on_host = |inside: &std::path::PathBuf| own.iter().find_map(|(host, at)| Some(host.join(inside.strip_prefix(at).ok()?)));
    draft.role.logs.iter().filter_map(|(name, inside)| Some((name.clone(), on_host(inside)?))).collect()
}

/// What follows `podman create`, all but the label that holds its hash.
fn arguments(
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
    labels.push((label::PROBE.to_owned(), serde_json::to_string(&draft.role.probe)?));
    labels.push((label::LOGS.to_owned(), serde_json::to_string(&log_files(set, draft, world))?));
    if matches!(draft.role.probe, crate::role::Probe::Http(_)) {
        let wikis: Vec<_> = set.wikis.keys().map(set::WikiName::as_str).collect();
        labels.push((label::WIKIS.to_owned(), wikis.join(",")));
    }
    let mut words: Vec<String> = Vec::new();
    let mut option = |name: &str, value: String| words.extend([name.to_owned(), value]);
    option("--name", member.host.clone());
    option("--hostname", member.host.clone());
    option("--pod", set.name.to_string());
    option("--network", set.name.to_string());
    option("--ip", member.address.to_string());
    for port in &member.ports {
        option("--publish", format!("{}:{}:{}", member.published, port.published, port.port));
    }
    option("--volume", format!("{}:/etc/hosts:ro", folder.join("hosts").display()));
    option("--volume", format!("{}:/run/podfarm/authorized_keys:ro", world.paths.data.join("ssh/id_ed25519.pub").display()));
    for volume in draft.role.mounts.iter().flat_map(|mount| volumes(mount, set, &member.name, world)) {
        option("--volume", volume);
    }
    for (name, owner) in secrets_of(draft.role) {
        option("--secret", format!("{}{name},target={name},uid={owner},mode=0400", secret_prefix(&set.name)));
    }
    option("--cap-drop", "all".to_owned());
    for capability in &draft.role.capabilities {
        option("--cap-add", capability.clone());
    }
    option("--security-opt", "no-new-privileges".to_owned());
    option("--stop-signal", draft.role.stop.signal.clone());
    option("--stop-timeout", draft.role.stop.seconds.to_string());
    words.push("--no-hosts".to_owned());
    words.extend(label_options(&labels));
    words.push(member.image.clone());
    words.extend(entrypoint_arguments(set, draft, member, members, network)?);
    Ok(words)
}

/// Puts the hash of everything else into a label, in front of the image.
fn finish(mut member: Member, mut arguments: Vec<String>) -> Member {
    member.hash = format!("{:x}", Sha256::digest(arguments.join("\0")));
    arguments.splice(0..0, ["--label".to_owned(), format!("{}={}", label::HASH, member.hash)]);
    member.arguments = arguments;
    member
}

fn entrypoint_arguments(set: &Set, draft: &Draft<'_>, member: &Member, members: &[Member], network: &str) -> Result<Vec<String>> {
    let mut arguments: BTreeMap<&str, String> = BTreeMap::from([
        ("SET", set.name.to_string()),
        ("MEMBER", member.name.to_string()),
        ("HOST", member.host.clone()),
        ("FQDN", member.full_name.clone()),
    ]);
    for (key, value) in draft.role.arguments.iter().chain(&draft.kind.arguments) {
        let value = fill(value, |placeholder| placeholder_value(placeholder, set, draft, member, members, network))
            .map_err(|unknown| anyhow!("role {}: {key} has an unknown placeholder {{{unknown}}}", draft.role_name))?;
        arguments.insert(key, value);
    }
    Ok(arguments.into_iter().map(|(key, value)| format!("{key}={value}")).collect())
}

fn placeholder_value(
    name: &str,
    set: &Set,
    draft: &Draft<'_>,
    member: &Member,
    members: &[Member],
    network: &str,
) -> Option<String> {
    let providers = |service: &str| {
        members.iter().filter(move |member| member.provides.iter().any(|provided| provided == service)).collect::<Vec<_>>()
    };
    let joined = |values: Vec<String>| values.join(",");
    Some(match name.split_once('.') {
        Some(("host", service)) => providers(service).first().map(|member| member.host.clone()).unwrap_or_default(),
        Some(("hosts", service)) => joined(providers(service).iter().map(|member| member.host.clone()).collect()),
        Some(("addresses", service)) => joined(providers(service).iter().map(|member| member.address.to_string()).collect()),
        Some(("option", option)) => draft.options.get(option)?.clone(),
        Some(_) => return None,
        None => match name {
            "number" => member.number.to_string(),
            "address" => member.address.to_string(),
            "network" => network.to_owned(),
            "databases" => joined(set.wikis.values().map(|wiki| wiki.db.to_string()).collect()),
            "wikis" => joined(set.wikis.keys().map(ToString::to_string).collect()),
            _ => return None,
        },
    })
}

/// Replaces every `{name}`; the error is the first name that has no value.
fn fill(text: &str, value: impl Fn(&str) -> Option<String>) -> Result<String, String> {
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}').ok_or_else(|| after.to_owned())?;
        filled.push_str(before);
        filled.push_str(&value(name).ok_or_else(|| name.to_owned())?);
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled)
}
