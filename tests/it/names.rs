//! What the host is told of a set: its names, ssh's configuration, and the page that shows it.

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
fn the_pieces_of_names_are_told_to_programs_as_well() {
    let sandbox = Sandbox::new();
    let ran = sandbox.run(&["hostdns", "status", "--format", "json"]).ok();
    let said: serde_json::Value = serde_json::from_str(&ran.stdout).expect("JSON");
    assert_eq!(said["version"], 1);
    let mut lines = vec!["PIECE THERE TRIED WHERE".to_owned()];
    for piece in said["pieces"].as_array().expect("a list") {
        let there = piece["there"].as_bool().expect("yes or no");
        let tried = piece["tried"].as_str();
        assert_eq!(there, tried.is_some(), "what is there is tried: {said:#}");
        if let Some(works) = piece["works"].as_bool() {
            assert_eq!(tried.map(|tried| tried.starts_with("works")), Some(works), "{said:#}");
        }
        let text = |key: &str| piece[key].as_str().unwrap_or("-").to_owned();
        lines.push(format!("{} {} {} {}", text("name"), if there { "yes" } else { "no" }, text("tried"), text("where")));
    }
    let table = sandbox.run(&["hostdns", "status"]).ok().stdout;
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(lines, table.lines().map(words).collect::<Vec<_>>());
    assert_eq!(lines.len(), 5, "{table}");
}
