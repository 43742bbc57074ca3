//! Whether a set's members have among themselves what they need. Found here, it costs nothing; found by starting them, minutes.

use anyhow::Result;

use super::Draft;
use crate::role::Roles;
use crate::set::Set;

/// The service that wikis ask for what they show, of which there is one in a set.
const PRIMARY: &str = "db-primary";

/// Refuses members that cannot work without one that is not there, and wikis without a primary or with several.
///
/// # Errors
/// [`crate::failure::Kind::SetFile`], at the member whose count is to be another.
pub(super) fn check(set: &Set, roles: &Roles, drafts: &[Draft<'_>]) -> Result<()> {
    let providers = |service: &str| drafts.iter().filter(|draft| provides(&draft.provides, service)).collect::<Vec<_>>();
    for draft in drafts {
        if let Some(service) = draft.kind.needs.iter().find(|service| providers(service).is_empty()) {
            let what = format!("{} cannot work without a member that provides {service}", draft.name);
            return Err(refusal(set, roles, service, &what));
        }
    }
    let primaries = providers(PRIMARY);
    if set.wikis.is_empty() || primaries.len() == 1 {
        return Ok(());
    }
    if primaries.is_empty() {
        return Err(refusal(set, roles, PRIMARY, &format!("wikis cannot work without a member that provides {PRIMARY}")));
    }
    let names: Vec<_> = primaries.iter().map(|draft| draft.name.as_str()).collect();
    let what = format!("wikis have one member that provides {PRIMARY}, and here are {}", names.join(", "));
    Err(set.wrong(&place(set, roles, PRIMARY), &what, "leave one of them; others can be replicas of it"))
}

fn provides(provided: &[String], service: &str) -> bool {
    provided.iter().any(|provided| provided == service)
}

fn refusal(set: &Set, roles: &Roles, service: &str, what: &str) -> anyhow::Error {
    let known: Vec<_> = kinds(roles, service).collect();
    set.wrong(&place(set, roles, service), what, &format!("have one ({}), or do without what needs it", known.join(", ")))
}

/// The kinds of members that provide a service.
fn kinds<'a>(roles: &'a Roles, service: &'a str) -> impl Iterator<Item = &'a str> {
    let kinds = roles.roles.values().flat_map(|role| &role.kinds);
    kinds.filter(move |(_, kind)| provides(&kind.provides, service)).map(|(name, _)| name.as_str())
}

/// Where the set file speaks of members that provide a service, else of members.
fn place<'a>(set: &'a Set, roles: &'a Roles, service: &'a str) -> Vec<&'a str> {
    let is_one = |(name, member): &(&crate::set::MemberName, &crate::set::Member)| {
        kinds(roles, service).any(|kind| kind == name.as_str() || member.role.as_deref() == Some(kind))
    };
    let written = set.members.iter().find(is_one).map(|(name, _)| name.as_str());
    ["members"].into_iter().chain(written).collect()
}
