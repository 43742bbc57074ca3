//! logs: what members said on their consoles and wrote into their logs, which lie readable in the set's folder.

use std::path::PathBuf;

use anyhow::Result;

use super::access;
use crate::cli::Logs;
use crate::failure::{Failure, Kind};
use crate::lifecycle::Session;
use crate::plan;
use crate::podman::argv;
use crate::process::{Argv, Input, Runner};
use crate::status;
use crate::ui::Ui;

/// What the main process of a member says.
const CONSOLE: &str = "console";

pub fn run(session: &Session<'_>, arguments: &Logs, ui: &Ui) -> Result<()> {
    let chosen = match &arguments.member {
        Some(name) => vec![access::member(session, &arguments.set, name)?],
        None => plan::containers_of(&session.podman.containers()?, &arguments.set).into_iter().cloned().collect(),
    };
    if chosen.is_empty() {
        return Err(Failure::new(Kind::Failed, format!("set {} does not exist", arguments.set)).hint(format!("podfarm up {}", arguments.set)).into());
    }
    let lines = usize::try_from(arguments.lines)?;
    let mut files: Vec<PathBuf> = Vec::new();
    let mut found = false;
    for container in &chosen {
        let wanted = |name: &str| arguments.log.as_deref().is_none_or(|log| log == name);
        if wanted(CONSOLE) {
            found = true;
            let text = session.podman.output(&argv::logs(container.name(), lines), Input::Nothing)?;
            print(ui, container.name(), CONSOLE, text.lines());
        }
        for (name, file) in status::log_files(container).into_iter().filter(|(name, _)| wanted(name)) {
            found = true;
            print(ui, container.name(), &name, status::tail(&file, lines).iter().map(String::as_str));
            files.push(file);
        }
    }
    if !found {
        let mut known: Vec<_> = chosen.iter().flat_map(|container| status::log_files(container).into_keys()).chain([CONSOLE.to_owned()]).collect();
        known.sort();
        known.dedup();
        return Err(Failure::new(Kind::Usage, format!("there is no log {:?}", arguments.log.as_deref().unwrap_or_default())).hint(format!("known: {}", known.join(", "))).into());
    }
    if arguments.follow {
        follow(&chosen.iter().map(|container| container.name().to_owned()).collect::<Vec<_>>(), &files)?;
    }
    Ok(())
}

fn print<'a>(ui: &Ui, host: &str, log: &str, lines: impl Iterator<Item = &'a str>) {
    for line in lines {
        ui.result(&format!("{host} {log}: {line}"));
    }
}

/// Shows what is added until the user ends it.
fn follow(hosts: &[String], files: &[PathBuf]) -> Result<()> {
    let argv = if files.is_empty() {
        argv::podman().args(["logs", "--follow", "--names", "--tail", "0", "--"]).args(hosts.to_vec())
    } else {
        Argv::new("tail").args(["--follow=name", "--retry", "--quiet", "--lines=0", "--"]).args(files.iter().map(|file| file.display().to_string()))
    };
    Runner::new().interactive(&argv).map(drop)
}
