use std::process::ExitCode;

use clap::Parser;
use podfarm::cli::Cli;
use podfarm::{commands, failure, ui::Ui};

fn main() -> ExitCode {
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
