//! What people do to dumps by hand: start them, end them, and remove files of theirs.

use crate::dumps::jobs;
use crate::operations_dumps::code;
use crate::sandbox::{Sandbox, podman};
use crate::topology::until;

#[test]
fn a_job_whose_file_was_removed_is_not_done_and_no_web_server_is_needed() {
    let sandbox = Sandbox::new();
    let set = sandbox.set("removed", "wikis:\n  wiki: {}\nmembers:\n  mw: {count: 0}\n  php: {count: 0}\n");
    sandbox.run(&["up", &set]).ok();
    let dump = |options: &[&str]| {
        let ran = sandbox.run(&[&["dump", &set, "--date", "20260101", "--format", "json"], options].concat()).ok();
        jobs(&ran).remove("wiki").expect("a wiki")
    };
    let read = |name: &str| {
        let folder = sandbox.at(&format!("data/sets/{set}/shared/dumps/public/wiki/20260101"));
        std::fs::read_to_string(folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    };
    let sums = || read("wiki-20260101-md5sums.txt").lines().count();
    assert_eq!((dump(&[]).len(), sums()), (31, 34));

    let file = "/srv/dumps/public/wiki/20260101/wiki-20260101-pages-meta-history.xml.7z";
    sandbox.run(&["exec", &set, "snapshot1", "rm", file]).ok();
    assert_eq!(dump(&["--job", "pagetable"]).into_keys().collect::<Vec<_>>(), ["pagetable"]);
    assert_eq!(sums(), 33);
    for status in ["dumpruninfo.json", "dumpruninfo.txt", "dumpstatus.json"] {
        let status = read(status);
        assert!(status.contains("metahistorybz2dump") && !status.contains("metahistory7zdump"), "{status}");
    }
    assert_eq!(dump(&[]).into_keys().collect::<Vec<_>>(), ["metahistory7zdump"]);
    assert_eq!(sums(), 34);
    sandbox.run(&["destroy", &set]).ok();
    sandbox.nothing_left();
}

#[test]
fn a_run_by_hand_ends_with_all_that_it_has_started() {
    let sandbox = Sandbox::new();
    let built_in = "wikis:\n  wiki: {}\n".to_owned();
    let production = format!("dumps: {{source: {}}}\n{built_in}", code(&sandbox).display());
    for (name, text) in [("hand", built_in), ("handcode", production)] {
        let set = sandbox.set(name, &text);
        sandbox.run(&["up", &set]).ok();
        let exec = |script: &str| sandbox.run(&["exec", &set, "snapshot1", "sh", "-c", script]);
        let at_work = || podman(&["top", &format!("{set}-snapshot1"), "user", "args"]).ok().stdout;
        // Whatever asks the database waits, for longer than this test.
        podman(&["kill", "--signal", "STOP", &format!("{set}-dbprimary")]).ok();
        let refused_names = "kill $(sed 's/.* //' /srv/dumps/private/wiki/lock_20260101)";
        for end in [refused_names, "kill -s INT $(cat /run/front)", "kill -s KILL $(cat /run/front)"] {
            let command = "echo $$ >/run/front; exec dump-wiki wiki --date 20260101 --job pagetable";
            let running = sandbox.start(&["exec", &set, "snapshot1", "sh", "-c", command]);
            until("it asks the database", || {
                at_work().lines().any(|line| line.contains("--wiki=wiki") || line.contains("mariadb-dump"))
            });
            exec(end).ok();
            until(&format!("{name}, {end}: all of it ends"), || !at_work().contains("dumpsgen"));
            assert_ne!(running.end().status, 0, "{end}");
        }
        podman(&["kill", "--signal", "CONT", &format!("{set}-dbprimary")]).ok();
        exec("dump-wiki wiki --date 20260101 --job pagetable").ok().stdout_has("pagetable: done");
        sandbox.run(&["destroy", &set]).ok();
    }
    sandbox.nothing_left();
}
