//! Sets that exist, and what they are made from is another by now.

use crate::sandbox::{SMALL, Sandbox, TINY, podman};

#[test]
fn a_set_whose_seed_is_gone() {
    let sandbox = Sandbox::new();
    let seeds = sandbox.private_seeds().join("seeds");
    let set = sandbox.set("seedless", TINY);
    sandbox.run(&["up", &set]).ok();
    sandbox.run(&["stop", &set]).ok();
    podman(&["unshare", "rm", "-rf", &seeds.display().to_string()]);
    for verb in ["start", "up", "create", "plan"] {
        let refused =
            sandbox.run(&[verb, &set]).status(1).stderr_has(&format!("the seed that set {set} was created from is gone"));
        refused.stderr_has("podfarm reset").stderr_has("drops the edits and the dumps");
    }
    sandbox.run(&["reset", &set]).ok();
    sandbox.run(&["up", &set]).ok();
    sandbox.run(&["destroy", &set]).ok();
    sandbox.nothing_left();
}

#[test]
fn wikis_that_a_set_was_not_created_with() {
    let sandbox = Sandbox::new();
    let set = sandbox.set("more", SMALL);
    sandbox.run(&["up", &set]).ok();
    let before = sandbox.status(&set);
    for (yaml, wrong) in [
        ("wikis:\n  wiki: {}\n  second: {}\n", "none of them is wiki second's"),
        ("wikis:\n  wiki: {db: other}\n", "wiki wiki's is wiki and not other"),
        ("sources:\n  mediawiki: {deb: mediawiki, suite: trixie}\nwikis:\n  wiki: {}\n", "another version of MediaWiki"),
    ] {
        sandbox.write(&format!("sets/{set}.yaml"), yaml);
        for verb in ["up", "plan"] {
            sandbox.run(&[verb, &set]).status(1).stderr_has(wrong).stderr_has(&format!("podfarm reset {set}"));
        }
        assert_eq!(sandbox.status(&set), before, "{yaml}");
    }
    // What needs no other databases is taken.
    sandbox.write(&format!("sets/{set}.yaml"), "wikis:\n  wiki: {title: Renamed}\n");
    let noted = sandbox.run(&["up", &set]).ok();
    noted
        .stderr_has("is made from has changed")
        .stderr_has(&format!("`podfarm reset {set}` takes it, and drops the edits and the dumps"));
    sandbox.run(&["destroy", &set]).ok();
    sandbox.nothing_left();
}
