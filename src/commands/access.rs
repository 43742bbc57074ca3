//! open, shell, exec and cp: getting at members.

use std::io::IsTerminal;

use anyhow::Result;

use crate::cli::{Cp, Exec, Open, Shell};
use crate::desired::label;
use crate::failure::{Failure, Kind};
use crate::lifecycle::Session;
use crate::plan;
use crate::podman::{argv, observe::Container};
use crate::process::{Argv, Input, Runner, find_program};
use crate::set::{self, SetName};
use crate::status;
use crate::ui::Ui;

use super::Outcome;

/// A running member, by its name within the set.
///
/// # Errors
/// [`Kind::Usage`] where there is none of that name, [`Kind::Failed`] where it does not run.
pub(super) fn member(session: &Session<'_>, set: &SetName, name: &str) -> Result<Container> {
    let containers = session.podman.containers()?;
    let ours = plan::containers_of(&containers, set);
    if ours.is_empty() {
        set::find(set, &session.paths)?;
        return Err(Failure::new(Kind::Failed, format!("set {set} does not exist")).hint(format!("podfarm up {set}")).into());
    }
    let found = ours.iter().find(|container| container.label(label::MEMBER) == Some(name) || container.name() == name);
    found.map(|container| (*container).clone()).ok_or_else(|| {
        let mut known: Vec<_> = ours.iter().filter_map(|container| container.label(label::MEMBER)).collect();
        known.sort_unstable();
        Failure::new(Kind::Usage, format!("set {set} has no member {name}"))
            .hint(format!("its members: {}", known.join(", ")))
            .into()
    })
}

fn running(container: Container, set: &SetName) -> Result<Container> {
    if container.running() {
        return Ok(container);
    }
    Err(Failure::new(Kind::Failed, format!("{} is {}, not running", container.name(), container.state))
        .hint(format!("podfarm start {set}"))
        .into())
}

pub fn open(session: &Session<'_>, arguments: &Open, ui: &Ui) -> Result<()> {
    let containers = session.podman.containers()?;
    let urls: Vec<_> = plan::containers_of(&containers, &arguments.set).into_iter().flat_map(status::urls).collect();
    let url = match &arguments.wiki {
        Some(wiki) => urls.iter().find(|(name, _)| name == wiki),
        None => urls.first(),
    };
    let Some((_, url)) = url else {
        let known: Vec<_> = urls.iter().map(|(name, _)| name.as_str()).collect();
        let what = arguments.wiki.as_ref().map_or_else(|| "no wiki".to_owned(), |wiki| format!("no wiki {wiki}"));
        let hint =
            if known.is_empty() { format!("podfarm up {}", arguments.set) } else { format!("its wikis: {}", known.join(", ")) };
        return Err(Failure::new(Kind::Usage, format!("set {} has {what} that could be opened", arguments.set))
            .hint(hint)
            .into());
    };
    ui.result(url);
    let browsers = ["xdg-open", "sensible-browser", "open"].into_iter().filter(|program| find_program(program).is_some());
    let opened =
        browsers.map(|browser| Runner::new().output(&Argv::new(browser).arg(url.clone()), Input::Nothing)).any(|ran| ran.is_ok());
    if !opened {
        session.progress.say("no browser could be started here: open this address in one of yours");
    }
    Ok(())
}

pub fn shell(session: &Session<'_>, arguments: &Shell) -> Result<Outcome> {
    let name = arguments.member.as_deref().unwrap_or("snapshot1");
    let container = running(member(session, &arguments.set, name)?, &arguments.set)?;
    let terminal = std::io::stdin().is_terminal();
    // sshd greets by itself; podman does not.
    let greeting = if terminal { "cat /etc/motd 2>/dev/null; " } else { "" };
    run_inside(&argv::exec(
        container.name(),
        None,
        terminal,
        &["sh".to_owned(), "-c".to_owned(), format!("{greeting}exec bash -l")],
    ))
}

pub fn exec(session: &Session<'_>, arguments: &Exec) -> Result<Outcome> {
    let container = running(member(session, &arguments.set, &arguments.member)?, &arguments.set)?;
    let terminal = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    run_inside(&argv::exec(container.name(), arguments.user.as_deref(), terminal, &arguments.command))
}

fn run_inside(argv: &Argv) -> Result<Outcome> {
    let status = Runner::new().interactive(argv)?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
}

pub fn copy(session: &Session<'_>, arguments: &Cp) -> Result<()> {
    let place = |written: &str| -> Result<String> {
        // As scp has it: a colon after the first slash is part of a path here.
        match written.split_once(':').filter(|(name, _)| !name.contains('/')) {
            Some((name, path)) => Ok(format!("{}:{path}", member(session, &arguments.set, name)?.name())),
            None => Ok(std::path::absolute(written)?.display().to_string()),
        }
    };
    let inside = |written: &str| written.split_once(':').is_some_and(|(name, _)| !name.contains('/'));
    if !inside(&arguments.from) && !inside(&arguments.to) {
        return Err(Failure::new(Kind::Usage, "neither path is inside of a member")
            .hint("write one of them as MEMBER:PATH")
            .into());
    }
    session.podman.output(&argv::copy(&place(&arguments.from)?, &place(&arguments.to)?), Input::Nothing).map(drop)
}
