//! Several podfarms at once.

use crate::sandbox::{SMALL, Sandbox, TINY, podman};
use crate::topology::until;

#[test]
fn on_one_set_the_second_waits() {
    let sandbox = Sandbox::new();
    let set = sandbox.set("one", TINY);
    let mut first = sandbox.start(&["up", &set]);
    first.until(&format!("create pod {set}"));
    let second = sandbox.run(&["up", &set]).ok();
    let at_work = format!("another podfarm is at work on set {set}: waiting for it");
    first.end().ok().stderr_has_not(&at_work);
    let second = second.stderr_has(&at_work);
    second.stderr_has_not("create");
    assert_eq!(sandbox.status(&set)["state"], "running");
}

#[test]
fn on_one_set_destroy_waits_for_up() {
    let sandbox = Sandbox::new();
    let set = sandbox.set("one", TINY);
    let mut first = sandbox.start(&["up", &set]);
    first.until(&format!("create pod {set}"));
    sandbox.run(&["destroy", &set]).ok().stderr_has("another podfarm is at work");
    first.end().ok();
    sandbox.nothing_left();
}

#[test]
fn on_two_sets_both_work() {
    let sandbox = Sandbox::new();
    let sets = [sandbox.set("one", TINY), sandbox.set("two", TINY)];
    let working: Vec<_> = sets.iter().map(|set| sandbox.start(&["up", set])).collect();
    for podfarm in working {
        podfarm.end().ok();
    }
    let addresses = sets.map(|set| {
        let status = sandbox.status(&set);
        assert_eq!((&status["state"], &status["members"][0]["health"]), (&"running".into(), &"ready".into()), "{status}");
        status["members"][0]["address"].as_str().expect("an address").to_owned()
    });
    assert_ne!(addresses[0], addresses[1]);
}

#[test]
fn a_seed_is_made_once_for_two_sets() {
    let sandbox = Sandbox::new();
    sandbox.private_seeds();
    let farm = "wikis:\n  wiki: {}\nmembers:\n  mw: {count: 0}\n  php: {count: 0}\n";
    let sets = [sandbox.set("one", farm), sandbox.set("two", farm)];
    let mut first = sandbox.start(&["create", &sets[0]]);
    first.until("seed wiki wiki");
    // What it has to wait for is made when its turn comes.
    sandbox.run(&["create", &sets[1]]).ok().stderr_has("another podfarm is at work on the same seed");
    first.end().ok();
    assert_eq!(std::fs::read_dir(sandbox.at("cache/seeds/farm")).expect("seeds").count(), 1);
}

#[test]
fn a_long_import_keeps_nobody_waiting_but_for_that_wiki() {
    let sandbox = Sandbox::new();
    sandbox.private_seeds();
    let farm = |wikis: &str| format!("wikis: {{{wikis}}}\nmembers:\n  mw: {{count: 0}}\n  php: {{count: 0}}\n");
    let sets = ["long", "other", "both"].map(|name| {
        let wikis = if name == "both" { "long: {}, third: {}".to_owned() } else { format!("{name}: {{}}") };
        sandbox.set(name, &farm(&wikis))
    });
    let mut long = sandbox.start(&["create", &sets[0]]);
    long.until("seed wiki long");
    let begun = || {
        std::fs::read_dir(sandbox.at("cache/seeds"))
            .is_ok_and(|mut all| all.any(|seed| seed.is_ok_and(|seed| seed.path().join("wikis/long").exists())))
    };
    until("the import begins", begun);
    long.pause();
    sandbox.run(&["create", &sets[1]]).ok().stderr_has_not("at work on the same");
    let mut both = sandbox.start(&["create", &sets[2]]);
    both.until("another podfarm is at work on the same wiki, long");
    long.resume();
    long.end().ok();
    both.end().ok();
    let made = |kind: &str| std::fs::read_dir(sandbox.at("cache/seeds").join(kind)).expect("seeds").count();
    assert_eq!((made("farm"), made("wiki")), (3, 3));
}

#[test]
fn sets_do_not_see_each_other() {
    let sandbox = Sandbox::new();
    let sets = [sandbox.set("one", SMALL), sandbox.set("two", SMALL)];
    let third = sandbox.set("third", TINY);
    let mut arguments = vec!["up", &third];
    arguments.extend(sets.iter().map(String::as_str));
    let ran = sandbox.run(&arguments).ok();
    assert_eq!(ran.stdout.lines().filter(|line| line.starts_with("http://127.77.")).count(), 2, "{ran}");
    let [one, two] = sets.each_ref().map(|set| sandbox.status(set));
    let address = |status: &serde_json::Value, member: &str| {
        let members = status["members"].as_array().expect("a list");
        let member = members.iter().find(|other| other["name"] == member).expect("a member");
        member["address"].as_str().expect("an address").to_owned()
    };
    // By address and by name, from one set's snapshot host to the other's database.
    let reach = |host: &str| {
        let connect = format!("exec 3<>/dev/tcp/{host}/3306 && head -c 1 <&3 | wc -c");
        sandbox.run(&["exec", &sets[0], "snapshot1", "timeout", "3", "bash", "-c", &connect])
    };
    // With some versions of netavark, the end of any network took away the rules that isolate the others; a start mended that.
    sandbox.run(&["stop", &sets[0]]).ok();
    sandbox.run(&["start", &sets[0]]).ok();
    sandbox.run(&["down", &third]).ok();
    assert_eq!(reach(&address(&one, "dbprimary")).ok().stdout.trim(), "1");
    assert_eq!(reach(&format!("{}-dbprimary", sets[0])).ok().stdout.trim(), "1");
    for host in [address(&two, "dbprimary"), format!("{}-dbprimary", sets[1])] {
        let ran = reach(&host);
        assert!(ran.status != 0 && ran.stdout.trim() != "1", "one set reached another's {host}: {ran}");
    }

    // What comes from outside of this machine, as answers do, is let in nevertheless.
    let uplink = "$(ip route show default | sed -n '1s/.* dev \\([^ ]*\\).*/\\1/p')";
    let answer = format!("ip route get {} from 198.51.100.1 iif {uplink}", address(&one, "snapshot1"));
    podman(&["unshare", "--rootless-netns", "sh", "-c", &answer]).ok().stdout_has("from 198.51.100.1");

    // `status` costs one podman, however many sets there are, and a set that is up costs few.
    let watched = sandbox.watch_podman();
    // podman is asked again where another test removes what it is listing, so the cheapest time counts.
    let cost = |arguments: &[&str]| {
        let times = (0..3).map(|_| sandbox.run(arguments).ok()).map(|_| watched.take());
        times.min_by_key(Vec::len).expect("three times")
    };
    assert_eq!((cost(&["status", &sets[0]]).len(), cost(&["status"]).len()), (1, 1));
    let for_up = cost(&["up", &sets[0]]);
    assert!(for_up.len() <= 5, "{for_up:#?}");

    // What happens to one leaves the other as it is.
    sandbox.run(&["down", &sets[0]]).ok();
    assert_eq!(sandbox.status(&sets[0])["state"], "absent");
    assert_eq!(sandbox.status(&sets[1]), two);
}
