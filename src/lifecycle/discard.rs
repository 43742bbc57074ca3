//! Throwing away what a set's members have written: once begun, it is done to the end, by the next command if need be.
//!
//! What is half thrown away must not come to life again: an edit that should be gone, or a layer over another seed than its own.
//! So a note lies beside the set's folder from before the first member goes until after its data has gone. Another says that the
//! set ran before: podman knows that no more.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};

use super::apply::{NoNative, OnFailure, apply};
use super::{Report, Session};
use crate::paths::{Paths, remove_file};
use crate::plan;
use crate::podman::{Inventory, observe::Container};
use crate::set::SetName;

/// A note about a set.
#[derive(Clone, Copy)]
pub(super) enum Note {
    /// Its data goes, and has not gone yet.
    Discarding,
    /// It ran when `reset` began, and does not run again yet.
    Ran,
}

impl Note {
    /// No set has a name like that.
    fn file(self, paths: &Paths, set: &SetName) -> PathBuf {
        paths.set(set).with_extension(match self {
            Self::Discarding => "discarding",
            Self::Ran => "ran",
        })
    }

    /// A set that has no folder needs no note.
    pub fn put(self, session: &Session<'_>, set: &SetName) -> Result<()> {
        if session.dry_run || !session.paths.set(set).exists() {
            return Ok(());
        }
        let file = self.file(&session.paths, set);
        fs::write(&file, "").with_context(|| format!("{}: cannot be written", file.display()))
    }

    pub fn is_there(self, session: &Session<'_>, set: &SetName) -> bool {
        self.file(&session.paths, set).exists()
    }

    pub fn remove(self, session: &Session<'_>, set: &SetName) -> Result<()> {
        if session.dry_run { Ok(()) } else { remove_file(&self.file(&session.paths, set)) }
    }
}

/// Removes a set's members and all that they have written, and leaves its network, its secrets and its number.
pub(super) fn members(
    session: &Session<'_>,
    set: &SetName,
    (containers, inventory): (&[Container], &Inventory),
    reason: &str,
    report: &mut Report,
) -> Result<()> {
    Note::Discarding.put(session, set)?;
    let entries = fs::read_dir(session.paths.set(set)).into_iter().flatten().flatten();
    let mut folders: Vec<_> = entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    folders.sort();
    apply(session, report, plan::discard(set, containers, inventory, folders, reason), &NoNative, OnFailure::Stop)?;
    Note::Discarding.remove(session, set)
}
