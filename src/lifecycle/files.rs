//! The files of a set that its members mount, and its names on the host.

use std::path::Path;

use anyhow::{Context, Result};

use super::apply::Native;
use super::prepare::Ingredients;
use super::{Session, secrets};
use crate::desired::Desired;
use crate::{farm, hostdns};

/// What steps of bringing up do besides running podman.
pub(super) struct Files<'a> {
    pub session: &'a Session<'a>,
    pub ingredients: &'a Ingredients,
    pub desired: &'a Desired,
    pub seed: &'a Path,
}

impl Native for Files<'_> {
    fn write_files(&self) -> Result<()> {
        write_files(self.session, self.ingredients, self.desired)
    }

    fn copy_seed(&self) -> Result<()> {
        // cp fails where a folder is made by somebody else between its look and its attempt, as writing the files would.
        make_folders(self.desired)?;
        farm::shared_from_seed(&self.session.podman, self.seed, &self.session.paths.set(&self.desired.set).join("shared"))
    }
}

/// Makes what members mount, where it is not there.
fn make_folders(desired: &Desired) -> Result<()> {
    for path in &desired.folders {
        std::fs::create_dir_all(path).with_context(|| format!("{}: cannot be made", path.display()))?;
    }
    Ok(())
}

/// Writes what members mount; in files that are mounted one by one, the same inode gets the new text.
pub(super) fn write_files(session: &Session<'_>, ingredients: &Ingredients, desired: &Desired) -> Result<()> {
    if session.dry_run {
        return Ok(());
    }
    let folder = session.paths.set(&desired.set);
    secrets::private_folder(&session.paths.data)?;
    secrets::user_key(session)?;
    make_folders(desired)?;
    let hosts = folder.join("hosts");
    if std::fs::read_to_string(&hosts).ok().as_deref() != Some(&desired.hosts) {
        std::fs::create_dir_all(&folder)?;
        std::fs::write(&hosts, &desired.hosts).with_context(|| format!("{}: cannot be written", hosts.display()))?;
    }
    hostdns::publish(&session.paths, &desired.set, &desired.members)?;
    if let Err(error) = hostdns::ensure(&session.paths, session.addresses()?) {
        session.progress.say(&format!("note: names of sets do not work: {error:#}"));
    }
    farm::write(&folder.join("farm"), &farm::render(&ingredients.set, desired)?)
}
