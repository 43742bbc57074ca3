//! Dumps on their way to the web server: what delays them, and what becomes of those that are not to be there.

use crate::sandbox::Sandbox;
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
