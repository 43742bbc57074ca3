//! Machines that are not ready: status 4, what is wrong, and what to do about it.

use std::os::unix::fs::symlink;

use crate::sandbox::{SMALL, Sandbox, TINY, which};

/// A podman of some version that has nothing; `info` is what it says of itself.
pub fn fake(version: &str, info: &str, networks: &str) -> String {
    format!(
        "#!/bin/sh\ncase \"$1 $2\" in\n'info '*) cat <<'END'\n{info}\nEND\n;;\nversion*|--version*) echo {version} ;;\n\
         'network ls') cat <<'END'\n{networks}\nEND\n;;\nsecret*) ;;\n*) echo '[]' ;;\nesac\n"
    )
}

/// What such a podman says of itself, with so many ids for containers.
pub fn info(version: &str, uids: u32) -> String {
    format!(
        r#"{{"host": {{"idMappings": {{"gidmap": [{{"container_id": 0, "host_id": 1000, "size": {uids}}}],
            "uidmap": [{{"container_id": 0, "host_id": 1000, "size": {uids}}}]}}}},
            "store": {{"graphDriverName": "overlay"}}, "version": {{"Version": "{version}"}}}}"#
    )
}

#[test]
fn no_podman() {
    let sandbox = Sandbox::new();
    let set = sandbox.set("demo", SMALL);
    for program in ["ssh-keygen", "mmdebstrap"] {
        sandbox.write("bin/there", "");
        symlink(which(program), sandbox.at("bin").join(program)).expect("a link");
    }
    sandbox.env("PATH", sandbox.at("bin"));
    for verb in ["up", "plan", "build", "create", "destroy", "status"] {
        let ran = sandbox.run(&[verb, &set]).status(4);
        ran.stderr_has("podman is not installed").stderr_has("hint: sudo apt-get install podman");
    }
}

#[test]
fn no_mmdebstrap() {
    let sandbox = Sandbox::new();
    let set = sandbox.set("demo", SMALL);
    sandbox.write("bin/there", "");
    symlink(which("ssh-keygen"), sandbox.at("bin/ssh-keygen")).expect("a link");
    sandbox.env("PATH", sandbox.at("bin"));
    // In /usr/sbin and /sbin podfarm looks as well, and mmdebstrap is in neither.
    sandbox.run(&["up", &set]).status(4).stderr_has("mmdebstrap is not installed").stderr_has("apt-get install mmdebstrap");
}

#[test]
fn an_old_podman() {
    let sandbox = Sandbox::new();
    let set = sandbox.set("demo", SMALL);
    sandbox.program("podman", &fake("4.2.0", &info("4.2.0", 65_537), "[]"));
    for verb in ["up", "plan", "build"] {
        sandbox
            .run(&[verb, &set])
            .status(4)
            .stderr_has("this is podman 4.2.0, and podfarm needs 4.3 or newer")
            .stderr_has("hint:");
    }
    assert!(!sandbox.at("data/sets").exists());
}

#[test]
fn an_old_podman_that_talks_otherwise() {
    // Ubuntu 22.04's, whose networks are CNI's.
    let sandbox = Sandbox::new();
    let set = sandbox.set("demo", SMALL);
    let networks = r#"[{"CNIVersion": "0.4.0", "Name": "podman", "Plugins": []}]"#;
    sandbox.program("podman", &fake("3.4.4", &info("3.4.4", 65_537), networks));
    sandbox.run(&["up", &set]).status(4).stderr_has("this is podman 3.4.4, and podfarm needs 4.3 or newer");
}

#[test]
fn a_user_without_subordinate_ids() {
    // podman goes on with this user's own id alone, and complains on the side.
    let sandbox = Sandbox::new();
    let set = sandbox.set("demo", SMALL);
    let complaint = "time=\"2026-11-21T10:57:18Z\" level=error msg=\"cannot find UID/GID for user me: no subuid ranges found \
                     for user \\\"me\\\" in /etc/subuid - check rootless mode in man pages.\"";
    let script = fake("4.3.1", &info("4.3.1", 1), "[]").replacen('\n', &format!("\necho '{complaint}' >&2\n"), 1);
    sandbox.program("podman", &script);
    for verb in ["up", "build"] {
        let ran = sandbox.run(&[verb, &set]).status(4).stderr_has("too few subordinate ids");
        ran.stderr_has("sudo usermod --add-subuids").stderr_has("podman system migrate");
    }
}

/// A podman that always fails like this; the words are those of podman 4.3.1.
fn failing(sandbox: &Sandbox, error: &str) {
    sandbox.program("podman", &format!("#!/bin/sh\necho '{error}' >&2\nexit 125\n"));
}

#[test]
fn a_podman_whose_user_may_not_have_the_ids() {
    let sandbox = Sandbox::new();
    let set = sandbox.set("demo", SMALL);
    failing(&sandbox, "newuidmap: uid range [1-65537) -> [100000-165536) not allowed");
    sandbox.run(&["up", &set]).status(4).stderr_has("sudo usermod --add-subuids").stderr_has("not allowed");
}

#[test]
fn a_podman_without_the_right_to_give_ids() {
    let sandbox = Sandbox::new();
    let set = sandbox.set("demo", SMALL);
    failing(
        &sandbox,
        "Error: cannot set up namespace using \"/usr/bin/newuidmap\": should have setuid or have filecaps setuid: exit status 1",
    );
    let ran = sandbox.run(&["up", &set]).status(4).stderr_has("should have setuid").stderr_has_not("usermod");
    ran.stderr_has("hint: sudo apt-get install --reinstall uidmap");
}

#[test]
fn a_podman_without_the_program_that_gives_ids() {
    let sandbox = Sandbox::new();
    let set = sandbox.set("demo", SMALL);
    failing(
        &sandbox,
        "Error: command required for rootless mode with multiple IDs: exec: \"newuidmap\": executable file not found in $PATH",
    );
    for program in ["ssh-keygen", "mmdebstrap"] {
        symlink(which(program), sandbox.at("bin").join(program)).expect("a link");
    }
    sandbox.env("PATH", sandbox.at("bin"));
    let ran = sandbox.run(&["up", &set]).status(4).stderr_has("newuidmap to use its subordinate ids, and it is missing");
    ran.stderr_has("hint: sudo apt-get install uidmap").stderr_has_not("usermod");
}

#[test]
fn the_vfs_storage_driver_is_warned_of() {
    let sandbox = Sandbox::new();
    sandbox.private_seeds();
    let set = sandbox.set("tiny", TINY);
    let real = which("podman").display().to_string();
    let swap = "s/\"graphDriverName\": \"[a-z]*\"/\"graphDriverName\": \"vfs\"/";
    sandbox.program("podman", &format!("#!/bin/sh\n[ \"$1\" = info ] || exec '{real}' \"$@\"\n'{real}' \"$@\" | sed '{swap}'\n"));
    let ran = sandbox.run(&["create", &set]).status(0);
    ran.stderr_has("warning: podman's storage driver here is vfs")
        .stderr_has("driver = \"overlay\"")
        .stderr_has("podman system reset");
    // Once it has been built, there is no more to say.
    sandbox.run(&["create", &set]).ok().stderr_has_not("vfs");
}
