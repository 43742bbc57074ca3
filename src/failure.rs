//! What can go wrong, as the exit status tells it, and the hint that says what to do.

use std::fmt;

use anyhow::Result;

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
    failures(error).first().map_or(Kind::Failed, |failure| failure.kind)
}

/// All hints in an error's chain, outermost first.
pub fn hints(error: &anyhow::Error) -> Vec<&str> {
    failures(error).into_iter().filter_map(|failure| failure.hint.as_deref()).collect()
}

fn failures(error: &anyhow::Error) -> Vec<&Failure> {
    // One that was added as a context is behind a type of anyhow's own in the chain; only the error itself finds it.
    let mut found: Vec<&Failure> = error.downcast_ref().into_iter().collect();
    for failure in error.chain().filter_map(|cause| cause.downcast_ref::<Failure>()) {
        if !found.iter().any(|known| std::ptr::eq(*known, failure)) {
            found.push(failure);
        }
    }
    found
}

/// One error of several, which tells them all, each on a line of its own; its kind and hints are the first one's.
///
/// # Errors
/// That one, where there are any.
pub fn join(mut errors: Vec<anyhow::Error>) -> Result<()> {
    if errors.len() < 2 {
        return errors.pop().map_or(Ok(()), Err);
    }
    let all: Vec<_> = errors.iter().map(|error| format!("{error:#}")).collect();
    Err(errors.swap_remove(0).context(all.join("\n")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::anyhow;

    #[test]
    fn a_failure_counts_wherever_it_is() {
        let failure = || Failure::new(Kind::Machine, "no podman").hint("install it");
        let inner = anyhow::Error::from(failure()).context("trying");
        let outer = anyhow!("not found").context(failure()).context("trying");
        for error in [failure().into(), inner, outer] {
            assert_eq!((kind(&error), hints(&error)), (Kind::Machine, vec!["install it"]), "{error:#}");
        }
        assert_eq!(kind(&anyhow!("no")), Kind::Failed);
    }
    #[test]
    fn of_several_all_are_told_and_the_first_counts() {
        let failure = |kind, message| anyhow::Error::from(Failure::new(kind, message).hint("do it")).context("wiki a");
        assert!(join(Vec::new()).is_ok());
        let one = join(vec![failure(Kind::Machine, "no podman")]).unwrap_err();
        assert_eq!(format!("{one:#}"), "wiki a: no podman");
        let several = join(vec![failure(Kind::Machine, "no podman"), anyhow!("second"), failure(Kind::Usage, "third")]);
        let several = several.unwrap_err();
        assert_eq!(several.to_string(), "wiki a: no podman\nsecond\nwiki a: third");
        assert_eq!((kind(&several), hints(&several)), (Kind::Machine, vec!["do it"]));
    }
}
