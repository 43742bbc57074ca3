//! Stopping, and leaving nothing.

use std::collections::BTreeSet;

use anyhow::Result;

use super::apply::{NoNative, OnFailure, apply};
use super::{Report, Session};
use crate::desired::label;
use crate::farm;
use crate::plan::{self, Step, Work};
use crate::podman::argv;
use crate::process::Input;
use crate::set::SetName;
use crate::{hostdns, ssh};

/// Stops a set's members, all in one grace period, and keeps their data.
///
/// # Errors
/// Where podman fails.
pub fn stop(session: &Session<'_>, set: &SetName) -> Result<Report> {
    let _lock = session.lock_set(set)?;
    let mut report = Report::default();
    let stages = plan::stop(set, &session.podman.containers()?);
    apply(session, &mut report, stages, &NoNative, OnFailure::GoOn)?;
    Ok(report)
}

/// Removes everything of a set, whatever is left of it: it needs no set file, podfarm's labels say what is its own.
///
/// # Errors
/// All that could not be removed.
pub fn destroy(session: &Session<'_>, set: &SetName) -> Result<Report> {
    let _lock = session.lock_set(set)?;
    let mut report = Report::default();
    let (containers, inventory) = std::thread::scope(|scope| {
        let containers = scope.spawn(|| session.podman.containers());
        let inventory = session.podman.inventory_without_images();
        (containers.join().expect("asking does not panic"), inventory)
    });
    let containers = containers?;
    let swept = if session.dry_run { Ok(()) } else { farm::sweep(&containers, &session.podman, &session.paths) };
    let folder = Some(session.paths.set(set)).filter(|folder| folder.exists());
    let stages = plan::destroy(set, &containers, &inventory?, folder);
    if !session.dry_run {
        // First of all, so that nobody is sent to what is about to go.
        hostdns::withdraw(&session.paths, set)?;
        ssh::withdraw(&session.paths, set)?;
    }
    apply(session, &mut report, stages, &NoNative, OnFailure::GoOn)?;
    swept?;
    Ok(report)
}

/// Destroys a set and removes podfarm's images that no container of another set uses.
///
/// # Errors
/// As [`destroy`].
pub fn remove(session: &Session<'_>, set: &SetName) -> Result<Report> {
    let mut report = destroy(session, set)?;
    let _lock = session.lock_set(set)?;
    let used: BTreeSet<String> = session
        .podman
        .containers()?
        .iter()
        .filter(|container| container.label(label::SET) != Some(set.as_str()))
        .filter_map(|container| container.label(label::IMAGE).map(str::to_owned))
        .collect();
    let images = session.podman.inventory()?.images;
    let ours = images.iter().flat_map(|image| &image.names).filter(|name| name.starts_with("localhost/podfarm/"));
    let unused: Vec<_> = ours.filter(|name| !used.contains(*name)).cloned().collect();
    if unused.is_empty() {
        return Ok(report);
    }
    let step = Step::new(
        format!("remove images {}", unused.join(", ")),
        "no other set uses them",
        Work::Command(argv::image_remove(&unused)),
    );
    if !session.dry_run {
        session.progress.say(&format!("{} ({})", step.what, step.reason));
        // An image that others build on stays until they are gone; podman says so, and that is no failure.
        let _ = session.podman.output(&argv::image_remove(&unused), Input::Nothing);
    }
    report.stages.push(vec![step]);
    Ok(report)
}
