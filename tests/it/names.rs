//! What the host is told of a set: its names, ssh's configuration, the page that shows it; and whether the host is ready for sets.

use crate::running::{http, member, wiki};
use crate::sandbox::{SMALL, Sandbox};

#[test]
fn the_host_knows_a_set_as_long_as_it_is_there() {
    let sandbox = Sandbox::new();
    let set = sandbox.set("names", SMALL);
    sandbox.run(&["up", &set]).ok();
    let status = sandbox.status(&set);
    let hosts = sandbox.at(&format!("data/names/{set}"));
    let ssh = sandbox.at(&format!("data/ssh/config.d/{set}"));
    let names = std::fs::read_to_string(&hosts).expect("a hosts file");
    for name in ["dbprimary", "mw", "php", "snapshot1"] {
        let about = member(&status, name);
        let line = format!("{} {set}-{name}.{set}.lan\n", about["published"].as_str().expect("an address"));
        assert!(names.contains(&line), "no {line:?} in {names}");
        assert!(std::fs::read_to_string(&ssh).expect("a file").contains(&format!("Host {set}-{name} {set}-{name}.{set}.lan\n")));
    }
    the_set_has_a_page(&set, &wiki(&status));

    sandbox.run(&["stop", &set]).ok();
    assert!(hosts.exists(), "a set that is stopped is still there");
    sandbox.run(&["destroy", "--dry-run", &set]).ok();
    assert!(hosts.exists(), "a dry run changes nothing");
    sandbox.run(&["destroy", &set]).ok();
    assert!(!hosts.exists() && !ssh.exists());
}

/// At the root of the web server.
fn the_set_has_a_page(set: &str, wiki: &str) {
    let root = wiki.trim_end_matches("wiki/mw");
    let (status, page) = http(root, None);
    assert_eq!(status, 200, "{page}");
    for text in [&format!("{set}-dbprimary.{set}.lan"), "href=\"/wiki/mw/\"", &format!("podfarm shell {set} snapshot1"), "1.39."]
    {
        assert!(page.contains(text), "no {text:?} in {page}");
    }
    assert!(!page.contains("Warning") && !page.contains("Notice"), "{page}");
}

#[test]
fn a_machine_that_passes_the_tests_is_ready() {
    let sandbox = Sandbox::new();
    let ran = sandbox.run(&["doctor", "--format", "json"]).ok();
    let findings: serde_json::Value = serde_json::from_str(&ran.stdout).expect("JSON");
    let verdict = |what: &str| {
        let findings = findings.as_array().expect("a list");
        findings.iter().find(|finding| finding["what"] == what).map(|finding| finding["verdict"].clone())
    };
    assert_eq!(verdict("trial"), Some("good".into()), "{findings:#}");
    assert_eq!(verdict("podman"), Some("good".into()), "{findings:#}");
}

#[test]
fn a_machine_without_podman_is_not_ready() {
    let sandbox = Sandbox::new();
    sandbox.env("PATH", sandbox.at("nothing"));
    sandbox.run(&["doctor"]).status(4).stdout_has("missing: podman").stdout_has("sudo apt-get install podman");
}

#[test]
fn what_is_left_of_a_dead_set_is_found() {
    let sandbox = Sandbox::new();
    let set = sandbox.set("dead", SMALL);
    sandbox.write(&format!("data/sets/{set}/hosts"), "");
    sandbox.run(&["doctor"]).ok().stdout_has(&format!("podfarm destroy {set}"));
    // Not `doctor --fix`: it would mend what other tests have killed, too.
    sandbox.run(&["destroy", &set]).ok();
    assert!(!sandbox.run(&["doctor"]).ok().stdout.contains(&set));
}
