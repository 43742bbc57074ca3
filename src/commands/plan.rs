//! plan: what `up` would do, and why.

use std::time::Duration;

use anyhow::Result;
use serde::Serialize;

use super::change::each;
use crate::cli::{Format, Plan};
use crate::lifecycle::{self, Report, Session, Up};
use crate::plan::{Step, Work};
use crate::podman::argv;
use crate::process::Argv;
use crate::set::SetName;
use crate::ui::Ui;

/// The version of what `plan --format json` prints.
const FORMAT_VERSION: u32 = 1;

/// What `plan --format json` prints. docs/commands.md describes it.
#[derive(Serialize)]
struct Plans {
    version: u32,
    sets: Vec<Planned>,
}

#[derive(Serialize)]
struct Planned {
    name: String,
    /// One after the other; the steps of one at the same time.
    stages: Vec<Vec<PlannedStep>>,
}

#[derive(Serialize)]
struct PlannedStep {
    what: String,
    reason: String,
    /// Each as its words, program first.
    commands: Vec<Vec<String>>,
}

pub fn run(mut session: Session<'_>, arguments: &Plan, ui: &Ui) -> Result<()> {
    session.dry_run = true;
    let mut planned = Vec::new();
    let outcome = each(&arguments.sets, ui, |set| {
        // Nothing is waited for.
        let mut report = lifecycle::up(&session, set, Up { timeout: Duration::ZERO })?;
        leave_out_files(&mut report);
        match arguments.format {
            Format::Json => planned.push(Planned::new(set, report)),
            Format::Text => print(set, &report, ui),
        }
        Ok(())
    });
    if arguments.format == Format::Json && !planned.is_empty() {
        ui.result(&serde_json::to_string_pretty(&Plans { version: FORMAT_VERSION, sets: planned })?);
    }
    outcome
}

/// A set's configuration is written each time: that alone is nothing to do.
fn leave_out_files(report: &mut Report) {
    for stage in &mut report.stages {
        stage.retain(|step| !matches!(step.work, Work::Files));
    }
    report.stages.retain(|stage| !stage.is_empty());
}

fn print(set: &SetName, report: &Report, ui: &Ui) {
    if report.stages.is_empty() {
        ui.result(&format!("{set} is up: there is nothing to do"));
    }
    for step in report.stages.iter().flatten() {
        ui.result(&format!("{}: {}", step.what, step.reason));
    }
}

impl Planned {
    fn new(set: &SetName, report: Report) -> Self {
        let stages = report.stages.into_iter().map(|stage| stage.into_iter().map(PlannedStep::from).collect());
        Self { name: set.to_string(), stages: stages.collect() }
    }
}

impl From<Step> for PlannedStep {
    fn from(step: Step) -> Self {
        let commands = match step.work {
            Work::Command(argv) | Work::Attempt(argv) => vec![argv],
            Work::Secret(name) => vec![argv::secret_create(&name)],
            Work::Prepare(commands) => commands,
            Work::Files | Work::Seeded | Work::RemoveFolder(_) => Vec::new(),
        };
        let words = |argv: &Argv| argv.words().to_vec();
        Self { what: step.what, reason: step.reason, commands: commands.iter().map(words).collect() }
    }
}
