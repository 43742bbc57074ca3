//! Opening a set's wikis in the browser, which is a program of the test's own here.

use crate::sandbox::{Sandbox, podman};
use crate::topology::until;

#[test]
fn a_wiki_is_opened_that_runs() {
    let sandbox = Sandbox::new();
    // Its name is before `mw`, and it has a web server, too.
    let set = sandbox.set("open", "wikis: {wiki: {}}\nmembers:\n  mw: {count: 2}\n  a: {role: dumpsweb}\n");
    let up = sandbox.run(&["up", &set]).ok().stdout;
    let opened = sandbox.at("opened");
    // One that cannot show anything, and one that ends with an error once it is closed.
    sandbox.program("xdg-open", "#!/bin/sh\nexit 3\n");
    sandbox.program("sensible-browser", &format!("#!/bin/sh\necho \"$1\" >'{}'\nsleep 3\nexit 1\n", opened.display()));
    let url = sandbox.run(&["open", &set]).ok().stderr_has_not("no browser").stdout;
    assert!(up.lines().any(|line| line == url.trim()) && url.trim().ends_with("/wiki/mw/"), "{url} {up}");
    until("the browser is started", || std::fs::read_to_string(&opened).is_ok_and(|shown| shown == url));
    assert_eq!(sandbox.status(&set)["urls"]["wiki"], url.trim());
    let other = sandbox.run(&["open", &set, "a"]).ok().stdout;
    assert!(up.lines().any(|line| line == other.trim()) && other != url, "{other} {up}");

    // The other member that serves it will do.
    podman(&["stop", &format!("{set}-mw2")]).ok();
    let left = sandbox.run(&["open", &set]).ok().stdout;
    assert_ne!(left, url);
    sandbox.run(&["stop", &set]).ok();
    sandbox.run(&["open", &set]).status(1).stderr_has("not running").stderr_has(&format!("hint: podfarm start {set}"));
}
