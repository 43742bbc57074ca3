//! podfarm killed with SIGKILL at any moment: the same command again goes on from there, and `destroy` leaves nothing.

use std::collections::BTreeSet;
use std::thread::sleep;
use std::time::Duration;

use crate::sandbox::{SMALL, Sandbox, TINY, listed, podman};
use crate::topology::until;

/// Runs a verb, and kills it so many milliseconds after it has said something.
fn kill(sandbox: &Sandbox, verb: &str, set: &str, said: &str, milliseconds: u64) {
    let mut working = sandbox.start(&[verb, set]);
    working.until(said);
    sleep(Duration::from_millis(milliseconds));
    working.kill();
}

/// `destroy` leaves nothing, and nothing comes back afterwards from what the killed podfarm had begun.
#[track_caller]
fn destroyed(sandbox: &Sandbox, set: &str, moment: &str) {
    sandbox.run(&["destroy", set]).ok();
    let at_once = sandbox.left();
    sleep(Duration::from_secs(1));
    let later = sandbox.left();
    assert!(
        at_once.is_empty() && later.is_empty(),
        "killed {moment}, then destroyed: {at_once:#?}, and a second later {later:#?}"
    );
}

#[test]
fn in_the_middle_of_create() {
    let sandbox = Sandbox::new();
    let set = sandbox.set("killed", SMALL);
    sandbox.run(&["build", &set]).ok();
    let moments = [("create network", 0), ("create pod", 60), ("create pod", 250), (&*format!("create {set}-mw"), 0)];
    for (said, milliseconds) in
        moments.into_iter().chain([(&*format!("create {set}-mw"), 90), (&*format!("create {set}-php"), 250)])
    {
        kill(&sandbox, "create", &set, said, milliseconds);
        destroyed(&sandbox, &set, &format!("{milliseconds} ms after {said:?}"));
    }
    for (said, milliseconds) in moments {
        kill(&sandbox, "create", &set, said, milliseconds);
        sandbox.run(&["create", &set]).ok();
        assert_eq!(sandbox.status(&set)["state"], "created", "killed {milliseconds} ms after {said:?}");
        sandbox.run(&["destroy", &set]).ok();
    }
    sandbox.nothing_left();
}

#[test]
fn in_the_middle_of_up() {
    let sandbox = Sandbox::new();
    let set = sandbox.set("killed", SMALL);
    sandbox.run(&["build", &set]).ok();
    let start = format!("create and start {set}-mw");
    for (said, milliseconds) in [("create pod", 0), (&*start, 0), (&*start, 300), (&*start, 800)] {
        kill(&sandbox, "up", &set, said, milliseconds);
        destroyed(&sandbox, &set, &format!("{milliseconds} ms after {said:?}"));
    }
    for (said, milliseconds) in [("create pod", 150), (&*start, 200), (&*start, 1500)] {
        kill(&sandbox, "up", &set, said, milliseconds);
        sandbox.run(&["up", &set]).ok();
        assert_eq!(sandbox.status(&set)["state"], "running", "killed {milliseconds} ms after {said:?}");
        sandbox.run(&["destroy", &set]).ok();
    }
    sandbox.nothing_left();
}

#[test]
fn in_the_middle_of_start_stop_and_reset() {
    let sandbox = Sandbox::new();
    let set = sandbox.set("killed", SMALL);
    sandbox.run(&["create", &set]).ok();
    // As a `create` leaves it that was killed before its last member.
    podman(&["rm", &format!("{set}-mw")]).ok();
    let half = sandbox.run(&["start", &set]).status(1).stderr_has(&format!("it has no {set}-mw"));
    half.stderr_has(&format!("hint: podfarm up {set}"));
    assert_eq!(sandbox.status(&set)["state"], "created");
    sandbox.run(&["create", &set]).ok();
    for milliseconds in [0, 250] {
        kill(&sandbox, "start", &set, &format!("start {set}-mw"), milliseconds);
        sandbox.run(&["start", &set]).ok();
        assert_eq!(sandbox.status(&set)["state"], "running");
        kill(&sandbox, "stop", &set, "stop ", milliseconds);
        sandbox.run(&["stop", &set]).ok();
        assert_eq!(sandbox.status(&set)["state"], "stopped");
    }
    sandbox.run(&["up", &set]).ok();
    for (said, milliseconds) in [("remove ", 0), ("remove ", 400), ("write the set's configuration", 100)] {
        kill(&sandbox, "reset", &set, said, milliseconds);
        sandbox.run(&["up", &set]).ok();
        let status = sandbox.status(&set);
        assert_eq!(status["state"], "running", "killed {milliseconds} ms after {said:?}: {status}");
    }
    kill(&sandbox, "start", &set, "", 0);
    destroyed(&sandbox, &set, "in the middle of start");
}

#[test]
fn in_the_middle_of_destroy() {
    let sandbox = Sandbox::new();
    let set = sandbox.set("killed", TINY);
    let moments = [
        ("kill ", 0),
        ("kill ", 150),
        ("remove pod", 0),
        ("remove pod", 150),
        ("remove pod", 400),
        ("remove network", 0),
        ("remove network", 60),
    ];
    for (said, milliseconds) in moments {
        sandbox.run(&["up", &set]).ok();
        kill(&sandbox, "destroy", &set, said, milliseconds);
        destroyed(&sandbox, &set, &format!("{milliseconds} ms after {said:?}"));
    }
    for (said, milliseconds) in [("kill ", 150), ("remove ", 0)] {
        sandbox.run(&["up", &set]).ok();
        kill(&sandbox, "destroy", &set, said, milliseconds);
        sandbox.run(&["up", &set]).ok();
        assert_eq!(sandbox.status(&set)["state"], "running", "after {said:?}");
    }
}

#[test]
fn what_was_being_thrown_away_does_not_come_back() {
    let sandbox = Sandbox::new();
    let set = sandbox.set("killed", TINY);
    let sql = |query: &str| sandbox.run(&["exec", &set, "dbprimary", "mariadb", "-N", "-e", query]).ok().stdout;
    for (verb, said, milliseconds, next) in [
        ("reset", "kill ", 0, "up"),
        ("reset", "remove pod", 300, "reset"),
        ("reset", "remove /", 0, "up"),
        ("reset", "create pod", 0, "reset"),
        ("destroy", "remove pod", 200, "up"),
        ("destroy", "remove network", 0, "up"),
    ] {
        sandbox.run(&["up", &set]).ok();
        sql("CREATE DATABASE edited");
        kill(&sandbox, verb, &set, said, milliseconds);
        sandbox.run(&["start", &set]).status(1);
        sandbox.run(&[next, &set]).ok();
        assert_eq!(sandbox.status(&set)["state"], "running", "{verb} killed after {said:?}, {next}");
        assert!(!sql("SHOW DATABASES").contains("edited"), "{verb} killed {milliseconds} ms after {said:?}, {next}: it is back");
    }
    // What nobody throws away stays, even where no member is left.
    sql("CREATE DATABASE edited");
    podman(&["rm", "--force", "--time", "2", &format!("{set}-dbprimary")]);
    sandbox.run(&["up", &set]).ok();
    assert!(sql("SHOW DATABASES").contains("edited"));
    destroyed(&sandbox, &set, "in the middle of throwing away");
}

#[test]
fn interrupted_at_a_terminal() {
    let sandbox = Sandbox::new();
    let set = sandbox.set("killed", SMALL);
    sandbox.run(&["build", &set]).ok();
    let start = format!("create and start {set}-mw");
    for (said, milliseconds) in [("create pod", 50), (&*start, 150)] {
        let interrupt = || {
            let mut working = sandbox.start(&["up", &set]);
            working.until(said);
            sleep(Duration::from_millis(milliseconds));
            working.interrupt();
        };
        interrupt();
        sandbox.run(&["up", &set]).ok();
        assert_eq!(sandbox.status(&set)["state"], "running", "interrupted {milliseconds} ms after {said:?}");
        sandbox.run(&["destroy", &set]).ok();
        interrupt();
        destroyed(&sandbox, &set, &format!("by Ctrl-C {milliseconds} ms after {said:?}"));
    }
}

#[test]
fn in_the_middle_of_an_import() {
    let sandbox = Sandbox::new();
    sandbox.private_seeds();
    let set = sandbox.set("killed", "wikis:\n  wiki: {}\nmembers:\n  mw: {count: 0}\n  php: {count: 0}\n");
    sandbox.run(&["build", &set]).ok();
    for milliseconds in [0, 700, 4000] {
        kill(&sandbox, "up", &set, "seed wiki wiki", milliseconds);
        destroyed(&sandbox, &set, &format!("{milliseconds} ms into the import"));
    }
    kill(&sandbox, "up", &set, "seed wiki wiki", 3000);
    sandbox.run(&["up", &set]).ok();
    let query = "SELECT COUNT(*) > 3 FROM wiki.page";
    let pages = sandbox.run(&["exec", &set, "dbprimary", "mariadb", "--skip-column-names", "--batch", "--execute", query]).ok();
    assert_eq!(pages.stdout.trim(), "1");
}

#[test]
fn in_the_middle_of_a_build() {
    let sandbox = Sandbox::new();
    let (slow, mark) = (format!("slow-{}", sandbox.id()), sandbox.id()); // a role of this test's own, as its images are
    let role = format!("containerfiles/{slow}");
    let containerfile = "ARG BASE\nFROM ${BASE}\nRUN sleep 4; echo MARK >/mark\n".replace("MARK", mark);
    sandbox.write(&format!("{role}/Containerfile"), containerfile);
    sandbox.write(&format!("{role}/role.yaml"), format!("description: A role to be built\nkinds:\n  {slow}: {{}}\n"));
    let set = sandbox.set("killed", &format!("{TINY}  slow: {{role: {slow}}}\n"));
    // Those that images are built in.
    let containers = || {
        let all = listed(&["ps", "--all", "--external", "--format", "{{.ID}} {{.Image}} {{.Status}}"]).ok().stdout;
        let is_one = |line: &&str| line.contains("podfarm/") && line.to_lowercase().contains("storage");
        all.lines().filter(is_one).map(str::to_owned).collect::<BTreeSet<_>>()
    };
    for milliseconds in [300, 2500] {
        let before = containers();
        kill(&sandbox, "build", &set, &format!("build image {slow}"), milliseconds);
        sandbox.run(&["build", &set]).ok();
        let images = listed(&["images", "--format", "{{.Repository}}:{{.Tag}}"]).ok().stdout;
        let image = images.lines().find(|name| name.starts_with(&format!("localhost/podfarm/{slow}:"))).expect("it was built");
        let said = sandbox.said_in(image, &["cat", "/mark"]);
        assert_eq!(said.stdout.trim(), mark, "killed {milliseconds} ms into the build");
        podman(&["rmi", "--force", image]).ok();
        // Other tests' builds end at some time, and what they begin from here on is none of ours.
        let left: BTreeSet<_> = containers().difference(&before).cloned().collect();
        until("no container that the image was built in is left", || containers().is_disjoint(&left));
    }
}

#[test]
fn in_the_middle_of_making_secrets() {
    let sandbox = Sandbox::new();
    let set = sandbox.set("killed", TINY);
    for secret in ["ssh-host-key", "db-wiki"] {
        let file = sandbox.write("left", "left behind");
        podman(&["secret", "create", &format!("podfarm.{set}.{secret}"), &file.display().to_string()]).ok();
    }
    sandbox.run(&["up", &set]).ok();
    let read = "cat /run/secrets/ssh-host-key /run/secrets/db-wiki";
    let ran = sandbox.run(&["exec", &set, "dbprimary", "--", "sh", "-c", read]).ok();
    assert!(!ran.stdout.contains("left behind"), "a secret that nobody knows was taken for the set's own");
}

#[test]
fn the_folder_of_a_set_removed_by_hand() {
    let sandbox = Sandbox::new();
    let set = sandbox.set("killed", TINY);
    sandbox.run(&["create", &set]).ok();
    let folder = sandbox.at(&format!("data/sets/{set}"));
    podman(&["unshare", "rm", "-rf", &folder.display().to_string()]).ok();
    sandbox.run(&["create", &set]).ok();
    assert!(folder.join("hosts").exists(), "members mount it");
    destroyed(&sandbox, &set, "without its folder");
}
