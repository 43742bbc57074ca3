//! Whether a machine is ready: what `doctor` finds, and what it says mends it.

use serde_json::Value;

use crate::machine::{fake, info};
use crate::sandbox::{SMALL, Sandbox, podman, which};

/// What it finds, by what was looked at.
fn findings(sandbox: &Sandbox, status: i32) -> Value {
    let ran = sandbox.run(&["doctor", "--format", "json"]).status(status);
    let said: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    assert_eq!(said["version"], 1);
    let list = said["findings"].as_array().expect("a list").iter();
    list.map(|finding| (finding["what"].as_str().expect("text").to_owned(), finding.clone()))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

#[test]
fn a_machine_that_passes_the_tests_is_ready() {
    let sandbox = Sandbox::new();
    let findings = findings(&sandbox, 0);
    for what in ["programs", "mmdebstrap", "clock", "podman", "ids", "network", "storage", "trial"] {
        assert_eq!(findings[what]["verdict"], "good", "{findings:#}");
    }
    for what in ["disk", "limits", "fuse", "leftovers", "addresses", "ports", "names"] {
        assert_ne!(findings[what]["verdict"], "bad", "{findings:#}");
    }
    // Whatever could be better comes with what makes it so.
    for finding in findings.as_object().expect("a map").values() {
        assert_eq!(finding["verdict"] == "good", finding["mend"].is_null(), "{finding:#}");
    }
    sandbox.run(&["doctor"]).ok().stdout_has("WHAT").stdout_has("a container started and its port was reached");
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
    let ran = sandbox.run(&["doctor"]).ok();
    // Among those of other tests.
    let mend = ran.stdout.lines().find_map(|line| line.strip_prefix("leftovers: podfarm destroy ")).unwrap_or_default();
    assert!(mend.split([' ', ';']).any(|word| word == set), "{ran}");
    // Not `doctor --fix`: it would mend what other tests have killed, too.
    sandbox.run(&["destroy", &set]).ok();
    assert!(!sandbox.run(&["doctor"]).ok().stdout.contains(&set));
}

#[test]
fn a_machine_without_mmdebstrap_is_not_ready() {
    let sandbox = Sandbox::new();
    sandbox.program("mmdebstrap", "#!/bin/sh\nexit 1\n");
    let findings = findings(&sandbox, 4);
    assert_eq!(findings["mmdebstrap"]["mend"], "sudo apt-get install mmdebstrap", "{findings:#}");
}

#[test]
fn what_podman_says_of_itself_is_judged() {
    let sandbox = Sandbox::new();
    let about = info("4.3.1", 1).replace("\"overlay\"", "\"vfs\"").replacen(
        "{\"idMappings",
        "{\"networkBackend\": \"cni\", \"idMappings",
        1,
    );
    sandbox.program("podman", &fake("4.3.1", &about, "[]"));
    let findings = findings(&sandbox, 4);
    let verdict = |what: &str| findings[what]["verdict"].as_str().expect("text").to_owned();
    assert_eq!([verdict("ids"), verdict("network"), verdict("storage")], ["bad", "bad", "note"], "{findings:#}");
    let mend = |what: &str| findings[what]["mend"].as_str().expect("text").to_owned();
    assert!(mend("ids").contains("usermod --add-subuids") && mend("ids").contains("podman system migrate"), "{findings:#}");
    assert!(mend("network").contains("netavark") && mend("storage").contains("podman system reset"), "{findings:#}");
}

#[test]
fn a_container_that_does_not_start_is_told_with_what_podman_says() {
    let sandbox = Sandbox::new();
    let real = which("podman").display().to_string();
    let refuse = "run) echo 'Error: no room in the inn' >&2; exit 125 ;;";
    sandbox.program("podman", &format!("#!/bin/sh\ncase $1 in\n{refuse}\n*) exec '{real}' \"$@\" ;;\nesac\n"));
    let findings = findings(&sandbox, 4);
    assert!(findings["trial"]["fact"].as_str().expect("text").contains("no room in the inn"), "{findings:#}");
    sandbox.run(&["doctor"]).status(4).stderr_has("`up` cannot work on this machine: trial");
}

/// A podfarm that is killed when its podman has started a container leaves that; whoever looks next is not misled by it.
#[test]
fn a_killed_doctor_does_not_make_the_machine_bad() {
    let killed = Sandbox::new();
    let (real, left) = (which("podman").display().to_string(), killed.at("left").display().to_string());
    let die = format!("run) '{real}' \"$@\" && echo $PODFARM_PARENT >'{left}'; exec kill -s KILL $PODFARM_PARENT ;;");
    killed.program("podman", &format!("#!/bin/sh\ncase $1 in\n{die}\n*) exec '{real}' \"$@\" ;;\nesac\n"));
    killed.run(&["doctor"]);
    let name = format!("podfarm-doctor-{}", std::fs::read_to_string(&left).expect("a container was started").trim());
    let exists = |what: &[&str]| podman(&[what, &["exists", &name]].concat()).status == 0;
    let findings = findings(&Sandbox::new(), 0);
    assert_eq!(findings["trial"]["verdict"], "good", "{findings:#}");
    assert!(!exists(&["container"]) && !exists(&["network"]), "{name} is there still");
}

#[test]
fn containers_of_killed_seeding_are_found() {
    let sandbox = Sandbox::new();
    let name = format!("seeding-{}", sandbox.id());
    std::fs::create_dir(sandbox.at("root")).expect("a folder");
    let label = format!("podfarm.seeding={name}");
    podman(&["create", "--name", &name, "--label", &label, "--rootfs", &sandbox.at("root").display().to_string(), "/x"]).ok();
    let findings = findings(&sandbox, 0);
    podman(&["rm", &name]).ok();
    let said = |key: &str| findings["leftovers"][key].as_str().expect("text").to_owned();
    assert!(said("fact").contains(&name) && said("mend").contains("podman rm --force"), "{findings:#}");
}
