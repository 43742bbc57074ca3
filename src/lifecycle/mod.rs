//! From a set's name to a running set, and back to nothing: what every verb shares.

mod apply;
mod bring_up;
mod discard;
mod existing;
mod files;
mod prepare;
mod secrets;
mod seeds;
mod take_down;

use std::collections::BTreeMap;
use std::sync::OnceLock;

use anyhow::Result;

use crate::addresses::Addresses;
use crate::config::{self, Config};
use crate::lock::Lock;
use crate::paths::Paths;
use crate::plan::Stage;
use crate::podman::{Podman, orphans};
use crate::progress::Progress;
use crate::role::Roles;
use crate::set::SetName;

pub use bring_up::{Up, create, reset, start, up};
pub use prepare::build;
pub use take_down::{destroy, remove, stop};

/// What every verb works with.
pub struct Session<'a> {
    pub paths: Paths,
    pub podman: Podman,
    /// Read when they are first asked for: what takes a set down has to work where they are wrong.
    roles: OnceLock<Roles>,
    /// Likewise.
    config: OnceLock<Config>,
    pub progress: &'a dyn Progress,
    /// Collect what would be done instead of doing it.
    pub dry_run: bool,
}

/// What a verb did, or in a dry run would do.
#[derive(Debug, Default)]
pub struct Report {
    pub stages: Vec<Stage>,
    /// The url of each wiki, where the set answers now.
    pub urls: BTreeMap<String, String>,
}

impl<'a> Session<'a> {
    /// Where nothing has been asked of anybody yet.
    pub fn new(paths: Paths, progress: &'a dyn Progress) -> Self {
        Self { paths, podman: Podman::new(), config: OnceLock::new(), roles: OnceLock::new(), progress, dry_run: false }
    }

    /// Where new sets' addresses come from.
    ///
    /// # Errors
    /// As [`config::load`].
    pub fn addresses(&self) -> Result<Addresses> {
        if let Some(config) = self.config.get() {
            return Ok(config.addresses);
        }
        let config = config::load(&self.paths)?;
        Ok(self.config.get_or_init(|| config).addresses)
    }

    /// All roles there are.
    ///
    /// # Errors
    /// As [`Roles::load`].
    fn roles(&self) -> Result<&Roles> {
        if let Some(roles) = self.roles.get() {
            return Ok(roles);
        }
        let roles = Roles::load(&self.paths)?;
        Ok(self.roles.get_or_init(|| roles))
    }

    /// Held while a set is changed.
    ///
    /// # Errors
    /// Where the lock file cannot be made.
    pub fn lock_set(&self, set: &SetName) -> Result<Option<Lock>> {
        if self.dry_run {
            return Ok(None);
        }
        let lock = Lock::take(&self.paths.lock(&format!("set-{set}")), &format!("set {set}"), self.progress)?;
        orphans::SETS.wait(|| self.progress.say("podman is still at work for a podfarm that was killed: waiting for it"));
        Ok(Some(lock))
    }

    /// Held from looking for a free number until it is taken, so that two sets cannot get the same one.
    fn lock_numbers(&self) -> Result<Option<Lock>> {
        if self.dry_run {
            return Ok(None);
        }
        Lock::take(&self.paths.lock("numbers"), "the numbering of sets", self.progress).map(Some)
    }
}
