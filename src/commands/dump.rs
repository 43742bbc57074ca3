//! dump: the dumps of a set's wikis, made on its snapshot hosts.

use anyhow::Result;
use serde_json::json;

use super::Outcome;
use crate::cli::{Dump, Format};
use crate::dump::{self, Date, Request, Status, Verdict};
use crate::failure::{Failure, Kind};
use crate::farm;
use crate::lifecycle::Session;
use crate::set::{self, Set};
use crate::ui::Ui;

/// The version of what `dump --format json` prints.
const FORMAT_VERSION: u32 = 1;

pub fn run(session: &Session<'_>, arguments: &Dump, ui: &Ui) -> Result<Outcome> {
    let set = set::load(&arguments.set, &session.paths)?;
    let request = Request {
        wikis: wikis(&set, &arguments.wikis)?,
        jobs: arguments.job.clone(),
        date: arguments.date.clone().unwrap_or_else(Date::today),
        snapshot: arguments.snapshot,
    };
    check_current(session, &set)?;
    let verdicts = dump::run(session, &set.name, &request)?;
    match arguments.format {
        Format::Json => ui.result(&serde_json::to_string_pretty(&json!({"version": FORMAT_VERSION, "jobs": verdicts}))?),
        Format::Text => table(&verdicts, ui),
    }
    let good = verdicts.iter().all(|verdict| verdict.status == Status::Done);
    Ok(if good { 0 } else { Kind::Verdict.exit_status() })
}

/// Refuses where the hosts do not know yet what the set file says of its wikis: they would publish one that is private now.
fn check_current(session: &Session<'_>, set: &Set) -> Result<(), Failure> {
    let outdated = farm::outdated(&session.paths.set(&set.name).join("farm"), set);
    if outdated.is_empty() {
        return Ok(());
    }
    let databases = Vec::from_iter(outdated).join(", ");
    let text = format!("set {} does not know yet what its file says now of {databases}", set.name);
    Err(Failure::new(Kind::Failed, text).hint(format!("podfarm up {}", set.name)))
}

/// The wikis that are named, each once, else all; by their directories.
fn wikis(set: &Set, named: &[String]) -> Result<Vec<String>> {
    let find = |name: &String| {
        let found = set.wikis.iter().find(|(wiki, about)| wiki.as_str() == name || about.db.as_str() == name);
        let known: Vec<_> = set.wikis.keys().map(ToString::to_string).collect();
        found.map(|(wiki, _)| wiki.to_string()).ok_or_else(|| {
            Failure::new(Kind::Usage, format!("set {} has no wiki {name}", set.name))
                .hint(format!("its wikis: {}", known.join(", ")))
        })
    };
    if named.is_empty() {
        return Ok(set.wikis.keys().map(ToString::to_string).collect());
    }
    let mut wikis = Vec::new();
    for name in named {
        let wiki = find(name)?;
        if !wikis.contains(&wiki) {
            wikis.push(wiki);
        }
    }
    Ok(wikis)
}

fn table(verdicts: &[Verdict], ui: &Ui) {
    let row = |verdict: &Verdict| {
        let status = if verdict.status == Status::Done { "done" } else { "failed" };
        let why = verdict.why.clone().unwrap_or_default();
        vec![
            verdict.wiki.clone(),
            verdict.job.clone(),
            status.to_owned(),
            format!("{:.1}", verdict.seconds),
            verdict.host.clone(),
            why,
        ]
    };
    ui.table(&["wiki", "job", "verdict", "seconds", "host", "why"], &verdicts.iter().map(row).collect::<Vec<_>>());
}
