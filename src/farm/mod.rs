//! The farm: its wikis as configuration, and their content as seeds.
//!
//! A seed is what a farm's databases, files and caches are before anyone edits: made once from the wikis' inputs, named by
//! the hash of those inputs, and never written again. A set's databases are copy-on-write layers over one.

mod builder;
mod dumps;
mod inputs;
mod parts;
mod recipe;
mod render;
mod seed;
mod worker;

use std::path::Path;

use anyhow::Result;

use crate::podman::{Podman, argv};
use crate::process::Input;

pub use builder::{abandoned, build, sweep};
pub use recipe::{ROLES, commands};
pub use render::{Hosts, Rendered, outdated, render, render_for, write};
pub use seed::{SeedPlan, WikiSeed, check, desired, misfits};

/// Removes a folder and all in it; files in it may belong to the user's subordinate ids. One that is not there is fine.
///
/// # Errors
/// Where something in it cannot be removed even so.
pub fn remove_tree(podman: &Podman, path: &Path) -> Result<()> {
    // Asking podman costs ten times as much as removing a small folder, and is needed for others' files only.
    match std::fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            podman.output(&argv::remove_tree(&path.display().to_string()), Input::Nothing).map(drop)
        }
        _ => Ok(()),
    }
}

/// Copies a seed's uploads and caches into the folder that a set's members share, owners and all.
///
/// # Errors
/// Where they cannot be copied, such as on a full disk.
pub fn shared_from_seed(podman: &Podman, seed: &Path, shared: &Path) -> Result<()> {
    let from = format!("{}/.", seed.join("shared").display());
    let copy = argv::podman().args(["unshare", "cp", "--archive", "--reflink=auto", "--", &from, &shared.display().to_string()]);
    podman.output(&copy, Input::Nothing).map(drop)
}
