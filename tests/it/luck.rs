//! Bad luck, in the middle of a dump mostly: what was reached stays, what failed says why, and the next run goes on.

use crate::dumps::jobs;
use crate::ran::Ran;
use crate::sandbox::{SMALL, Sandbox, podman};
use crate::topology::until;

/// A folder that is small: a file system of its own, where podman and the containers it starts see it.
pub struct Small {
    at: String,
}

impl Small {
    pub fn mount(at: &std::path::Path, size: &str) -> Self {
        let at = at.display().to_string();
        podman(&["unshare", "mount", "-t", "tmpfs", "-o", &format!("size={size}"), "podfarm-test", &at]).ok();
        Self { at }
    }

    fn grow(&self, size: &str) {
        podman(&["unshare", "mount", "-o", &format!("remount,size={size}"), &self.at]).ok();
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        podman(&["unshare", "umount", "--lazy", &self.at]);
    }
}

/// The jobs of a wiki that ended so.
fn with_status<'a>(told: &'a std::collections::BTreeMap<String, String>, status: &str) -> Vec<&'a str> {
    told.iter().filter(|(_, is)| *is == status).map(|(job, _)| job.as_str()).collect()
}

/// Why a job failed.
#[track_caller]
fn why(ran: &Ran, job: &str) -> String {
    let told: serde_json::Value = serde_json::from_str(&ran.stdout).expect("JSON");
    let found = told["jobs"].as_array().expect("a list").iter().find(|one| one["job"] == job).expect("the job").clone();
    found["why"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn a_full_disk() {
    let sandbox = Sandbox::new();
    let set = sandbox.set("full", "wikis:\n  wiki: {pages: 30}\n");
    sandbox.run(&["create", &set]).ok();
    let dumps = Small::mount(&sandbox.at(&format!("data/sets/{set}/shared/dumps")), "96k");
    sandbox.run(&["start", &set]).ok();
    let dump = || sandbox.run(&["dump", &set, "--date", "20260101", "--format", "json"]);
    let failed = dump().status(5);
    let told = &jobs(&failed)["wiki"];
    assert_eq!(told.len(), 31, "{failed}");
    assert!(with_status(told, "done").contains(&"sitestatstable"), "{failed}");
    assert!(!with_status(told, "failed").is_empty(), "{failed}");
    for job in with_status(told, "failed") {
        let why = why(&failed, job);
        assert!(why.contains("No space left on device") || why.contains("was not done"), "{job}: {why}");
    }
    let kept = with_status(told, "done").len();

    // With room, what was not done is.
    dumps.grow("100m");
    let mended = dump().ok();
    let told = &jobs(&mended)["wiki"];
    assert_eq!(told.len(), 31 - kept, "what was done is not done again: {mended}");
    let check = "cd /srv/dumps/public/wiki/20260101 && sha1sum -c --quiet *-sha1sums.txt && wc -l <wiki-20260101-sha1sums.txt";
    sandbox.run(&["exec", &set, "snapshot1", "sh", "-c", check]).ok().stdout_has("34");
    sandbox.run(&["stop", &set]).ok();
    drop(dumps);
    sandbox.run(&["destroy", &set]).ok();
    sandbox.nothing_left();
}

#[test]
fn a_database_that_is_killed() {
    let sandbox = Sandbox::new();
    let set = sandbox.set("killed", "wikis:\n  wiki: {pages: 10}\nmembers:\n  dbreplica: {}\n  dbstore: {}\n");
    sandbox.run(&["up", &set]).ok();
    for (number, database) in ["dbprimary", "dbreplica1", "dbstore1"].into_iter().enumerate() {
        let date = format!("2026010{}", number + 1);
        let dump = ["dump", &set, "--date", &date, "--format", "json"];
        let mut running = sandbox.start(&dump);
        running.until("pagetable done");
        podman(&["kill", &format!("{set}-{database}")]).ok();
        let ended = running.end();
        let told = &jobs(&ended)["wiki"];
        assert_eq!((told.len(), &*told["pagetable"]), (31, "done"), "{ended}");
        // Dumps read from the replica, and text from the store.
        if database != "dbprimary" {
            assert_eq!((ended.status, &*told["metahistorybz2dump"]), (5, "failed"), "{database}: {ended}");
            // Those that need a job that failed say no more than that.
            let mut failed = with_status(told, "failed").into_iter().map(|job| (job, why(&ended, job).to_lowercase()));
            let (job, why) = failed.find(|(_, why)| !why.ends_with("was not done")).expect("one has failed by itself");
            let says = ["connect", "lost connection", "server has gone away", "cannot access", "obtaining text"];
            assert!(says.iter().any(|text| why.contains(text)), "{database}: {job}: {why}");
        }
        let kept = with_status(told, "done").len();
        sandbox.run(&["up", &set]).ok();
        let again = sandbox.run(&dump).ok();
        let told = &jobs(&again)["wiki"];
        let expected = if kept == 31 { 31 } else { 31 - kept };
        assert!(told.len() == expected && told.values().all(|status| status == "done"), "{database}: {again}");
        let stored = crate::history::stored(&sandbox, &set, "wiki");
        let file = format!("/srv/dumps/public/wiki/{date}/wiki-{date}-pages-meta-history.xml.bz2");
        assert_eq!(crate::history::dumped(&sandbox, &set, &file), stored);
    }
    sandbox.run(&["destroy", &set]).ok();
    sandbox.nothing_left();
}

#[test]
fn php_that_hangs() {
    let sandbox = Sandbox::new();
    let set = sandbox.set("hangs", SMALL);
    sandbox.run(&["up", &set]).ok();
    let health = || {
        let status = sandbox.status(&set);
        let members = status["members"].as_array().expect("a list");
        let php = members.iter().find(|member| member["name"] == "php").unwrap_or_else(|| panic!("no php in {status}"));
        php["health"].as_str().expect("text").to_owned()
    };
    let signal = |name: &str| {
        let workers = "for at in /proc/[0-9]*; do [ \"$(cat $at/comm)\" = php-fpm ] && kill -$0 ${at#/proc/}; done; true";
        sandbox.run(&["exec", &set, "php", "sh", "-c", workers, name]).ok();
    };
    assert_eq!(health(), "ready");
    signal("STOP");
    until("php-fpm hangs", || health().starts_with("not ready: php-fpm does not answer"));
    signal("CONT");
    until("php-fpm answers again", || health() == "ready");
    sandbox.run(&["destroy", &set]).ok();
}
