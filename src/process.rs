//! The one place that starts processes.
//!
//! A command line is a value ([`Argv`]), built by pure functions elsewhere and printable as what a
//! shell would take; [`Runner`] pins the child's environment, runs it, and turns a failure into an
//! error that shows the command, its exit status and what it said.

use std::ffi::OsStr;
use std::fmt;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

/// A command line: the program and its arguments. Its `Display` is quoted for a shell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Argv(Vec<String>);

impl Argv {
    pub fn new(program: impl Into<String>) -> Self {
        Self(vec![program.into()])
    }

    /// Appends one argument.
    #[must_use]
    pub fn arg(mut self, argument: impl Into<String>) -> Self {
        self.0.push(argument.into());
        self
    }

    /// Appends several arguments.
    #[must_use]
    pub fn args<I, S>(mut self, arguments: I) -> Self
    where
        I: IntoIterator<Item = S>,
        S: Into<String>,
    {
        self.0.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// The words, program first.
    pub fn words(&self) -> &[String] {
        &self.0
    }

    fn program(&self) -> &str {
        &self.0[0]
    }
}

impl fmt::Display for Argv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&shell_words::join(&self.0))
    }
}

/// A command that could not be run, or that ended with anything but success.
#[derive(Debug)]
pub struct CommandError {
    pub argv: Argv,
    /// `None` where the program could not be started at all.
    pub status: Option<ExitStatus>,
    /// What it wrote on its standard error, or why it could not be started.
    pub stderr: String,
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.status {
            Some(status) => write!(f, "`{}` failed ({status})", self.argv)?,
            None => write!(f, "`{}` could not be started", self.argv)?,
        }
        for line in self.stderr.trim_end().lines() {
            write!(f, "\n  {line}")?;
        }
        Ok(())
    }
}

impl std::error::Error for CommandError {}

/// What to feed a child on its standard input.
#[derive(Clone, Copy)]
pub enum Input<'a> {
    Nothing,
    /// Nothing, and no end of it before this process ends, in whatever way: whoever reads it learns of that.
    Open,
    Bytes(&'a [u8]),
    /// The file's contents, handed over without reading them here.
    File(&'a Path),
}

/// Runs commands in a pinned environment.
#[derive(Clone, Debug, Default)]
pub struct Runner {
    environment: Vec<(String, String)>,
    directory: Option<PathBuf>,
    apart: bool,
}

/// Tells every child which podfarm it works for, so that the next one knows the children of one that was killed.
pub const PARENT: &str = "PODFARM_PARENT";

/// Variables that would change what podman, git or apt do or print.
const REMOVED: &[&str] =
    &["CONTAINER_HOST", "CONTAINER_CONNECTION", "PODMAN_USERNS", "GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"];

impl Runner {
    pub fn new() -> Self {
        Self::default()
    }

    /// The same runner with one more variable in the child's environment.
    #[must_use]
    pub fn env(mut self, key: &str, value: &str) -> Self {
        self.environment.push((key.to_owned(), value.to_owned()));
        self
    }

    /// The same runner with children that a terminal's Ctrl-C does not reach: they end what they have begun.
    #[must_use]
    pub fn apart(mut self) -> Self {
        self.apart = true;
        self
    }

    /// The same runner with the child's working directory.
    #[must_use]
    pub fn directory(mut self, directory: &Path) -> Self {
        self.directory = Some(directory.to_owned());
        self
    }

    /// Runs a command and returns its standard output.
    ///
    /// # Errors
    /// A [`CommandError`] if it cannot be started or does not succeed.
    pub fn output(&self, argv: &Argv, input: Input<'_>) -> Result<String> {
        let mut stdout = String::new();
        self.stream(argv, input, |line| {
            stdout.push_str(line);
            stdout.push('\n');
        })?;
        Ok(stdout)
    }

    /// Runs a command, handing each line of its standard output over as it comes.
    ///
    /// # Errors
    /// A [`CommandError`] if it cannot be started or does not succeed.
    pub fn stream(&self, argv: &Argv, input: Input<'_>, mut on_line: impl FnMut(&str)) -> Result<()> {
        let mut command = self.command(argv)?;
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.stdin(match input {
            Input::Nothing => Stdio::null(),
            Input::Open | Input::Bytes(_) => Stdio::piped(),
            Input::File(path) => std::fs::File::open(path).with_context(|| format!("{}: cannot be read", path.display()))?.into(),
        });
        let mut child = spawn(command, argv)?;
        let feeder = feed(&mut child, input);
        let mut stderr_pipe = child.stderr.take().expect("stderr is piped");
        let stderr = thread::spawn(move || {
            let mut bytes = Vec::new();
            let _ = stderr_pipe.read_to_end(&mut bytes);
            String::from_utf8_lossy(&bytes).into_owned()
        });
        for line in BufReader::new(child.stdout.take().expect("stdout is piped")).split(b'\n') {
            on_line(&String::from_utf8_lossy(&line?));
        }
        let status = child.wait()?;
        let stderr = stderr.join().unwrap_or_default();
        if let Some(feeder) = feeder {
            let _ = feeder.join();
        }
        if status.success() {
            return Ok(());
        }
        Err(CommandError { argv: argv.clone(), status: Some(status), stderr }.into())
    }

    /// Runs a command on the user's own terminal and returns how it ended.
    ///
    /// # Errors
    /// A [`CommandError`] if it cannot be started.
    pub fn interactive(&self, argv: &Argv) -> Result<ExitStatus> {
        let mut child = spawn(self.command(argv)?, argv)?;
        Ok(child.wait()?)
    }

    /// Starts a program and leaves it to itself, with what it says, unless it fails within that time.
    ///
    /// # Errors
    /// A [`CommandError`] if it cannot be started, or fails so soon that it has not begun what it is for.
    pub fn launch(&self, argv: &Argv, soon: Duration) -> Result<()> {
        let mut command = self.clone().apart().command(argv)?;
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = spawn(command, argv)?;
        let ends = Instant::now() + soon;
        while Instant::now() < ends {
            match child.try_wait()? {
                Some(status) if status.success() => break,
                Some(status) => {
                    return Err(CommandError { argv: argv.clone(), status: Some(status), stderr: String::new() }.into());
                }
                None => thread::sleep(Duration::from_millis(20)),
            }
        }
        Ok(())
    }

    fn command(&self, argv: &Argv) -> Result<Command> {
        // xshell resolves nothing and expands nothing: the words arrive as they are.
        let shell = xshell::Shell::new()?;
        if let Some(directory) = &self.directory {
            shell.change_dir(directory);
        }
        let mut command = shell.cmd(argv.program()).args(&argv.words()[1..]).env("LC_ALL", "C.UTF-8").env("PAGER", "cat");
        command = command.env(PARENT, std::process::id().to_string());
        for name in REMOVED {
            command = command.env_remove(name);
        }
        for (key, value) in &self.environment {
            command = command.env(key, value);
        }
        let mut command = Command::from(command);
        if self.apart {
            command.process_group(0);
        }
        Ok(command)
    }
}

fn spawn(mut command: Command, argv: &Argv) -> Result<Child> {
    command.spawn().map_err(|error| CommandError { argv: argv.clone(), status: None, stderr: error.to_string() }.into())
}

/// Writes the input from a thread of its own, so that a child that talks before it has read all cannot block us.
fn feed(child: &mut Child, input: Input<'_>) -> Option<thread::JoinHandle<()>> {
    let Input::Bytes(bytes) = input else { return None };
    let mut pipe = child.stdin.take()?;
    let bytes = bytes.to_vec();
    Some(thread::spawn(move || {
        let _ = pipe.write_all(&bytes);
    }))
}

/// Does each of `items` in a thread of its own, at most `limit` at a time, and returns the results in their order.
pub fn side_by_side<T: Sync, R: Send>(items: &[T], limit: usize, work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = std::sync::atomic::AtomicUsize::new(0);
    let results: Vec<_> = items.iter().map(|_| std::sync::Mutex::new(None)).collect();
    thread::scope(|scope| {
        for _ in 0..limit.min(items.len()) {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    let Some(item) = items.get(index) else { break };
                    *results[index].lock().expect("no thread panics holding it") = Some(work(item));
                }
            });
        }
    });
    results.into_iter().map(|slot| slot.into_inner().ok().flatten().expect("every item was worked on")).collect()
}

/// Where a program is on PATH, if it is.
pub fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    // Debian keeps tools that ordinary users may run, such as mmdebstrap's helpers, in sbin too.
    std::env::split_paths(&path)
        .chain([PathBuf::from("/usr/sbin"), PathBuf::from("/sbin")])
        .map(|folder| folder.join(OsStr::new(name)))
        .find(|candidate| candidate.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn argv_is_quoted_for_a_shell() {
        let argv = Argv::new("podman").arg("run").args(["a b", "$(x)", ""]);
        assert_eq!(argv.to_string(), "podman run 'a b' '$(x)' ''");
    }

    #[test]
    fn failure_shows_command_status_and_stderr() {
        let argv = Argv::new("sh").args(["-c", "echo 'no such thing' >&2; exit 3"]);
        let error = Runner::new().output(&argv, Input::Nothing).unwrap_err().to_string();
        assert!(error.contains("exit status: 3") && error.contains("no such thing") && error.contains("sh -c"), "{error}");
    }

    #[test]
    fn input_larger_than_a_pipe_does_not_block() {
        let bytes = vec![b'x'; 1 << 20];
        let output = Runner::new().output(&Argv::new("cat"), Input::Bytes(&bytes)).unwrap();
        assert_eq!(output.len(), bytes.len() + 1);
    }

    #[test]
    fn side_by_side_keeps_the_order() {
        assert_eq!(side_by_side(&[1, 2, 3, 4, 5], 3, |n| n * 2), [2, 4, 6, 8, 10]);
    }
}
