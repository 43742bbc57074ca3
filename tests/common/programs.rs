//! Programs that are not podfarm.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::ran::Ran;

/// Where a program is on PATH.
pub fn which(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").expect("PATH is set");
    let mut all = std::env::split_paths(&path).map(|folder| folder.join(name));
    all.find(|program| program.is_file()).unwrap_or_else(|| panic!("{name} is not on PATH"))
}

/// A command that is not podfarm's.
#[allow(clippy::disallowed_methods)]
pub fn command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    Command::new(program)
}

/// Runs a program that is not podfarm.
pub fn run(program: &str, arguments: &[&str]) -> Ran {
    let output = command(program).args(arguments).stdin(Stdio::null()).output();
    Ran::new(format!("{program} {}", arguments.join(" ")), output.unwrap_or_else(|error| panic!("{program}: {error}")))
}
