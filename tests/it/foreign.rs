//! What is not podfarm's is never touched, whatever its name.

use crate::sandbox::{Sandbox, TINY, podman};

/// A container that is not podfarm's; it needs no image.
fn container(sandbox: &Sandbox, name: &str) -> String {
    let root = sandbox.at("root");
    std::fs::create_dir_all(&root).expect("a folder");
    podman(&["create", "--name", name, "--rootfs", &root.display().to_string(), "true"]).ok().stdout.trim().to_owned()
}

/// `up` and `create` refuse, `destroy` leaves it alone, and nothing of the set stays.
#[track_caller]
fn stays(sandbox: &Sandbox, set: &str, what: &str, name: &str, id: &dyn Fn() -> String) {
    let before = id();
    assert!(!before.is_empty());
    for verb in ["up", "create"] {
        let ran = sandbox.run(&[verb, set]).status(1);
        let ran = ran.stderr_has(&format!("there is a {what} named {name} that is not podfarm's")).stderr_has("hint:");
        ran.stderr_has(&format!("rm {name}"));
    }
    sandbox.run(&["destroy", set]).ok();
    assert_eq!(id(), before);
    let left = sandbox.left();
    assert_eq!(left.len(), 1, "{left:#?}");
}

#[test]
fn a_container_with_a_members_name() {
    let sandbox = Sandbox::new();
    let set = sandbox.set("own", TINY);
    let name = format!("{set}-dbprimary");
    let made = container(&sandbox, &name);
    stays(&sandbox, &set, "container", &name, &|| podman(&["inspect", "--format", "{{.Id}}", &name]).ok().stdout);
    podman(&["rm", "--force", &made]).ok();
}

#[test]
fn a_container_with_the_sets_name() {
    let sandbox = Sandbox::new();
    let set = sandbox.set("own", TINY);
    let made = container(&sandbox, &set);
    stays(&sandbox, &set, "container", &set, &|| podman(&["inspect", "--format", "{{.Id}}", &set]).ok().stdout);
    podman(&["rm", "--force", &made]).ok();
}

#[test]
fn a_pod_with_the_sets_name() {
    let sandbox = Sandbox::new();
    let set = sandbox.set("own", TINY);
    podman(&["pod", "create", "--infra=false", "--name", &set]).ok();
    stays(&sandbox, &set, "pod", &set, &|| podman(&["pod", "inspect", "--format", "{{.ID}}", &set]).ok().stdout);
    podman(&["pod", "rm", "--force", &set]).ok();
}

#[test]
fn a_network_with_the_sets_name() {
    let sandbox = Sandbox::new();
    let set = sandbox.set("own", TINY);
    podman(&["network", "create", &set]).ok();
    stays(&sandbox, &set, "network", &set, &|| podman(&["network", "inspect", "--format", "{{.ID}}", &set]).ok().stdout);
    podman(&["network", "rm", &set]).ok();
}

#[test]
fn a_role_that_is_wrong_keeps_no_set() {
    let sandbox = Sandbox::new();
    let set = sandbox.set("own", TINY);
    sandbox.run(&["create", &set]).ok();
    sandbox.write("containerfiles/wrong/role.yaml", "descriptoin: nothing\n");
    sandbox.run(&["plan", &set]).status(3).stderr_has("containerfiles/wrong/role.yaml: unknown field `descriptoin`");
    sandbox.run(&["destroy", &set]).ok();
    sandbox.nothing_left();
}
