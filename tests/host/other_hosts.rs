//! Machines that are not as most are.

use std::fs;

use crate::dns;
use crate::files::Files;
use crate::machine::{home, podfarm, podfarm_without_session, root, sh, until};
use crate::router::the_router_answers;
use crate::story::{SET, all_pieces_work, is_as_before, names_are_back};
use crate::using;

/// Where the user's systemd is not at work, podfarm looks after dnsmasq itself.
pub fn without_session(before: &Files) {
    let podfarm = podfarm_without_session;
    podfarm(&["hostdns", "install", "--yes"]).ok().stdout_has("process ");
    all_pieces_work();
    assert!(!home().join(".config/systemd/user/podfarm-dnsmasq.service").exists());
    names_are_back();
    // One that died is started by whoever needs it, and one that is there is found.
    let process = || sh("pgrep -u someone -x dnsmasq").stdout;
    let first = process();
    assert_eq!(first.lines().count(), 1, "{first}");
    podfarm(&["up", SET]).ok();
    assert_eq!(process(), first);
    sh(&format!("kill -KILL {first}")).ok();
    until("it is dead", || match process() {
        there if there.is_empty() => Ok(()),
        there => Err(there),
    });
    podfarm(&["hostdns", "status"]).ok().stdout_has("no ");
    podfarm(&["up", SET]).ok();
    names_are_back();
    // A second one does not come beside it.
    podfarm(&["hostdns", "install", "--yes"]).ok();
    assert_eq!(process().lines().count(), 1);
    sh(&format!("kill -STOP {}", process())).ok();
    podfarm(&["doctor", "--fix"]).ok().stdout_has("a new name was there after");
    podfarm(&["hostdns", "remove", "--yes"]).ok();
    is_as_before(before);
}

/// 10.77.0.0/16 is a network this machine is in, and somebody listens on 127.77.x.y.
pub fn another_range(before: &Files) {
    podfarm(&["destroy", SET]).ok();
    root("ip link add office0 type veth peer name office1 && ip address add 10.77.3.4/16 dev office0 && ip link set office0 up");
    let config = home().join(".config/podfarm/config.yaml");
    let what = "none of the networks in 10.77.0.0/16 is free";
    podfarm(&["up", SET]).status(1).stderr_has(what).stderr_has("docs/config.md says how to take another range");
    let doctor = podfarm(&["doctor"]).status(4);
    doctor.stdout_has("10.77.3.4/16 (office0)").stdout_has("10.78.0.0/16").stdout_has(&config.display().to_string());

    fs::create_dir_all(config.parent().expect("a folder")).expect("a folder");
    fs::write(&config, "addresses:\n  inside: 10.300.0.0/16\n").expect("a file");
    podfarm(&["up", SET]).status(3).stderr_has("config.yaml:2:").stderr_has("docs/config.md");
    fs::write(&config, "addresses:\n  inside: 10.99.0.0/16\n  published: 127.99.0.0/16\n").expect("a file");
    podfarm(&["up", SET]).ok().stdout_has("http://127.99.1.3:20080/wiki/mw/");
    let status = podfarm(&["status", SET]).ok();
    assert!(status.stdout.contains("10.99.1.2") && !status.stdout.contains(".77."), "{status}");
    podfarm(&["doctor"]).ok().stdout_has("10.99.0.0/16 and 127.99.0.0/16 are podfarm's alone");
    podfarm(&["hostdns", "install", "--yes"]).ok();
    all_pieces_work();
    sh("ss -lun").ok().stdout_has("127.99.0.53:5335");
    dns::address(&format!("{SET}-mw.{SET}.lan")).at("127.99.1.3");
    using::is_a_wiki(&format!("http://{SET}-mw.{SET}.lan:20080/wiki/mw/"));

    // A set keeps its addresses for its life; the resolver is told of new ones by an install.
    root("ip link delete office0");
    fs::remove_file(&config).expect("it is there");
    let up = podfarm(&["up", SET]).ok();
    assert!(!up.stderr.contains("create"), "{up}");
    podfarm(&["doctor"]).ok().stdout_has("the resolver asks 127.99.0.53").stdout_has("names: podfarm hostdns install");
    podfarm(&["hostdns", "install", "--yes"]).ok();
    dns::address(&format!("{SET}-mw.{SET}.lan")).at("127.99.1.3");
    podfarm(&["hostdns", "remove", "--yes"]).ok();
    podfarm(&["destroy", SET]).ok();
    podfarm(&["up", SET]).ok().stdout_has("http://127.77.1.3:20080/wiki/mw/");
    fs::remove_dir(config.parent().expect("a folder")).expect("it is empty");
    is_as_before(before);
}

/// A plain resolv.conf, as a machine with NetworkManager or a static network has it: said plainly, and left alone.
pub fn without_resolved(before: &Files) {
    let link = sh("readlink /etc/resolv.conf").ok().stdout;
    root("systemctl stop systemd-resolved && rm /etc/resolv.conf && echo 'nameserver 10.55.0.1' >/etc/resolv.conf");
    let plain = Files::now();
    podfarm(&["doctor"]).ok().stdout_has("/etc/resolv.conf has 10.55.0.1, not systemd-resolved");
    let refused = podfarm(&["hostdns", "install", "--yes", "--no-ports", "--no-ssh"]).status(4);
    refused.stderr_has("/etc/resolv.conf has 10.55.0.1, not systemd-resolved").stderr_has("everything works by address");
    assert_eq!(Files::now().since(&plain), [""; 0]);
    // What needs no resolver is there to be had: ports at their own numbers, and ssh by name.
    podfarm(&["hostdns", "install", "--yes"]).status(4).stderr_has("everything works by address").stdout_has("ssh");
    podfarm(&["destroy", SET]).ok();
    let up = podfarm(&["up", SET]).ok();
    assert_eq!(up.stdout.trim(), "http://127.77.1.3/wiki/mw/");
    using::is_a_wiki(up.stdout.trim());
    sh(&format!("ssh -o BatchMode=yes {SET}-snapshot1.{SET}.lan true")).ok();
    assert_eq!(fs::read_to_string("/etc/resolv.conf").expect("a file"), "nameserver 10.55.0.1\n");
    podfarm(&["hostdns", "remove", "--yes"]).ok();
    assert_eq!(Files::now().since(&plain), [""; 0]);
    root(&format!("ln -sf {} /etc/resolv.conf && systemctl start systemd-resolved", link.trim()));
    the_router_answers();
    is_as_before(before);
}
