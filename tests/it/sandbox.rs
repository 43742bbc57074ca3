//! A clean place for one test: folders of its own, a set name of its own, and nothing left behind.

use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::atomic::{AtomicU32, Ordering};

static NEXT: AtomicU32 = AtomicU32::new(0);

/// A place with its own podfarm folders. podman's storage and podfarm's cache are shared by all tests: images and seeds are made once.
pub struct Sandbox {
    folder: tempfile::TempDir,
    /// Part of every object's name: the process and the test within it.
    id: String,
    sets: Vec<String>,
    environment: Vec<(String, String)>,
}

/// What a podfarm did.
pub struct Ran {
    pub line: String,
    pub status: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Sandbox {
    pub fn new() -> Self {
        let id = format!("t{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let folder = tempfile::Builder::new().prefix("podfarm-test").tempdir().expect("a temporary folder");
        Self { folder, id, sets: Vec::new(), environment: Vec::new() }
    }

    /// Writes a set file under a name of this test's own, and returns the name.
    pub fn set(&mut self, name: &str, yaml: &str) -> String {
        let set = format!("{name}-{}", self.id);
        self.write(&format!("sets/{set}.yaml"), yaml);
        self.sets.push(set.clone());
        set
    }

    /// Writes a file below the sandbox, and returns its path.
    pub fn write(&self, path: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path().join(path);
        std::fs::create_dir_all(path.parent().expect("a file in a folder")).expect("a folder");
        std::fs::write(&path, content).expect("a file");
        path
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A variable in the environment of every podfarm run here.
    #[allow(dead_code)]
    pub fn env(&mut self, key: &str, value: &str) {
        self.environment.push((key.to_owned(), value.to_owned()));
    }

    /// A podfarm command, not yet run.
    #[allow(clippy::disallowed_methods)]
    pub fn command(&self, arguments: &[&str]) -> std::process::Command {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_podfarm"));
        command
            .args(arguments)
            .current_dir(self.path())
            .env("PODFARM_CONFIG", self.path().join("config"))
            .env("PODFARM_DATA", self.path().join("data"))
            .env_remove("NO_COLOR")
            .envs(self.environment.iter().map(|(key, value)| (key, value)));
        command
    }

    /// Runs podfarm.
    pub fn run(&self, arguments: &[&str]) -> Ran {
        let output = self.command(arguments).output().expect("podfarm starts");
        Ran::new(format!("podfarm {}", arguments.join(" ")), output)
    }
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

    #[track_caller]
    pub fn ok(self) -> Self {
        self.status(0)
    }

    #[track_caller]
    pub fn status(self, expected: i32) -> Self {
        assert_eq!(self.status, expected, "{}\nstdout: {}\nstderr: {}", self.line, self.stdout, self.stderr);
        self
    }

    #[track_caller]
    pub fn stdout_has(self, text: &str) -> Self {
        assert!(self.stdout.contains(text), "{}: no {text:?} in stdout: {}\nstderr: {}", self.line, self.stdout, self.stderr);
        self
    }

    #[track_caller]
    pub fn stderr_has(self, text: &str) -> Self {
        assert!(self.stderr.contains(text), "{}: no {text:?} in stderr: {}", self.line, self.stderr);
        self
    }
}
