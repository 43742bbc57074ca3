//! Whether a name is a set's, and whether the set exists: every verb that is given one asks here.

use anyhow::Result;

use crate::failure::{Failure, Kind};
use crate::lifecycle::Session;
use crate::plan;
use crate::podman::{Parts, observe::Container};
use crate::set::{self, SetName};

/// Refuses the name of a set that has no file and of which nothing is left.
///
/// # Errors
/// [`Kind::Usage`], with the sets there are.
pub(super) fn known(session: &Session<'_>, set: &SetName) -> Result<()> {
    match set::find(set, &session.paths) {
        Err(unknown) if !is_left(session, set)? => Err(unknown),
        _ => Ok(()),
    }
}

/// The containers of a set that exists, by name.
///
/// # Errors
/// As [`known`]; [`Kind::Failed`] where the set has none.
pub(super) fn members(session: &Session<'_>, set: &SetName) -> Result<Vec<Container>> {
    let containers = session.podman.containers()?;
    let members: Vec<_> = plan::containers_of(&containers, set).into_iter().cloned().collect();
    if members.is_empty() {
        known(session, set)?;
        return Err(Failure::new(Kind::Failed, format!("set {set} does not exist")).hint(format!("podfarm up {set}")).into());
    }
    Ok(members)
}

/// Whether there is anything of a set that `destroy` would remove.
fn is_left(session: &Session<'_>, set: &SetName) -> Result<bool> {
    let folder = Some(session.paths.set(set)).filter(|folder| folder.exists());
    let (containers, inventory) = session.podman.containers_and(Parts { images: false, ..Parts::ALL })?;
    let destroy = [plan::destroy_members(set, &containers), plan::destroy_rest(set, &inventory, folder)];
    Ok(destroy.iter().any(|stages| !stages.is_empty()))
}
