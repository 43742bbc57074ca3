//! open, shell, exec and cp: getting at members.

use std::io::IsTerminal;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;

use crate::cli::{Cp, Exec, Open, Shell};
use crate::desired::label;
use crate::failure::{Failure, Kind};
use crate::lifecycle::Session;
use crate::podman::{argv, observe::Container};
use crate::process::{Argv, Input, Runner, find_program};
use crate::set::SetName;
use crate::status;
use crate::ui::Ui;

use super::{Outcome, known};

/// A browser that cannot be started says so within this time; one that fails later was in use.
const SOON: Duration = Duration::from_secs(1);

/// A member, by its name within the set.
///
/// # Errors
/// As [`known::members`]; [`Kind::Usage`] where there is none of that name.
pub(super) fn member(session: &Session<'_>, set: &SetName, name: &str) -> Result<Container> {
    let ours = known::members(session, set)?;
    let found = ours.iter().find(|container| is_called(container, name));
    found.cloned().ok_or_else(|| {
        let mut known: Vec<_> = ours.iter().filter_map(|container| container.label(label::MEMBER)).collect();
        known.sort_unstable();
        Failure::new(Kind::Usage, format!("set {set} has no member {name}"))
            .hint(format!("its members: {}", known.join(", ")))
            .into()
    })
}

/// Whether a container is the member of that name, within the set or in full.
pub(super) fn is_called(container: &Container, name: &str) -> bool {
    container.label(label::MEMBER) == Some(name) || container.name() == name
}

fn running<'a>(container: &'a Container, set: &SetName) -> Result<&'a str> {
    if container.running() {
        return Ok(container.name());
    }
    Err(Failure::new(Kind::Failed, format!("{} is {}, not running", container.name(), container.state))
        .hint(format!("podfarm start {set}"))
        .into())
}

pub fn open(session: &Session<'_>, arguments: &Open, ui: &Ui) -> Result<()> {
    let set = &arguments.set;
    let members = known::members(session, set)?;
    let pages = status::pages(&members.iter().collect::<Vec<_>>());
    let page = match &arguments.wiki {
        Some(wiki) => pages.iter().find(|page| page.name == *wiki),
        None => pages.first(),
    };
    let Some(page) = page else {
        let what = arguments.wiki.as_ref().map_or_else(|| "no wiki".to_owned(), |wiki| format!("no wiki {wiki}"));
        let failure = Failure::new(Kind::Usage, format!("set {set} has {what} that could be opened"));
        let names: Vec<_> = pages.iter().map(|page| page.name.as_str()).collect();
        return Err(if names.is_empty() { failure } else { failure.hint(format!("its wikis: {}", names.join(", "))) }.into());
    };
    running(page.container, set)?;
    ui.result(&page.url);
    let browsers = ["xdg-open", "sensible-browser", "open"].into_iter().filter(|program| find_program(program).is_some());
    let opened = browsers.map(|browser| Runner::new().launch(&Argv::new(browser).arg(&page.url), SOON)).any(|ran| ran.is_ok());
    if !opened {
        session.progress.say("no browser could be started here: open this address in one of yours");
    }
    Ok(())
}

pub fn shell(session: &Session<'_>, arguments: &Shell) -> Result<Outcome> {
    let name = arguments.member.as_deref().unwrap_or("snapshot1");
    let member = member(session, &arguments.set, name)?;
    let name = running(&member, &arguments.set)?;
    let terminal = std::io::stdin().is_terminal();
    // sshd greets by itself; podman does not.
    let greeting = if terminal { "cat /etc/motd 2>/dev/null; " } else { "" };
    run_inside(&argv::exec(name, None, terminal, &["sh".to_owned(), "-c".to_owned(), format!("{greeting}exec bash -l")]))
}

pub fn exec(session: &Session<'_>, arguments: &Exec) -> Result<Outcome> {
    let member = member(session, &arguments.set, &arguments.member)?;
    let name = running(&member, &arguments.set)?;
    let terminal = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    run_inside(&argv::exec(name, arguments.user.as_deref(), terminal, &arguments.command))
}

fn run_inside(argv: &Argv) -> Result<Outcome> {
    let status = Runner::new().interactive(argv)?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
}

pub fn copy(session: &Session<'_>, arguments: &Cp) -> Result<()> {
    let sides = [&arguments.from, &arguments.to].map(|written| member_and_path(written));
    let refused = |why: &str| Failure::new(Kind::Usage, why).hint("write MEMBER:PATH, such as mw:/tmp/, and . for this folder");
    if sides.iter().any(|(_, path)| path.is_empty()) {
        return Err(refused("a path is empty").into());
    }
    if sides.iter().all(|(member, _)| member.is_none()) {
        return Err(refused("neither path is inside of a member").into());
    }
    let place = |(name, path): (Option<&str>, &str)| -> Result<String> {
        Ok(match name {
            Some(name) => format!("{}:{path}", member(session, &arguments.set, name)?.name()),
            // For podman nothing is a container's that begins with a dot or a slash; and how it ends counts: `/.` is the contents.
            None => Path::new(".").join(path).display().to_string(),
        })
    };
    let [from, to] = sides;
    session.podman.output(&argv::copy(&place(from)?, &place(to)?), Input::Nothing).map(drop)
}

/// As scp has it: a colon after the first slash is part of a path here.
fn member_and_path(written: &str) -> (Option<&str>, &str) {
    match written.split_once(':').filter(|(name, _)| !name.contains('/')) {
        Some((name, path)) => (Some(name), path),
        None => (None, written),
    }
}
