//! Following what a set's members say, and when that ends.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

use crate::sandbox::{Sandbox, TINY, podman};
use crate::topology::until;

/// The members of the set that is tried, dbprimary and snapshot1.
const MEMBERS: usize = 2;

/// How many consoles of a set podman follows. The podfarm that asks it, and what has it end with podfarm, have the same words
/// behind others; podman itself may be two processes.
fn followed(set: &str) -> usize {
    let processes = std::fs::read_dir("/proc").expect("processes").flatten();
    let command_lines = processes.filter_map(|process| std::fs::read(process.path().join("cmdline")).ok());
    let command_lines = command_lines.map(|line| String::from_utf8_lossy(&line).into_owned());
    let follows = |line: &String| line.starts_with("podman\0logs\0--follow\0") && line.contains(set);
    command_lines.filter(follows).collect::<BTreeSet<_>>().len()
}

#[test]
fn following_ends_by_itself() {
    let sandbox = Sandbox::new();
    let set = sandbox.set("follow", "members:\n  mw: {count: 0}\n  php: {count: 0}\n");
    sandbox.run(&["up", &set]).ok();
    with_its_reader(&sandbox, &set);
    with_podfarm(&sandbox, &set);
    logs_that_are_none_are_not_waited_for(&sandbox, &set);
    with_the_set(&sandbox, &set);
}

fn with_its_reader(sandbox: &Sandbox, set: &str) {
    let following = sandbox.command(&["logs", "--follow", set]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut following = following.expect("podfarm starts");
    let mut line = String::new();
    BufReader::new(following.stdout.take().expect("it is piped")).read_line(&mut line).expect("a line");
    assert!(line.starts_with(&format!("{set}-dbprimary console: ")), "{line}");
    until("it ends when nobody reads any more", || following.try_wait().expect("it is ours").is_some());
    let ended = following.wait_with_output().expect("it is ours");
    assert!(ended.status.success() && ended.stderr.is_empty(), "{ended:?}");
    until("podman ends too", || followed(set) == 0);
}

fn with_podfarm(sandbox: &Sandbox, set: &str) {
    let following = sandbox.start(&["logs", "--follow", set]);
    until("the consoles are followed", || followed(set) == MEMBERS);
    following.kill();
    until("podman ends too", || followed(set) == 0);
}

fn logs_that_are_none_are_not_waited_for(sandbox: &Sandbox, set: &str) {
    let ran = sandbox.run(&["logs", "--follow", set, "dbprimary", "nolog"]).status(2);
    ran.stderr_has("there is no log \"nolog\"").stderr_has("hint: known: console, error");
}

fn with_the_set(sandbox: &Sandbox, set: &str) {
    let all = sandbox.start(&["logs", "--follow", set]);
    let mut one = sandbox.start(&["logs", "--follow", set, "dbprimary", "error"]);
    // A log that is yet to come.
    let mut none = sandbox.start(&["logs", "--follow", set, "snapshot1", "mediawiki/exception"]);
    none.until("there is no log \"mediawiki/exception\" yet: waiting for it");
    one.until_printed(&format!("{set}-dbprimary error: "));
    until("the consoles are followed", || followed(set) == MEMBERS);
    sandbox.run(&["destroy", set]).ok();
    all.end().ok();
    none.end().ok();
    one.end().ok();
}

#[test]
fn what_starts_again_is_followed_again() {
    let sandbox = Sandbox::new();
    let set = sandbox.set("again", TINY);
    sandbox.run(&["up", &set]).ok();
    let shown = sandbox.write("shown", "");
    let file = std::fs::File::create(&shown).expect("a file");
    let mut following =
        sandbox.command(&["logs", "--follow", "--lines", "0", &set]).stdout(file).spawn().expect("podfarm starts");
    until("the console is followed", || followed(&set) > 0);
    let begins = |member: &str| {
        let line = format!("{set}-{member} console: Server listening on 0.0.0.0 port 22.");
        std::fs::read_to_string(&shown).expect("a file").lines().filter(|shown| **shown == line).count()
    };
    assert_eq!(begins("dbprimary"), 0, "it has begun before");
    sandbox.run(&["stop", &set]).ok();
    sandbox.run(&["start", &set]).ok();
    until("a member that was started is followed", || begins("dbprimary") == 1);
    podman(&["rm", "--force", &format!("{set}-dbprimary")]).ok();
    sandbox.write(&format!("sets/{set}.yaml"), TINY.replace("  snapshot: {count: 0}\n", ""));
    sandbox.run(&["up", &set]).ok();
    until("a member that was made anew is followed", || begins("dbprimary") == 2);
    until("a new member is followed", || begins("snapshot1") == 1);
    sandbox.run(&["destroy", &set]).ok();
    assert!(following.wait().expect("it is ours").success());
    assert_eq!((begins("dbprimary"), begins("snapshot1")), (2, 1), "nothing is shown twice");
}
