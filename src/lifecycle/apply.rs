//! Doing the steps of a plan: those of a stage side by side, one stage after the other.

use anyhow::{Context, Result, anyhow};

use super::{Report, Session, secrets};
use crate::failure::join;
use crate::farm;
use crate::plan::{Stage, Step, Work};
use crate::process::{Input, side_by_side};

/// Processes that run at the same time; podman gains nothing from more (measured on two cores).
const SIDE_BY_SIDE: usize = 8;

/// What native steps need besides the steps themselves.
pub(super) trait Native: Sync {
    /// Writes the set's configuration.
    fn write_files(&self) -> Result<()>;
    /// Fills the set's shared folders from its seed.
    fn copy_seed(&self) -> Result<()>;
}

/// Teardown has no native steps of its own.
pub(super) struct NoNative;

impl Native for NoNative {
    fn write_files(&self) -> Result<()> {
        Ok(())
    }

    fn copy_seed(&self) -> Result<()> {
        Ok(())
    }
}

/// What is to happen when a step fails.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum OnFailure {
    /// Later stages need earlier ones.
    Stop,
    /// Taking down goes on past an error, and reports all of them.
    GoOn,
}

/// Applies stages and records them in the report; in a dry run, records alone.
///
/// # Errors
/// Of every step that failed.
pub(super) fn apply(
    session: &Session<'_>,
    report: &mut Report,
    stages: Vec<Stage>,
    native: &dyn Native,
    on_failure: OnFailure,
) -> Result<()> {
    let mut errors = Vec::new();
    for stage in stages {
        if !session.dry_run {
            for step in &stage {
                session.progress.say(&format!("{} ({})", step.what, step.reason));
            }
            let results = side_by_side(&stage, SIDE_BY_SIDE, |step| perform(session, step, native));
            let failed = stage.iter().zip(results).filter_map(|(step, result)| Some((step, result.err()?)));
            errors.extend(failed.map(|(step, error)| error.context(format!("{}: failed", step.what))));
        }
        report.stages.push(stage);
        if !errors.is_empty() && on_failure == OnFailure::Stop {
            break;
        }
    }
    join(errors)
}

fn perform(session: &Session<'_>, step: &Step, native: &dyn Native) -> Result<()> {
    match &step.work {
        Work::Command(argv) => session.podman.output(argv, Input::Nothing).map(drop),
        Work::Attempt(argv) => {
            let _ = session.podman.output(argv, Input::Nothing);
            Ok(())
        }
        Work::Secret(name) => secrets::create(session, name),
        Work::Files => native.write_files(),
        Work::Seeded => native.copy_seed(),
        Work::RemoveFolder(folder) => {
            farm::remove_tree(&session.podman, folder).with_context(|| format!("{}: cannot be removed", folder.display()))
        }
        Work::Prepare(_) => Err(anyhow!("{} is not done here", step.what)),
    }
}
