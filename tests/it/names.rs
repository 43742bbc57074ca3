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
