//! Dumps on their way to the web server: what delays them, and what becomes of those that are not to be there.

use crate::dumps::{get, jobs};
use crate::luck::Small;
use crate::running::member;
use crate::sandbox::{Sandbox, podman};
use crate::topology::until;

const FARM: &str = "wikis:
  one: {}
  two: {}
members:
  dumpsdata: {}
  dumpsweb: {}
";

/// Where those who want the dumps to be sent now say so.
const REQUESTS: &str = "/srv/dumps/temp/publish";

#[test]
fn whoever_asks_while_dumps_are_sent_is_not_forgotten() {
    let sandbox = Sandbox::new();
    let set = sandbox.set("sent", FARM);
    sandbox.run(&["up", &set]).ok();
    let exec = |host: &str, script: &str| sandbox.run(&["exec", &set, host, "sh", "-c", script]);

    // One comes in the middle of a send that takes long; what was heard of it last is long ago.
    exec("dumpsweb", "kill -STOP $(cat /run/rsyncd.pid)").ok();
    exec("dumpsdata", &format!("touch {REQUESTS}/first")).ok();
    until("the dumps are being sent", || exec("dumpsdata", "grep -l '^rsync$' /proc/[0-9]*/comm").status == 0);
    exec("dumpsdata", &format!("touch -d '1 hour ago' {REQUESTS}/second")).ok();
    until("it is told that it is heard", || {
        !exec("dumpsdata", &format!("find {REQUESTS}/second -mmin -1")).ok().stdout.is_empty()
    });
    assert_eq!(exec("dumpsdata", &format!("cat {REQUESTS}/*")).ok().stdout, "", "it is the same send still");
    exec("dumpsweb", "kill -CONT $(cat /run/rsyncd.pid)").ok();
    until("both are published", || exec("dumpsdata", &format!("ls {REQUESTS}")).ok().stdout.is_empty());
    sandbox.run(&["destroy", &set]).ok();
    sandbox.nothing_left();
}

#[test]
fn a_full_disk_does_not_end_the_host_that_stores_the_dumps() {
    let sandbox = Sandbox::new();
    let set = sandbox.set("stuck", FARM);
    sandbox.run(&["create", &set]).ok();
    let folder = sandbox.at(&format!("data/sets/{set}/shared/dumps"));
    let small = Small::mount(&folder, "1m");
    podman(&["unshare", "mkdir", &folder.join("public").display().to_string()]).ok();
    sandbox.run(&["start", &set]).ok();
    podman(&["stop", "--time", "1", &format!("{set}-dumpsweb")]).ok();
    sandbox.run(&["exec", &set, "dumpsdata", "sh", "-c", "! dd if=/dev/zero of=/srv/dumps/fill bs=4k"]).ok();
    // There is no room to tell why this fails.
    let ask =
        "import sys; sys.path.append('/usr/local/lib/podfarm'); from dumps import run; run.publish(run.Teller(False), 'one')";
    let asked = sandbox.run(&["exec", &set, "snapshot1", "su", "dumpsgen", "-c", &format!("python3 -B -c \"{ask}\"")]).ok();
    asked.stdout_has("the web server has not got the dumps (nothing is heard from dumpsdata)");
    assert_eq!(member(&sandbox.status(&set), "dumpsdata")["health"], "ready");
    sandbox.run(&["stop", &set]).ok();
    drop(small);
    sandbox.run(&["destroy", &set]).ok();
    sandbox.nothing_left();
}

#[test]
fn what_is_published_is_what_the_set_says_now() {
    let sandbox = Sandbox::new();
    let set = sandbox.set("now", FARM);
    sandbox.run(&["up", &set]).ok();
    let write = |text: &str| sandbox.write(&format!("sets/{set}.yaml"), text);
    let dump =
        |wiki: &str, date: &str| sandbox.run(&["dump", &set, wiki, "--date", date, "--job", "pagetable", "--format", "json"]);
    for wiki in ["one", "two"] {
        dump(wiki, "20260101").ok();
    }
    let web = sandbox.status(&set)["urls"]["dumpsweb"].as_str().expect("a url").to_owned();
    let published = |folder: &str| get(&format!("{web}{folder}/")).0;
    assert_eq!((published("one/20260101"), published("two/20260101")), (200, 200));

    // Nothing is dumped by hosts that take a wiki for public which is not any more.
    write(&FARM.replace("one: {}", "one: {private: true}"));
    for wiki in ["one", "two"] {
        dump(wiki, "20260102").status(1).stderr_has("says now of one").stderr_has(&format!("podfarm up {set}"));
    }
    let folders = "cd /srv/dumps && ls -d */*/2026*";
    let folders = || sandbox.run(&["exec", &set, "dumpsdata", "sh", "-c", folders]).ok().stdout;
    assert!(!folders().contains("20260102"), "{}", folders());
    sandbox.run(&["up", &set]).ok();
    dump("two", "20260102").ok();
    assert_eq!((published("one"), published("two/20260102")), (404, 200));
    assert!(folders().contains("private/one/20260101") && !folders().contains("public/one"), "{}", folders());

    // Without the web server there is nothing to publish to, whatever lies there from before.
    sandbox.run(&["exec", &set, "dumpsdata", "ls", REQUESTS]).ok();
    write(&FARM.replace("  dumpsweb: {}\n", ""));
    sandbox.run(&["up", &set]).ok();
    let told = jobs(&dump("two", "20260103").ok());
    assert_eq!(told["two"].keys().collect::<Vec<_>>(), ["pagetable"]);
    sandbox.run(&["destroy", &set]).ok();
    sandbox.nothing_left();
}
