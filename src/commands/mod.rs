//! One file a verb, or a family of verbs that differ in one call: arguments in, core called, report out.

mod access;
mod change;
mod doctor;
mod dump;
mod hostdns;
mod init;
mod inspect;
mod known;
mod logs;
mod plan;
mod ssh_config;

use anyhow::Result;
use clap::CommandFactory;

use crate::cli::{Cli, Command};
use crate::lifecycle::Session;
use crate::paths::Paths;
use crate::ui::Ui;

/// What a verb came to besides what it printed: the exit status of a command that was run in a member, else 0.
pub type Outcome = u8;

/// Runs a command line.
///
/// # Errors
/// Whatever the verb fails with; `crate::failure::kind` tells the exit status.
pub fn run(cli: Cli, ui: &Ui) -> Result<Outcome> {
    if let Command::Completions { shell } = cli.command {
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut Cli::command(), "podfarm", &mut script);
        ui.result(&String::from_utf8_lossy(&script));
        return Ok(0);
    }
    let session = Session::new(Paths::from_environment()?, ui);
    match cli.command {
        Command::Up(_)
        | Command::Down(_)
        | Command::Build(_)
        | Command::Create(_)
        | Command::Start(_)
        | Command::Stop(_)
        | Command::Destroy(_)
        | Command::Remove(_)
        | Command::Reset(_) => change::run(session, cli.command, ui)?,
        Command::Plan(arguments) => plan::run(session, &arguments, ui)?,
        Command::List(arguments) => inspect::list(&session, &arguments, ui)?,
        Command::Dump(arguments) => return dump::run(&session, &arguments, ui),
        Command::Status(arguments) => inspect::status(&session, &arguments, ui)?,
        Command::Open(arguments) => access::open(&session, &arguments, ui)?,
        Command::Shell(arguments) => return access::shell(&session, &arguments),
        Command::Exec(arguments) => return access::exec(&session, &arguments),
        Command::Cp(arguments) => access::copy(&session, &arguments)?,
        Command::Logs(arguments) => logs::run(&session, &arguments, ui)?,
        Command::SshConfig(arguments) => ssh_config::run(&session, &arguments, ui)?,
        Command::Doctor(arguments) => doctor::run(&session, &arguments, ui)?,
        Command::Hostdns(command) => hostdns::run(&session, &command, ui)?,
        Command::Init(arguments) => init::run(&arguments, ui)?,
        Command::Completions { .. } => unreachable!("done above"),
    }
    Ok(0)
}
