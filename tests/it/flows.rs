//! Who may talk to whom: every member asks every other for everything there is.

use std::collections::BTreeSet;

use crate::sandbox::{Sandbox, run};

const ASK: &str = include_str!("data/ask.pl");

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
const SERVERS: &[(&str, u16)] = &[
    ("dbprimary", 3306),
    ("dbreplica1", 3306),
    ("dbstore1", 3306),
    ("php", 9000),
    ("mw", 80),
    ("dumpsweb", 8080),
    ("dumpsweb", 873),
];

/// Who may ask whom, and nobody else may.
const FLOWS: &[(&str, &str, u16)] = &[
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

#[test]
fn members_answer_those_who_need_it_and_nobody_else() {
    let sandbox = Sandbox::new();
    let set = sandbox.set("flows", FARM);
    sandbox.run(&["up", &set]).ok();
    let status = sandbox.status(&set);
    let members: Vec<_> =
        status["members"].as_array().expect("a list").iter().map(|member| member["name"].as_str().expect("text")).collect();
    let servers: BTreeSet<_> = SERVERS.iter().copied().chain(members.iter().map(|member| (*member, 22))).collect();
    let key = std::fs::read_to_string(sandbox.at("data/ssh/id_ed25519")).expect("the user's key");

    let mut open = BTreeSet::new();
    for member in &members {
        let others: Vec<_> = servers.iter().filter(|(server, _)| server != member).collect();
        let addresses: Vec<_> = others.iter().map(|(server, port)| format!("{set}-{server}:{port}")).collect();
        let mut ask = vec!["exec", &set, member, "perl", "-e", ASK];
        ask.extend(addresses.iter().map(String::as_str));
        let told = sandbox.run_with_input(&ask, &key).ok();
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
    assert_eq!(open, FLOWS.iter().copied().collect());

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
