//! A clean place for one test: folders of its own, a set name of its own, and nothing left behind.

use std::cell::{Cell, RefCell};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::time::Duration;

pub use crate::common::programs::{command, run, which};
use crate::ran::Ran;

static NEXT: AtomicU32 = AtomicU32::new(0);

/// Whatever a podfarm is asked to do ends within this time, or the test fails: long enough to build all images.
pub const PATIENCE: Duration = Duration::from_secs(600);

const PODFARM: &str = env!("CARGO_BIN_EXE_podfarm");

/// One wiki with the members every set has.
pub const SMALL: &str = "wikis:\n  wiki: {}\n";

/// A database server and nothing else: the least a set can be.
pub const TINY: &str = "members:\n  mw: {count: 0}\n  php: {count: 0}\n  snapshot: {count: 0}\n";

/// A place with its own podfarm folders. podman's storage and podfarm's cache are shared by all tests: images and seeds are made once.
pub struct Sandbox {
    folder: PathBuf,
    /// Part of every object's name: the process and the test within it.
    id: String,
    sets: RefCell<Vec<String>>,
    environment: RefCell<Vec<(String, String)>>,
    /// Whether podman may have something of this test's.
    touched: Cell<bool>,
}

/// A podfarm at work.
pub struct Working {
    child: Child,
    line: String,
    stdout: mpsc::Receiver<String>,
    stderr: mpsc::Receiver<String>,
    said: String,
    printed: String,
}

impl Sandbox {
    pub fn new() -> Self {
        // A letter ends it, so that no id is the beginning of another.
        let id = format!("t{}-{}z", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let folder = tempfile::Builder::new().prefix("podfarm-test").tempdir().expect("a temporary folder").keep();
        let none = RefCell::new(Vec::new());
        Self { folder, id, sets: RefCell::default(), environment: none, touched: Cell::new(false) }
    }

    /// Writes a set file under a name of this test's own, and returns the name.
    pub fn set(&self, name: &str, yaml: &str) -> String {
        let set = format!("{name}-{}", self.id);
        self.write(&format!("sets/{set}.yaml"), yaml);
        self.sets.borrow_mut().push(set.clone());
        set
    }

    /// Part of the name of everything that belongs to this test.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Writes a file below the sandbox, and returns its path.
    pub fn write(&self, path: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.at(path);
        std::fs::create_dir_all(path.parent().expect("a file in a folder")).expect("a folder");
        std::fs::write(&path, content).expect("a file");
        path
    }

    pub fn path(&self) -> &Path {
        &self.folder
    }

    pub fn at(&self, path: &str) -> PathBuf {
        self.folder.join(path)
    }

    /// A variable in the environment of every podfarm run here.
    pub fn env(&self, key: &str, value: impl AsRef<Path>) {
        self.environment.borrow_mut().push((key.to_owned(), value.as_ref().display().to_string()));
    }

    /// A cache of this test's own, with seeds of its own; sources and bases are those of the shared one.
    pub fn private_seeds(&self) -> PathBuf {
        let cache = self.at("cache");
        std::fs::create_dir_all(&cache).expect("a folder");
        for part in ["sources", "bases"] {
            let shared = shared_cache().join(part);
            std::fs::create_dir_all(&shared).expect("a folder");
            symlink(shared, cache.join(part)).expect("a link");
        }
        self.env("PODFARM_CACHE", &cache);
        cache
    }

    /// Puts a program of the test's own before all others on PATH, as podfarm sees it.
    pub fn program(&self, name: &str, script: &str) -> PathBuf {
        let program = self.write(&format!("bin/{name}"), script);
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).expect("a program");
        self.env("PATH", format!("{}:{}", self.at("bin").display(), std::env::var("PATH").expect("PATH is set")));
        program
    }

    /// From now on, the arguments of each podman that podfarm runs are written down.
    pub fn watch_podman(&self) -> Watched {
        let log = self.write("podman.log", "");
        let real = which("podman").display().to_string();
        self.program("podman", &format!("#!/bin/sh\necho \"$*\" >>'{}'\nexec '{real}' \"$@\"\n", log.display()));
        Watched { log }
    }

    /// A podfarm command, not yet run.
    pub fn command(&self, arguments: &[&str]) -> Command {
        self.here(command(PODFARM), arguments)
    }

    /// Runs podfarm from a shell with this umask.
    pub fn run_under_umask(&self, umask: &str, arguments: &[&str]) -> Ran {
        let mut shell = command("sh");
        shell.args(["-c", "umask \"$0\" && exec \"$@\"", umask, PODFARM]);
        let output = self.here(shell, arguments).output().expect("a shell");
        Ran::new(format!("umask {umask}; podfarm {}", arguments.join(" ")), output)
    }

    /// A command that is, or becomes, a podfarm with these arguments.
    fn here(&self, mut command: Command, arguments: &[&str]) -> Command {
        const HARMLESS: &[&str] = &["plan", "list", "status", "open", "completions", "init"];
        if !arguments.iter().any(|argument| HARMLESS.contains(argument)) {
            self.touched.set(true);
        }
        command
            .args(arguments)
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .env("PODFARM_CONFIG", self.at("config"))
            .env("PODFARM_DATA", self.at("data"))
            .env_remove("NO_COLOR")
            .envs(self.environment.borrow().iter().cloned());
        command
    }

    /// Runs podfarm.
    pub fn run(&self, arguments: &[&str]) -> Ran {
        self.start(arguments).end()
    }

    /// Runs podfarm with something on its standard input.
    pub fn run_with_input(&self, arguments: &[&str], input: &str) -> Ran {
        let input = self.write("input", input);
        let mut command = self.command(arguments);
        let output = command.stdin(std::fs::File::open(input).expect("a file")).output().expect("podfarm starts");
        Ran::new(format!("podfarm {}", arguments.join(" ")), output)
    }

    /// Starts podfarm, in a process group of its own with all that it starts, as a shell does.
    pub fn start(&self, arguments: &[&str]) -> Working {
        // Tests in the background have Ctrl-C ignored, and so would whatever they start.
        let mut program = command(which("env"));
        program.args(["--default-signal=INT", PODFARM]);
        let mut command = self.here(program, arguments);
        command.process_group(0);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("podfarm starts");
        let stdout = lines(child.stdout.take().expect("it is piped"));
        let stderr = lines(child.stderr.take().expect("it is piped"));
        let (said, printed) = (String::new(), String::new());
        Working { child, line: format!("podfarm {}", arguments.join(" ")), stdout, stderr, said, printed }
    }

    /// What a command says in a container of an image.
    pub fn said_in(&self, image: &str, command: &[&str]) -> Ran {
        // What ends as soon as it has spoken may not be heard by who started it; the log has it.
        let name = format!("said-{}", self.id);
        let options = ["run", "--log-driver=k8s-file", "--network=none", "--name", &name, "--entrypoint"];
        podman(&[&options[..], &[command[0], image], &command[1..]].concat()).ok();
        let said = podman(&["logs", &name]).ok();
        podman(&["rm", &name]).ok();
        said
    }

    /// What `status --format json` says of a set.
    #[track_caller]
    pub fn status(&self, set: &str) -> serde_json::Value {
        let ran = self.run(&["status", set, "--format", "json"]).ok();
        let status: serde_json::Value = serde_json::from_str(&ran.stdout).expect("JSON");
        status["sets"][0].clone()
    }

    /// Everything of this test's that podman or the folders still have.
    pub fn left(&self) -> Vec<String> {
        let mut left = Vec::new();
        for (what, arguments) in [
            ("container", &["ps", "--all", "--external", "--format", "{{.Names}}"][..]),
            ("pod", &["pod", "ps", "--format", "{{.Name}}"]),
            ("network", &["network", "ls", "--format", "{{.Name}}"]),
            ("secret", &["secret", "ls", "--format", "{{.Name}}"]),
            ("volume", &["volume", "ls", "--format", "{{.Name}}"]),
        ] {
            let names = listed(arguments);
            if names.status != 0 {
                left.push(format!("{names}")); // no panic: there may be one already
            }
            left.extend(names.stdout.lines().filter(|name| name.contains(&self.id)).map(|name| format!("{what} {name}")));
        }
        let mounts = podman(&["unshare", "cat", "/proc/self/mounts"]).stdout;
        let here = self.folder.display().to_string();
        left.extend(mounts.lines().filter(|line| line.contains(&here)).map(|line| format!("mount {line}")));
        // Containers in which seeds are made are not named after a set; what they mount tells whose they are.
        for seeding in listed(&["ps", "--all", "--quiet", "--filter", "label=podfarm.seeding"]).stdout.lines() {
            if podman(&["inspect", seeding]).stdout.contains(&here) {
                left.push(format!("container {seeding}, in which a seed is made"));
            }
        }
        let sets = std::fs::read_dir(self.at("data/sets")).into_iter().flatten().flatten();
        left.extend(sets.map(|folder| format!("folder {}", folder.path().display())));
        let seeds = std::fs::read_dir(self.at("cache/seeds")).into_iter().flatten().flatten();
        let half_made = seeds.filter(|entry| entry.file_name().to_string_lossy().starts_with('.'));
        left.extend(half_made.map(|folder| format!("half a seed {}", folder.path().display())));
        left
    }

    /// That podman has nothing of this test's, and its folder of sets neither.
    #[track_caller]
    pub fn nothing_left(&self) {
        let left = self.left();
        assert!(left.is_empty(), "left behind: {left:#?}");
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        let mut wrong = Vec::new();
        if self.touched.get() {
            // Whatever PATH the test was about, this podfarm gets the real one.
            self.environment.borrow_mut().retain(|(key, _)| key != "PATH");
            let sets = self.sets.borrow().clone();
            if !sets.is_empty() {
                let mut arguments = vec!["destroy"];
                arguments.extend(sets.iter().map(String::as_str));
                let destroyed = self.run(&arguments);
                if destroyed.status != 0 {
                    wrong.push(format!("{destroyed}"));
                }
            }
            wrong.extend(self.left());
        }
        if std::fs::remove_dir_all(&self.folder).is_err() {
            podman(&["unshare", "rm", "-rf", "--", &self.folder.display().to_string()]);
        }
        if std::thread::panicking() {
            eprintln!("after the failure: {wrong:#?}");
        } else {
            assert!(wrong.is_empty(), "left behind: {wrong:#?}");
        }
    }
}

impl Working {
    /// Waits until podfarm has said this on its standard error.
    #[track_caller]
    pub fn until(&mut self, text: &str) {
        read_until(text, &self.stderr, &mut self.said, &self.line);
    }

    /// Waits until podfarm has printed this on its standard output.
    #[track_caller]
    pub fn until_printed(&mut self, text: &str) {
        read_until(text, &self.stdout, &mut self.printed, &self.line);
    }

    /// Kills it, and it alone, as the kernel does when memory is short.
    pub fn kill(mut self) {
        self.child.kill().expect("it is ours");
        self.child.wait().expect("it is ours");
    }

    /// What Ctrl-C does: it interrupts podfarm and the children that are in its process group.
    pub fn interrupt(mut self) {
        run("kill", &["-s", "INT", "--", &format!("-{}", self.child.id())]).ok();
        self.child.wait().expect("it is ours");
    }

    /// Keeps it, and it alone, from doing anything.
    pub fn pause(&self) {
        run("kill", &["-s", "STOP", "--", &self.child.id().to_string()]).ok();
    }

    pub fn resume(&self) {
        run("kill", &["-s", "CONT", "--", &self.child.id().to_string()]).ok();
    }

    /// Waits for its end.
    pub fn end(mut self) -> Ran {
        let status = self.child.wait().expect("it is ours");
        let all = |mut read: String, rest: mpsc::Receiver<String>| {
            rest.iter().for_each(|line| read.extend([&line, "\n"]));
            read.into_bytes()
        };
        let (stdout, stderr) = (all(self.printed, self.stdout), all(self.said, self.stderr));
        Ran::new(self.line, Output { status, stdout, stderr })
    }
}

/// Reads lines until this is among them.
#[track_caller]
fn read_until(text: &str, lines: &mpsc::Receiver<String>, read: &mut String, who: &str) {
    while !read.contains(text) {
        match lines.recv_timeout(PATIENCE) {
            Ok(line) => read.push_str(&format!("{line}\n")),
            Err(_) => panic!("{who}: {text:?} was never said, but: {read}"),
        }
    }
}

/// Reads a stream in a thread of its own, so that whoever writes it never waits.
fn lines(stream: impl std::io::Read + Send + 'static) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stream).split(b'\n').map_while(Result::ok) {
            if sender.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                return;
            }
        }
    });
    receiver
}

/// What podfarm asked of podman.
pub struct Watched {
    log: PathBuf,
}

impl Watched {
    /// The command lines since the last time, without the program's name.
    pub fn take(&self) -> Vec<String> {
        let calls = std::fs::read_to_string(&self.log).expect("a log").lines().map(str::to_owned).collect();
        std::fs::write(&self.log, "").expect("a log");
        calls
    }
}

/// Where the tests' shared images and seeds are described: podfarm's own cache.
fn shared_cache() -> PathBuf {
    let folder = |variable: &str| std::env::var_os(variable).map(PathBuf::from);
    let usual = || folder("XDG_CACHE_HOME").or_else(|| Some(folder("HOME")?.join(".cache"))).map(|cache| cache.join("podfarm"));
    folder("PODFARM_CACHE").or_else(usual).expect("HOME is set")
}

/// Runs the real podman.
pub fn podman(arguments: &[&str]) -> Ran {
    run("podman", arguments)
}

/// What podman lists. It fails to while another test removes what it is listing, and is asked again then.
pub fn listed(arguments: &[&str]) -> Ran {
    let answer = (0..5).map(|_| podman(arguments)).find(|answer| answer.status == 0);
    answer.unwrap_or_else(|| podman(arguments))
}
