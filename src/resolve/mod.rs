//! From a set to what it comes to: pure, so that it can be tested without podman.

mod container;
mod needs;
mod placeholder;

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::path::Path;

use anyhow::{Result, anyhow};

use self::container::{arguments, finish, mount_folders, on_host, secrets_of};
use crate::addresses::Addresses;
use crate::desired::{Desired, Member, PublishedPort, label, secret_prefix};
use crate::paths::Paths;
use crate::probe::WIKI;
use crate::role::{Additions, Kind, Mount, Probe, Role, Roles, SSH};
use crate::set::{self, MemberName, Set};

/// Added to a port that cannot be published as it is. Not 10,000: browsers refuse to open 10080, once the port of another service.
pub const PORT_SHIFT: u16 = 20_000;

/// What is known of the outside world, as values.
pub struct World<'a> {
    pub roles: &'a Roles,
    pub paths: &'a Paths,
    /// Image tag by role.
    pub images: &'a BTreeMap<String, String>,
    /// Folder on this machine by source name.
    pub trees: &'a [(String, std::path::PathBuf)],
    /// The folder of the code that makes dumps.
    pub dumps: Option<&'a Path>,
    /// The folder of the seed the set is, or will be, created from.
    pub seed: Option<&'a Path>,
    pub number: u8,
    pub addresses: Addresses,
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
    /// The services it provides.
    provides: Vec<String>,
    /// What the role has for sets such as this one.
    additions: Vec<&'a Additions>,
    /// Those of the role's and the kind's mounts that this set calls for.
    mounts: Vec<&'a Mount>,
}

/// The roles a set's members have.
///
/// # Errors
/// As [`resolve`].
pub fn roles_of(set: &Set, roles: &Roles) -> Result<BTreeSet<String>> {
    Ok(drafts(set, roles)?.iter().map(|draft| draft.role_name.to_owned()).collect())
}

/// Whether a set has a member that provides a service.
///
/// # Errors
/// As [`resolve`].
pub fn provides(set: &Set, roles: &Roles, service: &str) -> Result<bool> {
    Ok(drafts(set, roles)?.iter().any(|draft| draft.provides.iter().any(|provided| provided == service)))
}

/// The host names of all members of a set.
///
/// # Errors
/// As [`resolve`].
pub fn hosts(set: &Set, roles: &Roles) -> Result<Vec<String>> {
    drafts(set, roles)?.iter().map(|draft| host(set, draft)).collect()
}

/// Names, numbers, addresses, ports and command lines of all members of a set.
///
/// # Errors
/// [`crate::failure::Kind::SetFile`] for an unknown role or option, a host name too long, two members of one name, too many members,
/// members that need others that are not there.
pub fn resolve(set: &Set, world: &World<'_>) -> Result<Desired> {
    let drafts = drafts(set, world.roles)?;
    let numbers = member_numbers(set, &drafts, world)?;
    let mut members = Vec::new();
    for draft in &drafts {
        members.push(placed(set, draft, numbers[draft.name.as_str()], world)?);
    }
    let hosts = hosts_file(set, &members);
    let network = world.addresses.inside.of_set(world.number).to_string();
    let mut secrets = BTreeSet::new();
    let mut folders = BTreeSet::new();
    let mut done = Vec::new();
    for (draft, member) in drafts.iter().zip(&members) {
        secrets.extend(secrets_of(draft).map(|(name, _)| format!("{}{name}", secret_prefix(&set.name))));
        for mount in &draft.mounts {
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
            Some(role) => {
                roles.roles.get_key_value(role).map(|(name, role)| (name.as_str(), role)).or(roles.of_kind(role)).ok_or_else(
                    || {
                        let known: Vec<_> = roles.roles.keys().map(String::as_str).collect();
                        set.wrong(
                            &at,
                            &format!("there is no role {role:?}"),
                            &format!("known roles: {}; docs/roles.md says how to add one", known.join(", ")),
                        )
                    },
                )?
            }
            None => roles.of_kind(name.as_str()).ok_or_else(|| {
                set.wrong(
                    &at,
                    &format!("no role has members named {name}"),
                    &format!("use one of {}, or say its role: {{role: NAME}}", known()),
                )
            })?,
        };
        // `role:` can name one of a role's kinds, too.
        let written = member.role.as_deref().unwrap_or_default();
        let kind = role.kinds.get(written).or_else(|| role.kinds.get(name.as_str())).or_else(|| role.kinds.values().next());
        let kind = kind.ok_or_else(|| anyhow!("role {role_name} has no kinds"))?;
        expand(&mut drafts, name, (role_name, role, kind), member, set)?;
    }
    drafts.sort_by(|a, b| a.name.cmp(&b.name));
    let provided: BTreeSet<String> = drafts.iter().flat_map(|draft| draft.provides.iter().cloned()).collect();
    for draft in &mut drafts {
        draft.additions =
            draft.role.when.iter().filter(|(service, _)| provided.contains(*service)).map(|(_, more)| more).collect();
        draft.mounts = draft.role.mounts.iter().chain(&draft.kind.mounts).filter(|mount| mount.applies(&provided)).collect();
    }
    if let Some(twice) = drafts.windows(2).find(|pair| pair[0].name == pair[1].name) {
        let name = twice[0].name.as_str();
        return Err(set.wrong(
            &["members", name],
            &format!("there are two members named {name}"),
            "rename one, or change a count",
        ));
    }
    needs::check(set, roles, &drafts)?;
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
    let mut options = BTreeMap::new();
    let mut provides = kind.provides.clone();
    for (option, about) in &kind.options {
        let text = written.options.get(option).unwrap_or(&about.default);
        provides.extend(about.choices.get(text).into_iter().flatten().cloned());
        let value = about.value(text);
        options.insert(
            option.clone(),
            value.map_err(|right| set.wrong(&at, &format!("{option}: {text:?} cannot be its value"), &right))?,
        );
    }
    let count = written.count.unwrap_or(1);
    for index in 1..=count {
        let member = if kind.numbered || count > 1 { format!("{name}{index}") } else { name.to_string() };
        let member: MemberName = member.parse().map_err(|why: String| set.wrong(&at, &why, "choose a shorter name"))?;
        drafts.push(Draft {
            name: member,
            role_name,
            role,
            kind,
            options: options.clone(),
            provides: provides.clone(),
            additions: Vec::new(),
            mounts: Vec::new(),
        });
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

fn host(set: &Set, draft: &Draft<'_>) -> Result<String> {
    set::host_name(&set.name, &draft.name)
        .map_err(|why| set.wrong(&["members", draft.name.as_str()], &why, "choose a shorter name for the set or the member"))
}

/// A member with its name, addresses and ports.
fn placed(set: &Set, draft: &Draft<'_>, number: u8, world: &World<'_>) -> Result<Member> {
    let host = host(set, draft)?;
    let published = world.addresses.published.address(world.number, number);
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
        provides: draft.provides.clone(),
        address: world.addresses.inside.address(world.number, number),
        published,
        ports,
        image: world.images.get(draft.role_name).cloned().unwrap_or_default(),
        probe: probe(set, draft, world)?,
        wikis: if matches!(&draft.role.probe, Probe::Http(path) if path.contains(WIKI)) {
            set.wikis.keys().map(ToString::to_string).collect()
        } else {
            Vec::new()
        },
        hash: String::new(),
        arguments: Vec::new(),
    })
}

/// How it is asked: a report by its place on the host.
fn probe(set: &Set, draft: &Draft<'_>, world: &World<'_>) -> Result<Probe> {
    let added = draft.additions.iter().find_map(|more| more.probe.as_ref());
    let probe = added.or(draft.kind.probe.as_ref()).unwrap_or(&draft.role.probe);
    let Probe::Report(inside) = probe else { return Ok(probe.clone()) };
    let file = on_host(set, draft, inside, world);
    file.map(Probe::Report)
        .ok_or_else(|| anyhow!("role {}: the report {} is in none of its own folders", draft.role_name, inside.display()))
}

/// The natural port where the machine lets us have it, else the one [`PORT_SHIFT`] above.
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
    labels.push((label::RANGES.to_owned(), world.addresses.to_string()));
    if let Some(seed) = world.seed {
        labels.push((label::SEED.to_owned(), seed.display().to_string()));
    }
    labels
}
