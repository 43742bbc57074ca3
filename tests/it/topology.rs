//! More hosts than a wiki needs: databases that follow.

use std::time::{Duration, Instant};

use crate::running::secrets_are_nowhere_else;
use crate::sandbox::{PATIENCE, Sandbox, TINY};

fn member(sandbox: &Sandbox, set: &str, name: &str) -> serde_json::Value {
    let status = sandbox.status(set);
    let members = status["members"].as_array().expect("a list");
    members.iter().find(|member| member["name"] == name).unwrap_or_else(|| panic!("no {name} in {status}")).clone()
}

/// Asks again and again, until the answer is that. On a busy machine it may be long in coming.
#[track_caller]
pub fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < end, "{what}: it does not come to that");
        std::thread::sleep(Duration::from_millis(200));
    }
}

#[test]
fn replicas_follow_the_primary_and_say_how() {
    let sandbox = Sandbox::new();
    let members = "  dbreplica: {count: 1}\n  late: {role: dbreplica, lag: 10m}\n";
    let set = sandbox.set("follow", &format!("{TINY}{members}"));
    sandbox.run(&["up", &set]).ok();
    let sql = |name: &str, query: &str| sandbox.run(&["exec", &set, name, "mariadb", "-N", "-e", query]);
    sql("dbprimary", "CREATE DATABASE later; CREATE TABLE later.t (a INT PRIMARY KEY); INSERT INTO later.t VALUES (42)").ok();
    until("the row arrives", || sql("dbreplica1", "SELECT a FROM later.t").stdout.trim() == "42");
    let late = sql("late1", "SHOW DATABASES").ok();
    assert!(!late.stdout.contains("later"), "it is late: {}", late.stdout);
    sql("dbreplica1", "SELECT @@read_only").ok().stdout_has("1");

    until("replication is told", || member(&sandbox, &set, "dbreplica1")["detail"] == "0 s behind");
    let late = member(&sandbox, &set, "late1");
    assert!(late["detail"].as_str().expect("text").ends_with("delayed by 600 s"), "{late}");
    assert_eq!(member(&sandbox, &set, "dbprimary")["detail"], "");
    let secrets = ["db-dump", "db-repl", "db-wiki", "ssh-host-key"];
    secrets_are_nowhere_else(&sandbox, &set, &["dbprimary", "dbreplica1", "late1"], &secrets);

    // What cannot be done there breaks it, and `status` says so; once mended, it goes on.
    sql("dbreplica1", "INSERT INTO later.t VALUES (43)").ok();
    sql("dbprimary", "INSERT INTO later.t VALUES (43)").ok();
    until("broken replication is told", || {
        let health = member(&sandbox, &set, "dbreplica1")["health"].as_str().expect("text").to_owned();
        health.starts_with("not ready: it has stopped at something it cannot do") && health.contains("Duplicate entry '43'")
    });
    sql("dbreplica1", "SET sql_log_bin = 0; DELETE FROM later.t WHERE a = 43; START SLAVE").ok();
    until("mended replication is told", || member(&sandbox, &set, "dbreplica1")["health"] == "ready");

    // A replica that was killed goes on where it was.
    crate::sandbox::podman(&["kill", &format!("{set}-dbreplica1")]);
    sql("dbprimary", "INSERT INTO later.t VALUES (44)").ok();
    sandbox.run(&["up", &set]).ok();
    until("the row arrives after all", || sql("dbreplica1", "SELECT MAX(a) FROM later.t").stdout.trim() == "44");
    sandbox.run(&["destroy", &set]).ok();
    sandbox.nothing_left();
}

#[test]
fn dumps_are_read_from_a_replica_that_replicates() {
    let sandbox = Sandbox::new();
    let set = sandbox.set("reads", "wikis:\n  wiki: {pages: 220}\nmembers:\n  dbreplica: {count: 2}\n");
    sandbox.run(&["up", &set]).ok();
    sandbox.run(&["exec", &set, "dbreplica2", "mariadb", "-e", "STOP SLAVE"]).ok();
    until("what has stopped is told", || member(&sandbox, &set, "dbreplica2")["health"] != "ready");
    let ran = sandbox.run(&["dump", &set, "--date", "20260101", "--job", "pagetable"]).status(0);
    ran.stderr_has("warning: dbreplica2 is not ready: it has stopped replicating");
    // Chosen at random it would be, sooner or later.
    let dumps = "for day in 02 03 04 05; do dump-wiki wiki --date 202601$day --job pagetable || exit; done; \
                 grep -ho -e '--host=[^ ]*' /srv/dumps/private/wiki/*/dumplog.txt";
    let hosts = sandbox.run(&["exec", &set, "snapshot1", "sh", "-c", dumps]).ok().stdout;
    let hosts: Vec<_> = hosts.lines().filter(|line| line.starts_with("--host=")).collect();
    assert_eq!(hosts, vec![format!("--host={set}-dbreplica1"); 5]);

    // How far a job has got is told on the way.
    let ran = sandbox.run(&["exec", &set, "snapshot1", "dump-wiki", "wiki", "--json", "--job", "xmlstubsdump"]).ok();
    let count = ["exec", &set, "dbprimary", "mariadb", "-N", "-e", "SELECT COUNT(*) FROM wiki.revision"];
    let count = sandbox.run(&count).ok().stdout;
    ran.stdout_has(&format!(r#"{{"job": "xmlstubsdump", "revisions": 500, "of": {}}}"#, count.trim()));
    sandbox.run(&["destroy", &set]).ok();
    sandbox.nothing_left();
}

#[test]
fn a_lag_that_is_no_duration_is_refused() {
    let sandbox = Sandbox::new();
    for lag in ["soon", "30", "-1s", "8d"] {
        let set = sandbox.set("lag", &format!("members:\n  dbreplica: {{lag: {lag}}}\n"));
        sandbox.run(&["plan", &set]).status(3).stderr_has(":2:").stderr_has("lag: ").stderr_has("30s, 5m or 2h");
    }
}
