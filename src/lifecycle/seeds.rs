//! The seed that a set was created from: its databases are layers over it, for as long as it lives.

use std::path::Path;

use anyhow::Result;

use super::Session;
use super::prepare::Ingredients;
use crate::failure::{Failure, Kind};
use crate::farm;
use crate::set::SetName;

/// Refuses to go on where the seed has been removed: nothing else fits under the set's databases.
pub(super) fn check_there(set: &SetName, seed: Option<&Path>) -> Result<()> {
    let Some(seed) = seed.filter(|seed| !seed.exists()) else { return Ok(()) };
    let text = format!("the seed that set {set} was created from is gone: {}", seed.display());
    Err(Failure::new(Kind::Failed, text).hint(anew(set)).into())
}

/// Refuses to bring a set up with wikis that its databases were not made for.
pub(super) fn check_fits(session: &Session<'_>, ingredients: &Ingredients, seed: &Path) -> Result<()> {
    let set = &ingredients.set.name;
    let wrong = farm::misfits(seed, &ingredients.seed(session)?);
    if wrong.is_empty() {
        return Ok(());
    }
    let text = format!("set {set} cannot go on with the databases it was created with: {}", wrong.join("; "));
    Err(Failure::new(Kind::Failed, text).hint(anew(set)).into())
}

/// Says that a set goes on with the seed it was created from although its inputs have changed: taking them would cost its edits and
/// its dumps.
pub(super) fn note_new(session: &Session<'_>, ingredients: &Ingredients, seed: &Path) -> Result<()> {
    if ingredients.seed(session)?.path != seed {
        session.progress.say(&format!(
            "note: what {0} is made from has changed; `podfarm reset {0}` takes it, and drops the edits and the dumps",
            ingredients.set.name
        ));
    }
    Ok(())
}

fn anew(set: &SetName) -> String {
    format!("`podfarm reset {set}` makes it anew as its file says, and drops the edits and the dumps")
}
