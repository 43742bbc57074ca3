//! What hosts do to dumps and dumps to hosts: one that dies, errors beside the jobs, and what is no dump at all.

use crate::dumps::{Held, jobs};
use crate::ran::Ran;
use crate::sandbox::{SMALL, Sandbox, Working, podman, which};
use crate::topology::until;

const FOUR: &str = "wikis:
  one: {}
  two: {}
  three: {}
  four: {}
members:
  snapshot: {count: 2}
";

/// What a dump tells: wiki, host, job, status and reason of each verdict.
fn verdicts(ran: &Ran) -> Vec<[String; 5]> {
    let told: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {}", ran.stdout));
    let row = |verdict: &serde_json::Value| {
        ["wiki", "host", "job", "status", "why"].map(|key| verdict[key].as_str().unwrap_or_default().to_owned())
    };
    told["jobs"].as_array().expect("a list").iter().map(row).collect()
}

#[test]
fn what_a_dead_host_has_not_begun_the_others_do() {
    let sandbox = Sandbox::new();
    let set = sandbox.set("hosts", FOUR);
    sandbox.run(&["up", &set]).ok();
    let dump = ["dump", &set, "--date", "20260101", "--job", "pagetable,articlesdump", "--format", "json"];
    let [first, second] = ["snapshot1", "snapshot2"].map(|host| format!("{set}-{host}"));

    // In the middle of a wiki: that one fails.
    let held = Held::new(&sandbox, &set, &["one", "two", "three", "four"]);
    let mut running = sandbox.start(&dump);
    running.until(&format!("on {first}: pagetable done"));
    podman(&["kill", &first]);
    held.let_go();
    let ended = running.end().status(5).stderr_has(&format!("{first} dumps no more: "));
    let mut failed: Vec<_> = verdicts(&ended).into_iter().filter(|[_, _, _, status, _]| status == "failed").collect();
    assert!(!failed.is_empty() && failed.iter().all(|[_, host, ..]| *host == first), "{ended}");
    failed.dedup_by_key(|[wiki, ..]| wiki.clone());
    assert_eq!(failed.len(), 1, "{ended}");
    assert_eq!(jobs(&ended).len(), 4, "{ended}");

    // Before it begins one: nothing fails. The podman of this test kills hosts that are about to be asked to dump.
    sandbox.run(&["up", &set]).ok();
    let real = which("podman").display().to_string();
    let dies = |hosts: &str| {
        format!(
            "#!/bin/sh\ncase \"$*\" in exec*{hosts}*dump-wiki*) '{real}' kill \"$3\" >/dev/null 2>&1;; esac\nexec '{real}' \"$@\"\n"
        )
    };
    sandbox.program("podman", &dies("snapshot1"));
    let ended = sandbox.run(&dump).ok();
    assert!(verdicts(&ended).iter().all(|[_, host, ..]| *host == second) && jobs(&ended).len() == 4, "{ended}");

    // No host is left.
    sandbox.program("podman", &dies("snapshot"));
    let ended = sandbox.run(&dump).status(5);
    for [_, host, job, status, why] in verdicts(&ended) {
        assert_eq!([&*host, &job, &status], ["-", "-", "failed"], "{ended}");
        assert!(why.contains(&format!("no host is left to dump it: {second}: it does not run")), "{why}");
    }
    assert_eq!(jobs(&ended).len(), 4, "{ended}");
}

#[test]
fn what_is_no_dump_and_what_fails_beside_the_jobs() {
    let sandbox = Sandbox::new();
    let set = sandbox.set("beside", "wikis:\n  wiki: {db: thewiki}\n  other: {}\nmembers:\n  snapshot: {count: 2}\n");
    sandbox.run(&["dump", &set, "--date", "2026-01-05"]).status(2).stderr_has("as 20261121 is");
    sandbox.run(&["up", &set]).ok();
    let none = sandbox.run(&["dump", &set, "--job", "bogusjob"]).status(2).stderr_has("there is no job bogusjob; there are");
    assert_eq!(none.stdout, "", "{none}");

    // By directory, by database, and twice: one run.
    let dump = ["dump", &set, "wiki", "thewiki", "wiki", "--job", "pagetable", "--format", "json"];
    assert_eq!(verdicts(&sandbox.run(&dump).ok()).len(), 1);

    // The links to the last run's files are made after the last job.
    sandbox.run(&["exec", &set, "snapshot1", "chown", "root", "/srv/dumps/public/thewiki/latest"]).ok();
    let told = verdicts(&sandbox.run(&dump).status(5));
    assert!(told.len() == 2 && told[0][3] == "done" && told[1][2] == "-", "{told:?}");
    assert!(told[1][4].contains("Permission denied"), "{told:?}");
}

#[test]
fn a_run_ends_with_whoever_started_it() {
    let sandbox = Sandbox::new();
    let set = sandbox.set("attend", SMALL);
    sandbox.run(&["up", &set]).ok();
    let lock = |date: &str| sandbox.at(&format!("data/sets/{set}/shared/dumps/private/wiki/lock_{date}"));
    for (date, end) in [("20260101", Working::interrupt as fn(Working)), ("20260102", Working::kill)] {
        let dump = ["dump", &set, "--date", date, "--format", "json"];
        let held = Held::new(&sandbox, &set, &["wiki"]);
        let mut running = sandbox.start(&dump);
        running.until("pagetable done");
        assert!(lock(date).exists());
        end(running);
        until("the run ends", || {
            let processes = podman(&["top", &format!("{set}-snapshot1"), "user", "args"]);
            processes.status == 0 && !processes.stdout.contains("dumpsgen")
        });
        assert!(!lock(date).exists(), "{date}: it has let go of its lock");
        held.let_go();
        // It was ended in the middle: the next one goes on from there.
        let told = jobs(&sandbox.run(&dump).ok());
        assert!(!told["wiki"].contains_key("pagetable") && told["wiki"]["metahistory7zdump"] == "done", "{date}: {told:?}");
    }
}
