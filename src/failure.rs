//! What can go wrong, as the exit status tells it, and the hint that says what to do.

use std::fmt;

/// The kinds of failure a caller can tell apart by the exit status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It was tried and did not work.
    Failed,
    /// The command line asks for something that is not there.
    Usage,
    /// The set file is wrong.
    SetFile,
    /// This machine is not ready.
    Machine,
    /// A test's verdict is "fail".
    Verdict,
}

impl Kind {
    /// The exit status, as documented in docs/commands.md.
    pub fn exit_status(self) -> u8 {
        match self {
            Self::Failed => 1,
            Self::Usage => 2,
            Self::SetFile => 3,
            Self::Machine => 4,
            Self::Verdict => 5,
        }
    }
}

/// An error with a kind and, where there is one, a hint: what the user can do about it.
#[derive(Debug)]
pub struct Failure {
    pub kind: Kind,
    message: String,
    pub hint: Option<String>,
}

impl Failure {
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hint: None }
    }

    /// The same failure, with what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

/// The kind of an error: that of the outermost [`Failure`] in its chain.
pub fn kind(error: &anyhow::Error) -> Kind {
    error.chain().find_map(|cause| cause.downcast_ref::<Failure>()).map_or(Kind::Failed, |failure| failure.kind)
}

/// All hints in an error's chain, outermost first.
pub fn hints(error: &anyhow::Error) -> Vec<&str> {
    error.chain().filter_map(|cause| cause.downcast_ref::<Failure>()?.hint.as_deref()).collect()
}
