//! A machine that reaches the world through a proxy, which knows nothing of sets.

use crate::dumps::jobs;
use crate::sandbox::{SMALL, Sandbox};

#[test]
fn members_talk_to_each_other_without_the_proxy_of_this_machine() {
    let sandbox = Sandbox::new();
    let set = sandbox.set("apart", SMALL);
    sandbox.run(&["build", &set]).ok();
    for name in ["http_proxy", "HTTP_PROXY", "https_proxy"] {
        sandbox.env(name, "http://127.0.0.1:9");
    }
    sandbox.run(&["up", &set]).ok();
    for member in ["mw", "php", "snapshot1"] {
        let inside = sandbox.run(&["exec", &set, member, "env"]).ok();
        assert!(!inside.stdout.to_lowercase().contains("proxy"), "{inside}");
    }
    let dumped = sandbox.run(&["dump", &set, "--job", "namespaces", "--format", "json"]).ok();
    assert_eq!(jobs(&dumped)["wiki"]["namespaces"], "done", "{dumped}");
    sandbox.run(&["destroy", &set]).ok();
    sandbox.nothing_left();
}
