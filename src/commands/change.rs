//! The verbs that change something: up, down, build, create, start, stop, destroy, remove, reset.

use std::time::Duration;

use anyhow::Result;

use crate::cli::{self, Command};
use crate::lifecycle::{self, Report, Session, Up};
use crate::plan::{Step, Work};
use crate::set::SetName;
use crate::ui::Ui;

use super::known::known;

/// One verb on one set.
type Verb = Box<dyn Fn(&Session<'_>, &SetName) -> Result<Report> + Sync>;

pub fn run(mut session: Session<'_>, command: Command, ui: &Ui) -> Result<()> {
    let plain = |changing: cli::Changing, verb: fn(&Session<'_>, &SetName) -> Result<Report>| {
        (changing.sets, changing.dry_run, Box::new(verb) as Verb)
    };
    let waiting = |up: cli::Up, verb: fn(&Session<'_>, &SetName, Up) -> Result<Report>| {
        let options = Up { timeout: Duration::from_secs(up.timeout) };
        let verb: Verb = Box::new(move |session, set| verb(session, set, options));
        (up.changing.sets, up.changing.dry_run, verb)
    };
    let (sets, dry_run, verb) = match command {
        Command::Up(up) => waiting(up, lifecycle::up),
        Command::Start(up) => waiting(up, lifecycle::start),
        Command::Reset(up) => waiting(up, lifecycle::reset),
        Command::Build(changing) => plain(changing, lifecycle::build),
        Command::Create(changing) => plain(changing, lifecycle::create),
        Command::Stop(changing) => plain(changing, lifecycle::stop),
        Command::Down(changing) | Command::Destroy(changing) => plain(changing, lifecycle::destroy),
        Command::Remove(changing) => plain(changing, lifecycle::remove),
        _ => unreachable!("not a verb that changes something"),
    };
    session.dry_run = dry_run;
    each(&sets, ui, |set| {
        known(&session, set)?;
        let report = verb(&session, set)?;
        if dry_run {
            print_commands(&report, ui);
            return Ok(());
        }
        if report.urls.is_empty() && report.stages.iter().all(Vec::is_empty) {
            session.progress.say(&format!("{set}: there was nothing to do"));
        }
        report.urls.values().for_each(|url| ui.result(url));
        Ok(())
    })
}

/// Does something with each set: one's failure does not keep the others from being done.
pub(super) fn each(sets: &cli::Sets, ui: &Ui, mut verb: impl FnMut(&SetName) -> Result<()>) -> Result<()> {
    let failure = |set| {
        let error = verb(set).err()?;
        Some(if sets.sets.len() > 1 { error.context(format!("set {set}")) } else { error })
    };
    let mut failures: Vec<_> = sets.sets.iter().filter_map(failure).collect();
    let Some(last) = failures.pop() else { return Ok(()) };
    failures.iter().for_each(|failure| ui.error(failure));
    Err(last)
}

/// The steps as what a shell would take; what podfarm does itself is a comment.
fn print_commands(report: &Report, ui: &Ui) {
    for step in report.stages.iter().flatten() {
        ui.result(&shown(step));
    }
}

fn shown(step: &Step) -> String {
    match &step.work {
        Work::Command(argv) | Work::Attempt(argv) => argv.to_string(),
        Work::Secret(name) => format!("{} < (fresh random bytes)", crate::podman::argv::secret_create(name)),
        Work::Prepare(commands) => {
            let commands: String = commands.iter().map(|command| format!("\n{command}")).collect();
            format!("# {} ({}){commands}", step.what, step.reason)
        }
        Work::Files | Work::Seeded | Work::RemoveFolder(_) => format!("# {} ({})", step.what, step.reason),
    }
}
