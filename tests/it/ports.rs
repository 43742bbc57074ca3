//! Ports that somebody else has.

use std::net::TcpListener;

use crate::sandbox::{Sandbox, TINY, podman};

/// The address on this host of the only member, and the port its database is published at.
fn published(sandbox: &Sandbox, set: &str) -> (String, u64) {
    let status = sandbox.status(set);
    let member = &status["members"][0];
    let ports = member["ports"].as_array().expect("a list");
    let mysql = ports.iter().find(|port| port["name"] == "mysql").expect("a port");
    (member["published"].as_str().expect("an address").to_owned(), mysql["published"].as_u64().expect("a number"))
}

#[test]
fn a_port_taken_by_someone_else() {
    let sandbox = Sandbox::new();
    let set = sandbox.set("port", TINY);
    sandbox.run(&["create", &set]).ok();
    let (address, port) = published(&sandbox, &set);
    // The set keeps its number as long as its network is there; the member is made anew.
    podman(&["rm", "--force", &format!("{set}-dbprimary")]).ok();

    let natural = TcpListener::bind((address.as_str(), 3306)).expect("the port was the set's");
    sandbox.run(&["create", &set]).ok();
    assert_eq!(published(&sandbox, &set), (address.clone(), 23306), "{port}");
    podman(&["rm", "--force", &format!("{set}-dbprimary")]).ok();

    let shifted = TcpListener::bind((address.as_str(), 23306)).expect("the port was the set's");
    let ran = sandbox.run(&["up", &set]).status(1);
    ran.stderr_has(&format!("{address}:23306 cannot be published")).stderr_has("hint: `ss -ltnp sport = :23306`");

    drop((natural, shifted));
    sandbox.run(&["up", &set]).ok();
    assert_eq!(published(&sandbox, &set), (address, 3306));
}

#[test]
fn a_port_taken_while_the_set_was_stopped() {
    let sandbox = Sandbox::new();
    let set = sandbox.set("port", TINY);
    sandbox.run(&["create", &set]).ok();
    let (address, port) = published(&sandbox, &set);
    let other = TcpListener::bind((address.as_str(), port as u16)).expect("the set does not run");
    for verb in ["start", "up"] {
        let ran = sandbox.run(&[verb, &set]).status(1);
        ran.stderr_has(&format!("{address}:{port}")).stderr_has("hint:").stderr_has("ss -ltnp");
    }
    drop(other);
    sandbox.run(&["start", &set]).ok();
    assert_eq!(sandbox.status(&set)["state"], "running");
}
