use std::process::ExitCode;

use clap::Parser;
use nix::sys::stat::{Mode, umask};
use podfarm::cli::Cli;
use podfarm::{commands, failure, ui::Ui};

fn main() -> ExitCode {
    // What podfarm and its children write is mounted by members and read by their users, who are others to this machine. What
    // is nobody else's lies in a folder that only the user can look into; secrets and keys have modes of their own.
    umask(Mode::S_IWGRP | Mode::S_IWOTH);
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        // clap's own exit status for a wrong command line is the one we promise: 2.
        Err(error) => error.exit(),
    };
    let ui = Ui::new(cli.quiet);
    match commands::run(cli, &ui) {
        Ok(status) => ExitCode::from(status),
        Err(error) => {
            ui.error(&error);
            ExitCode::from(failure::kind(&error).exit_status())
        }
    }
}
