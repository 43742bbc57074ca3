//! What the entrypoint is told: a role's arguments with their placeholders filled in.

use std::collections::BTreeMap;

use anyhow::{Result, anyhow};

use super::Draft;
use crate::desired::Member;
use crate::set::Set;

/// The `KEY=value` words a member's entrypoint gets.
pub(super) fn entrypoint_arguments(
    set: &Set,
    draft: &Draft<'_>,
    member: &Member,
    members: &[Member],
    network: &str,
) -> Result<Vec<String>> {
    let mut arguments: BTreeMap<&str, String> = BTreeMap::from([
        ("SET", set.name.to_string()),
        ("MEMBER", member.name.to_string()),
        ("HOST", member.host.clone()),
        ("FQDN", member.full_name.clone()),
    ]);
    arguments.insert("SSH_CLIENTS", clients(member, members, "", network));
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
        Some(("clients", services)) => clients(member, members, services, network),
        Some(("option", option)) => draft.options.get(option)?.clone(),
        Some(_) => return None,
        None => match name {
            "number" => member.number.to_string(),
            "address" => member.address.to_string(),
            "network" => network.to_owned(),
            "clients" => clients(member, members, "", network),
            "databases" => joined(set.wikis.values().map(|wiki| wiki.db.to_string()).collect()),
            "dumps" => set.dumps.as_ref().map(|dumps| dumps.source.to_string()).unwrap_or_default(),
            "wikis" => joined(set.wikis.keys().map(ToString::to_string).collect()),
            _ => return None,
        },
    })
}

/// The addresses from which a member is to be asked: those of members that provide one of the services, and those that the
/// host's connections come from, which are the member's own or the network's gateway, as podman likes.
fn clients(member: &Member, members: &[Member], services: &str, network: &str) -> String {
    let wanted: Vec<_> = services.split('+').collect();
    let is_client = |other: &&Member| other.provides.iter().any(|service| wanted.contains(&service.as_str()));
    let others = members.iter().filter(is_client).filter(|other| other.name != member.name);
    let gateway = network.replace(".0/24", ".1");
    let all = [member.address.to_string(), gateway].into_iter().chain(others.map(|other| other.address.to_string()));
    all.collect::<Vec<_>>().join(",")
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
