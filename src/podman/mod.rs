//! Everything podfarm knows of podman: command lines (pure), what podman answers (pure parsers), and running the one to get the other.

use anyhow::Result;

use crate::process::{Argv, Input, Runner};

/// The lowest podman that is supported: what Debian 12 has.
pub const LOWEST: (u32, u32) = (4, 3);

/// The podman of this user.
#[derive(Clone, Debug, Default)]
pub struct Podman {
    runner: Runner,
}

impl Podman {
    pub fn new() -> Self {
        Self::default()
    }

    /// `podman`, to be continued with a verb.
    pub fn argv() -> Argv {
        Argv::new("podman")
    }

    /// Runs a podman command and returns what it printed.
    ///
    /// # Errors
    /// A [`crate::process::CommandError`] where it fails.
    pub fn output(&self, argv: &Argv, input: Input<'_>) -> Result<String> {
        self.runner.output(argv, input)
    }

    /// Runs a podman command, handing its lines over as they come.
    ///
    /// # Errors
    /// A [`crate::process::CommandError`] where it fails.
    pub fn stream(&self, argv: &Argv, on_line: impl FnMut(&str)) -> Result<()> {
        self.runner.stream(argv, Input::Nothing, on_line)
    }
}
