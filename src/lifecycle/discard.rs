//! Throwing away what a set's members have written: once begun, it is done to the end, by the next command if need be.
//!
//! What is half thrown away must not come to life again: an edit that should be gone, or a layer over another seed than its own.
//! So a note lies beside the set's folder from before the first member goes until after its data has gone.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};

use super::apply::{NoNative, OnFailure, apply};
use super::{Report, Session};
use crate::paths::{Paths, remove_file};
use crate::plan;
use crate::podman::{Inventory, observe::Container};
use crate::set::SetName;

/// The note. No set has a name like that.
fn note(paths: &Paths, set: &SetName) -> PathBuf {
    paths.set(set).with_extension("discarding")
}

/// Notes down that a set's data goes. A set that has none needs no note.
pub(super) fn begin(session: &Session<'_>, set: &SetName) -> Result<()> {
    if session.dry_run || !session.paths.set(set).exists() {
        return Ok(());
    }
    let note = note(&session.paths, set);
    fs::write(&note, "").with_context(|| format!("{}: cannot be written", note.display()))
}

/// Whether somebody was killed before the data had gone.
pub(super) fn was_interrupted(session: &Session<'_>, set: &SetName) -> bool {
    note(&session.paths, set).exists()
}

/// Takes the note away: the data has gone.
pub(super) fn end(session: &Session<'_>, set: &SetName) -> Result<()> {
    if session.dry_run {
        return Ok(());
    }
    remove_file(&note(&session.paths, set))
}

/// Removes a set's members and all that they have written, and leaves its network, its secrets and its number.
pub(super) fn members(
    session: &Session<'_>,
    set: &SetName,
    (containers, inventory): (&[Container], &Inventory),
    reason: &str,
    report: &mut Report,
) -> Result<()> {
    begin(session, set)?;
    let entries = fs::read_dir(session.paths.set(set)).into_iter().flatten().flatten();
    let mut folders: Vec<_> = entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    folders.sort();
    apply(session, report, plan::discard(set, containers, inventory, folders, reason), &NoNative, OnFailure::Stop)?;
    end(session, set)
}
