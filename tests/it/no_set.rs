//! Names that are no set's, whatever is asked of them; and what is left of a set whose file is gone.

use crate::sandbox::{Sandbox, TINY, listed, podman};

#[test]
fn a_name_that_is_no_set_is_refused_by_every_verb_alike() {
    let sandbox = Sandbox::new();
    sandbox.set("other", TINY);
    let none = format!("none-{}", sandbox.id());
    let verbs = "up down build create start stop destroy remove reset plan dump status open logs shell ssh-config";
    let mut lines: Vec<Vec<&str>> = verbs.split(' ').map(|verb| vec![verb, &none]).collect();
    lines.push(vec!["logs", &none, "mw"]);
    lines.push(vec!["exec", &none, "mw", "true"]);
    lines.push(vec!["cp", &none, "mw:/etc/hosts", "."]);
    for line in lines {
        let ran = sandbox.run(&line).status(2).stderr_has(&format!("error: there is no set named {none}\n"));
        ran.stderr_has(&format!("hint: known sets: demo, farm, other-{}", sandbox.id()));
    }
}

#[test]
fn a_set_that_does_not_exist_is_said_not_to() {
    let sandbox = Sandbox::new();
    let set = sandbox.set("absent", TINY);
    for line in [&["logs", &set][..], &["open", &set], &["shell", &set], &["exec", &set, "mw", "true"]] {
        sandbox.run(line).status(1).stderr_has("does not exist").stderr_has(&format!("hint: podfarm up {set}"));
    }
    for verb in ["stop", "destroy", "down", "remove"] {
        sandbox.run(&[verb, &set]).ok().stderr_has("there was nothing to do");
    }
}

#[test]
fn whatever_is_left_of_a_set_without_a_file_can_be_removed() {
    let sandbox = Sandbox::new();
    let set = sandbox.set("left", TINY);
    let file = sandbox.at(&format!("sets/{set}.yaml"));
    // The containers first, then each of what a killed podfarm may leave alone.
    let leave = |parts: &[&[&str]]| {
        sandbox.write(&format!("sets/{set}.yaml"), TINY);
        sandbox.run(&["create", &set]).ok();
        parts.iter().for_each(|part| drop(podman(part).ok()));
        std::fs::remove_file(&file).expect("a file");
    };
    let secrets = || listed(&["secret", "ls", "--format", "{{.Name}}"]).ok().stdout;
    let prefix = format!("podfarm.{set}.");
    leave(&[]);
    sandbox.run(&["stop", &set]).ok();
    sandbox.run(&["status", &set]).ok().stdout_has(&format!("{set}: created"));
    sandbox.run(&["destroy", &set]).ok();
    sandbox.nothing_left();
    leave(&[&["pod", "rm", "--force", &set], &["network", "rm", &set]]);
    podman(&["unshare", "rm", "-r", &sandbox.at(&format!("data/sets/{set}")).display().to_string()]).ok();
    assert!(secrets().contains(&prefix));
    sandbox.run(&["down", &set]).ok().stderr_has("remove secrets");
    sandbox.nothing_left();
    sandbox.run(&["destroy", &set]).status(2);
    sandbox.write(&format!("sets/{set}.yaml"), TINY);
}
