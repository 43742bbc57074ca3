//! Stopping, and leaving nothing.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;

use super::apply::{NoNative, OnFailure, apply};
use super::discard::Note;
use super::prepare::Ingredients;
use super::{Report, Session};
use crate::desired::label;
use crate::failure::join;
use crate::farm;
use crate::image;
use crate::plan::{self, Step, Work};
use crate::podman::{Parts, argv, observe::Container};
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
    let containers = session.podman.containers()?;
    let swept = if session.dry_run { Ok(()) } else { farm::sweep(&session.podman, &session.paths) };
    if !session.dry_run {
        // First of all, so that nobody is sent to what is about to go.
        hostdns::withdraw(&session.paths, set)?;
        ssh::withdraw(&session.paths, set)?;
    }
    Note::Discarding.put(session, set)?;
    let has_pod = plan::are_in_pod(set, &containers);
    // podman removes the members of a pod one after the other, and there is time to ask for the rest meanwhile.
    let (inventory, members) = std::thread::scope(|scope| {
        let inventory = scope.spawn(|| session.podman.inventory_of(Parts { pods: !has_pod, images: false, secrets: true }));
        let members = apply(session, &mut report, plan::destroy_members(set, &containers), &NoNative, OnFailure::GoOn);
        (inventory.join().expect("asking does not panic"), members)
    });
    let folder = Some(session.paths.set(set)).filter(|folder| folder.exists());
    let rest = inventory.and_then(|inventory| {
        apply(session, &mut report, plan::destroy_rest(set, &inventory, folder), &NoNative, OnFailure::GoOn)
    });
    join([members, rest, swept].into_iter().filter_map(Result::err).collect())?;
    Note::Ran.remove(session, set)?;
    Note::Discarding.remove(session, set)?;
    Ok(report)
}

/// Destroys a set and removes the images it is made of, old ones of the same names too, unless a container of another set uses
/// them.
///
/// # Errors
/// As [`destroy`].
pub fn remove(session: &Session<'_>, set: &SetName) -> Result<Report> {
    let before = session.podman.containers()?;
    let made_of = images_of(session, set, &before);
    let mut report = destroy(session, set)?;
    let _lock = session.lock_set(set)?;
    let used: BTreeSet<&str> = before
        .iter()
        .filter(|container| container.label(label::SET) != Some(set.as_str()))
        .filter_map(|container| container.label(label::IMAGE))
        .collect();
    let images = session.podman.images()?;
    let all: Vec<&String> =
        images.iter().flat_map(|image| &image.names).filter(|name| name.starts_with(image::REPOSITORY)).collect();
    let role =
        |tag: &str| tag.strip_prefix(image::REPOSITORY).and_then(|rest| rest.split(':').next()).unwrap_or_default().to_owned();
    let goes = |tag: &&&String| made_of.contains_key(&role(tag)) && !used.contains(tag.as_str());
    // What others are built on is of use as long as there are others.
    let others = all.iter().any(|tag| !goes(&tag) && !made_of.get(&role(tag)).is_some_and(|is_parent| *is_parent));
    let unused: Vec<String> =
        all.iter().filter(goes).filter(|tag| !(others && made_of[&role(tag)])).map(ToString::to_string).collect();
    if unused.is_empty() {
        return Ok(report);
    }
    let step = Step::new(
        format!("remove images {}", unused.join(", ")),
        "no other set uses them",
        // An image that others build on stays until they are gone; podman says so, and that is no failure.
        Work::Attempt(argv::image_remove(&unused)),
    );
    apply(session, &mut report, vec![vec![step]], &NoNative, OnFailure::Stop)?;
    Ok(report)
}

/// The names of the images a set is made of, as its file and its containers say, and whether others are built on them.
fn images_of(session: &Session<'_>, set: &SetName, containers: &[Container]) -> BTreeMap<String, bool> {
    let labels = plan::containers_of(containers, set).into_iter().filter_map(|container| container.label(label::ROLE));
    let mut names: BTreeMap<String, bool> = labels.map(|role| (role.to_owned(), false)).collect();
    // A set can be removed whose file is gone, or wrong by now.
    if let Ok(ingredients) = Ingredients::load(session, set) {
        let parents: BTreeSet<_> = ingredients.images.values().filter_map(|image| image.parent.clone()).collect();
        names.extend(ingredients.images.into_keys().map(|name| (name.clone(), parents.contains(&name))));
    }
    names
}
