//! The machine a test runs on: boots it, and is what tests do there.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::common::programs::{command, run};
use crate::common::ran::Ran;

/// Set where a test runs inside of its machine.
const INSIDE: &str = "PODFARM_TEST_INSIDE";

/// How long a change may take to be everywhere: dnsmasq and systemd-resolved are told at once, and work on one thing at a time.
const PATIENCE: Duration = Duration::from_secs(30);

/// Runs a story inside of a machine with this suite of Debian. `test` is the name of the calling test.
pub fn on(suite: &str, test: &str, story: fn()) {
    if is_inside() {
        return story();
    }
    let ended = boot(suite, &[test, "--exact", "--nocapture"]);
    assert!(ended.success(), "what went wrong in the Debian is above ({ended})");
}

pub fn is_inside() -> bool {
    std::env::var_os(INSIDE).is_some()
}

/// Boots a machine and runs this very program there, with these arguments.
pub fn boot(suite: &str, arguments: &[&str]) -> ExitStatus {
    let this = std::env::current_exe().expect("a test is a program");
    let podfarm = Path::new(env!("CARGO_BIN_EXE_podfarm"));
    let target = podfarm.ancestors().nth(2).expect("it lies in a target folder");
    let name = this.file_name().expect("a program has a name").to_owned();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/in-debian");
    let mut words: Vec<OsString> = vec![script.into(), target.join("debian").into(), suite.into(), podfarm.into(), this.into()];
    words.extend(["--".into(), "env".into(), format!("{INSIDE}=1").into(), name]);
    words.extend(arguments.iter().map(OsString::from));
    if run("id", &["-u"]).stdout.trim() != "0" {
        let may = run("sudo", &["--non-interactive", "true"]);
        assert!(may.status == 0, "this boots a Debian, as root: run `sudo true` first, or scripts/test, which asks\n{may}");
        words.splice(0..0, ["sudo".into(), "--non-interactive".into()]);
    }
    command(&words[0]).args(&words[1..]).stdin(Stdio::null()).status().expect("a shell script starts")
}

/// One part of a story, which is told of as it ends.
pub fn chapter<T>(title: &str, part: impl FnOnce() -> T) -> T {
    let began = Instant::now();
    eprintln!("- {title}");
    let result = part();
    eprintln!("  done in {:.1} s", began.elapsed().as_secs_f32());
    result
}

/// The user's home folder.
pub fn home() -> PathBuf {
    std::env::var_os("HOME").expect("HOME is set").into()
}

/// Runs a line of shell as the user.
pub fn sh(line: &str) -> Ran {
    run("sh", &["-c", line])
}

/// Runs a line of shell as root, which works.
#[track_caller]
pub fn root(line: &str) -> Ran {
    run("sudo", &["sh", "-c", line]).status(0)
}

/// Runs podfarm as the user.
pub fn podfarm(words: &[&str]) -> Ran {
    run("podfarm", words)
}

/// Runs podfarm as the user would in a place without a session of systemd's, such as after `su`.
pub fn podfarm_without_session(words: &[&str]) -> Ran {
    let without = ["--unset=XDG_RUNTIME_DIR", "--unset=DBUS_SESSION_BUS_ADDRESS", "podfarm"];
    run("env", &[&without, words].concat())
}

/// Waits until something is so; what it says at the end is shown where it never is.
#[track_caller]
pub fn until(what: &str, mut look: impl FnMut() -> Result<(), String>) {
    let end = Instant::now() + PATIENCE;
    while let Err(why) = look() {
        assert!(Instant::now() < end, "{what}: {why}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
