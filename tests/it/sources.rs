//! Sources that are not what the set file says.

use crate::sandbox::{Sandbox, run};

/// A git repository with one commit, in which these files are; returns the commit.
fn repository(sandbox: &Sandbox, files: &[&str]) -> String {
    let folder = sandbox.at("repository").display().to_string();
    for file in files {
        sandbox.write(&format!("repository/{file}"), "<?php\n");
    }
    run("git", &["init", "--quiet", &folder]).ok();
    run("git", &["-C", &folder, "add", "."]).ok();
    let who = ["-c", "user.name=Test", "-c", "user.email=test@localhost", "-c", "commit.gpgsign=false"];
    let commit = ["-C", &folder].into_iter().chain(who).chain(["commit", "--quiet", "--message", "One"]);
    run("git", &commit.collect::<Vec<_>>()).ok();
    run("git", &["-C", &folder, "rev-parse", "HEAD"]).ok().stdout.trim().to_owned()
}

fn set_of(sandbox: &Sandbox, commit: &str) -> String {
    sandbox.private_seeds();
    let source = format!("{{git: {}, commit: {commit}}}", sandbox.at("repository").display());
    sandbox.set("git", &format!("sources:\n  mw: {source}\nwikis:\n  a: {{mediawiki: mw}}\n"))
}

#[test]
fn a_commit_that_is_not_there() {
    let sandbox = Sandbox::new();
    repository(&sandbox, &["index.php"]);
    let commit = "1234567890123456789012345678901234567890";
    let set = set_of(&sandbox, commit);
    let ran = sandbox.run(&["build", &set]).status(3);
    ran.stderr_has(&format!("sets/{set}.yaml:2:")).stderr_has(&format!("has no commit {commit}")).stderr_has("hint:");
    sandbox.run(&["up", &set]).status(3).stderr_has(&format!("has no commit {commit}"));
    sandbox.nothing_left();
}

#[test]
fn a_commit_without_mediawiki() {
    let sandbox = Sandbox::new();
    let commit = repository(&sandbox, &["index.php"]);
    let set = set_of(&sandbox, &commit);
    let ran = sandbox.run(&["build", &set]).status(3);
    ran.stderr_has("is no MediaWiki: it has no includes/Defines.php").stderr_has(":2:");
    assert_eq!(sandbox.run(&["build", &set]).status, 3, "what was refused must not count as fetched");
}

#[test]
fn a_commit_without_its_libraries() {
    let sandbox = Sandbox::new();
    let commit = repository(&sandbox, &["index.php", "includes/Defines.php", "maintenance/update.php"]);
    let set = set_of(&sandbox, &commit);
    sandbox.run(&["build", &set]).status(3).stderr_has("vendor/autoload.php").stderr_has("composer install");
}

#[test]
fn a_repository_that_is_not_there() {
    let sandbox = Sandbox::new();
    let set = set_of(&sandbox, "1234567890123456789012345678901234567890");
    sandbox.run(&["build", &set]).status(1).stderr_has("could not be fetched").stderr_has("git ls-remote");
}

/// By what operations-dumps is known.
pub const DUMPS: &[&str] = &["xmldumps-backup/worker.py", "xmldumps-backup/defaults.conf", "xmldumps-backup/dumps/wikidump.py"];

/// A set of no members whose dumps are made by a repository with these files.
pub fn dumps_set(sandbox: &Sandbox, files: &[&str]) -> String {
    let none = "members:\n  dbprimary: {count: 0}\n  mw: {count: 0}\n  php: {count: 0}\n  snapshot: {count: 0}\n";
    let commit = repository(sandbox, files);
    sandbox.private_seeds();
    let source = format!("{{git: {}, commit: {commit}}}", sandbox.at("repository").display());
    sandbox.set("git", &format!("dumps:\n  source: {source}\n{none}"))
}

#[test]
fn a_commit_with_and_without_operations_dumps() {
    for (files, status) in [(&DUMPS[..1], 3), (DUMPS, 0)] {
        let sandbox = Sandbox::new();
        let set = dumps_set(&sandbox, files);
        let ran = sandbox.run(&["build", &set]).status(status);
        if status == 0 {
            sandbox.run(&["build", &set]).ok().stderr_has_not("fetch source"); // it is fetched once
        } else {
            ran.stderr_has("is no operations-dumps: it has no xmldumps-backup/defaults.conf").stderr_has(":2:");
        }
    }
}
