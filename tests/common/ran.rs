//! What a command did, and what is expected of it.

use std::fmt;
use std::process::Output;

pub struct Ran {
    pub line: String,
    pub status: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    pub fn new(line: String, output: Output) -> Self {
        Self {
            line,
            status: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// It succeeded, and had nothing to warn of.
    #[track_caller]
    pub fn ok(self) -> Self {
        let ran = self.status(0);
        let warned = ran.stderr.lines().any(|line| line.starts_with("warning:") || line.starts_with("error:"));
        assert!(!warned, "a warning that nobody expected: {ran}");
        ran
    }

    /// Tells of it, for whoever reads a test's output.
    pub fn show(&self) {
        eprintln!("{self}");
    }

    #[track_caller]
    pub fn status(self, expected: i32) -> Self {
        assert_eq!(self.status, expected, "{self}");
        self
    }

    #[track_caller]
    pub fn stdout_has(self, text: &str) -> Self {
        assert!(self.stdout.contains(text), "no {text:?} in stdout of {self}");
        self
    }

    #[track_caller]
    pub fn stderr_has(self, text: &str) -> Self {
        assert!(self.stderr.contains(text), "no {text:?} in stderr of {self}");
        self
    }

    #[track_caller]
    pub fn stderr_has_not(self, text: &str) -> Self {
        assert!(!self.stderr.contains(text), "{text:?} is in stderr of {self}");
        self
    }
}

impl fmt::Display for Ran {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` (status {})\nstdout: {}\nstderr: {}", self.line, self.status, self.stdout, self.stderr)
    }
}
