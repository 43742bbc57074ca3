//! Who may talk to whom: every member asks every other for everything there is.

use std::collections::BTreeSet;

use crate::sandbox::{Sandbox, run};

const ASK: &str = include_str!("data/ask.pl");

/// A member and a port of it.
type Server = (&'static str, u16);
/// Who asks, whom, and at which port.
type Flow = (&'static str, &'static str, u16);

const FARM: &str = "wikis:
  wiki: {}
members:
  dbreplica: {}
  dbstore: {}
  snapshot: {count: 2}
  dumpsdata: {}
  dumpsweb: {}
";

/// Who has what to be asked for.
const SERVERS: &[Server] = &[
    ("dbprimary", 3306),
    ("dbreplica1", 3306),
    ("dbstore1", 3306),
    ("php", 9000),
    ("mw", 80),
    ("dumpsweb", 8080),
    ("dumpsweb", 873),
];

/// Who may ask whom, and nobody else may.
const FLOWS: &[Flow] = &[
    ("php", "dbprimary", 3306),
    ("php", "dbreplica1", 3306),
    ("php", "dbstore1", 3306),
    ("snapshot1", "dbprimary", 3306),
    ("snapshot1", "dbreplica1", 3306),
    ("snapshot1", "dbstore1", 3306),
    ("snapshot2", "dbprimary", 3306),
    ("snapshot2", "dbreplica1", 3306),
    ("snapshot2", "dbstore1", 3306),
    ("dbreplica1", "dbprimary", 3306),
    ("mw", "php", 9000),
    ("snapshot1", "mw", 80),
    ("snapshot2", "mw", 80),
    ("dumpsdata", "dumpsweb", 873),
];

const SHARED: &str = "wikis:
  wiki: {}
members:
  snapshot: {count: 2}
  dumpsdata: {share: sshfs}
  dumpsweb: {}
";

/// What differs where the storage is mounted over the network.
const OF_SHARE: &[Flow] = &[("snapshot1", "dumpsdata", 2022), ("snapshot2", "dumpsdata", 2022)];

#[test]
fn members_answer_those_who_need_it_and_nobody_else() {
    check("flows", FARM, SERVERS, FLOWS);
}

#[test]
fn storage_in_the_network_is_for_those_who_make_dumps() {
    let there = |member: &str| !["dbreplica1", "dbstore1"].contains(&member);
    let servers: Vec<_> = SERVERS.iter().copied().filter(|(member, _)| there(member)).chain([("dumpsdata", 2022)]).collect();
    let flows = FLOWS.iter().copied().filter(|(from, to, _)| there(from) && there(to));
    check("shared", SHARED, &servers, &flows.chain(OF_SHARE.iter().copied()).collect::<Vec<_>>());
}

fn check(name: &str, farm: &str, servers: &[Server], flows: &[Flow]) {
    let sandbox = Sandbox::new();
    let set = sandbox.set(name, farm);
    sandbox.run(&["up", &set]).ok();
    let status = sandbox.status(&set);
    let members: Vec<_> =
        status["members"].as_array().expect("a list").iter().map(|member| member["name"].as_str().expect("text")).collect();
    let servers: BTreeSet<_> = servers.iter().copied().chain(members.iter().map(|member| (*member, 22))).collect();
    // The keys are everybody's here: it is not for want of one that a server does not answer.
    let key = std::fs::read_to_string(sandbox.at("data/ssh/id_ed25519")).expect("the user's key");
    let of_share = sandbox.run(&["exec", &set, "snapshot1", "sh", "-c", "cat /run/secrets/share-key 2>/dev/null || true"]).ok();
    let keys = format!("{key}\0{}", of_share.stdout);

    let mut open = BTreeSet::new();
    for member in &members {
        let others: Vec<_> = servers.iter().filter(|(server, _)| server != member).collect();
        let addresses: Vec<_> = others.iter().map(|(server, port)| format!("{set}-{server}:{port}")).collect();
        let mut ask = vec!["exec", &set, member, "perl", "-e", ASK];
        ask.extend(addresses.iter().map(String::as_str));
        let told = sandbox.run_with_input(&ask, &keys).ok();
        assert_eq!(told.stdout.lines().count(), others.len(), "{told}");
        for (server, port) in others {
            if told.stdout.lines().any(|line| line == format!("{set}-{server}:{port} open")) {
                open.insert((*member, *server, *port));
            }
        }
        // Nobody listens for more than what was asked for.
        let known: BTreeSet<u16> = servers.iter().filter(|(server, _)| server == member).map(|(_, port)| *port).collect();
        assert_eq!(listening(&sandbox, &set, member), known, "{member}");
    }
    assert_eq!(open, flows.iter().copied().collect());

    // This machine gets in everywhere.
    let config = sandbox.at("ssh_config");
    std::fs::write(&config, sandbox.run(&["ssh-config", &set]).ok().stdout).expect("a file");
    for member in &members {
        let host = format!("{set}-{member}");
        run("ssh", &["-F", &config.display().to_string(), &host, "true"]).ok();
    }
}

/// The ports of a member that others could reach.
fn listening(sandbox: &Sandbox, set: &str, member: &str) -> BTreeSet<u16> {
    let table = sandbox.run(&["exec", set, member, "cat", "/proc/net/tcp", "/proc/net/tcp6"]).ok().stdout;
    let local = |line: &str| {
        let fields: Vec<_> = line.split_whitespace().collect();
        let (address, port) = fields.get(1)?.split_once(':')?;
        let is_loopback = address == "0100007F" || address == "00000000000000000000000001000000";
        (fields.get(3) == Some(&"0A") && !is_loopback).then(|| u16::from_str_radix(port, 16).ok())?
    };
    table.lines().filter_map(local).collect()
}
