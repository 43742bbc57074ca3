//! Machines that are not as most are.

use std::fs;
use std::path::Path;

use crate::files::Files;
use crate::machine::{home, podfarm, podfarm_without_session, root, sh, until};
use crate::router::the_router_answers;
use crate::story::{
    SET, all_pieces_work, are_other_names_answered, is_as_before, leads_to, names_are_back, names_come_and_go, names_of_a_set,
    other_names, other_names_are_back,
};
use crate::using;

/// Whoever asked for systemd-resolved by D-Bus would start it again.
const WITHOUT_RESOLVED: &str = "systemctl mask --quiet --runtime --now systemd-resolved";
const WITH_RESOLVED: &str = "systemctl unmask --quiet --runtime systemd-resolved && systemctl start systemd-resolved";

/// Where the user's systemd is not at work, podfarm looks after dnsmasq itself.
pub fn without_session(before: &Files) {
    let podfarm = podfarm_without_session;
    podfarm(&["hostdns", "install", "--yes"]).ok().stdout_has("process ");
    all_pieces_work();
    assert!(!home().join(".config/systemd/user/podfarm-dnsmasq.service").exists());
    names_are_back();
    // One that died is started by whoever needs it, and one that is there is found.
    let process = || sh("pgrep -u someone -x dnsmasq").stdout;
    // As it goes into the background, there are several for a moment.
    let the_one = || {
        until("one dnsmasq", || match process() {
            there if there.lines().count() == 1 => Ok(()),
            there => Err(there),
        });
        process()
    };
    let first = the_one();
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
    sh(&format!("kill -STOP {}", the_one())).ok();
    podfarm(&["doctor", "--fix"]).ok().stdout_has("a new name was there after");
    podfarm(&["hostdns", "remove", "--yes"]).ok();
    is_as_before(before);
}

/// Somebody has seen to it that ordinary users may publish port 80, or any.
pub fn lowered_ports(before: &Files) {
    let lower_to = |port: &str| root(&format!("sysctl --quiet --write net.ipv4.ip_unprivileged_port_start={port}"));
    let first_port = || sh("cat /proc/sys/net/ipv4/ip_unprivileged_port_start").ok().stdout.trim().to_owned();
    lower_to("80");
    podfarm(&["destroy", SET]).ok();
    let url = podfarm(&["up", SET]).ok().stdout;
    assert_eq!(url.trim(), "http://127.77.1.3/wiki/mw/");
    using::is_a_wiki(url.trim());
    podfarm(&["hostdns", "install", "--yes"]).ok().stderr_has("ip_unprivileged_port_start = 22");
    all_pieces_work();
    podfarm(&["hostdns", "remove", "--yes"]).ok();
    assert_eq!(first_port(), "80");
    // Where there is nothing to lower, nothing is.
    lower_to("0");
    podfarm(&["hostdns", "install", "--yes"]).ok().stderr_has_not("ip_unprivileged_port_start");
    assert_eq!(first_port(), "0");
    names_are_back();
    podfarm(&["hostdns", "remove", "--yes"]).ok();
    assert_eq!(first_port(), "0");
    lower_to("1024");
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
    leads_to(&format!("{SET}-mw.{SET}.lan"), "127.99.1.3");
    using::is_a_wiki(&format!("http://{SET}-mw.{SET}.lan:20080/wiki/mw/"));

    // A set keeps its addresses for its life; the resolver is told of new ones by an install.
    root("ip link delete office0");
    fs::remove_file(&config).expect("it is there");
    let up = podfarm(&["up", SET]).ok();
    assert!(!up.stderr.contains("create"), "{up}");
    podfarm(&["doctor"]).ok().stdout_has("the resolver asks 127.99.0.53").stdout_has("names: podfarm hostdns install");
    podfarm(&["hostdns", "install", "--yes"]).ok();
    leads_to(&format!("{SET}-mw.{SET}.lan"), "127.99.1.3");
    podfarm(&["hostdns", "remove", "--yes"]).ok();
    podfarm(&["destroy", SET]).ok();
    podfarm(&["up", SET]).ok().stdout_has("http://127.77.1.3:20080/wiki/mw/");
    fs::remove_dir(config.parent().expect("a folder")).expect("it is empty");
    is_as_before(before);
}

/// A plain resolv.conf, as a machine with NetworkManager or a static network has it: said plainly, and left alone.
pub fn without_resolved(before: &Files) {
    let link = sh("readlink /etc/resolv.conf").ok().stdout;
    root(&format!("{WITHOUT_RESOLVED} && rm /etc/resolv.conf && echo 'nameserver 10.55.0.1' >/etc/resolv.conf"));
    let plain = Files::now();
    podfarm(&["doctor"]).ok().stdout_has("/etc/resolv.conf has 10.55.0.1, neither systemd-resolved nor NetworkManager");
    let refused = podfarm(&["hostdns", "install", "--yes", "--no-ports", "--no-ssh"]).status(4);
    refused
        .stderr_has("/etc/resolv.conf has 10.55.0.1, neither systemd-resolved nor NetworkManager")
        .stderr_has("everything works by address");
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
    root(&format!("ln -sf {} /etc/resolv.conf && {WITH_RESOLVED}", link.trim()));
    the_router_answers();
    is_as_before(before);
}

/// NetworkManager runs a dnsmasq of its own, which is then the machine's resolver.
pub fn with_networkmanager(before: &Files) {
    let link = sh("readlink /etc/resolv.conf").ok().stdout;
    let settings = "/etc/NetworkManager/conf.d/90-test.conf";
    // The network is systemd's all the same: without udev, NetworkManager waits for all links to be ready.
    root(&format!(
        "printf '[main]\\ndns=dnsmasq\\nrc-manager=file\\n[global-dns]\\nsearches=lan\\n[global-dns-domain-*]\\nservers=10.55.0.1\\n' \
         >{settings} && {WITHOUT_RESOLVED} && rm /etc/resolv.conf && systemctl start NetworkManager"
    ));
    let resolver = || fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    until("NetworkManager's dnsmasq", || {
        if resolver().contains("nameserver 127.0.0.1\n") { are_other_names_answered() } else { Err(resolver()) }
    });
    let plain = (Files::now(), resolver());
    let is_plain = || {
        assert_eq!(Files::now().since(&plain.0), [""; 0]);
        assert_eq!(resolver(), plain.1);
        assert!(!Path::new("/var/lib/podfarm").exists());
    };
    podfarm(&["doctor"]).ok().stdout_has("names: podfarm hostdns install");
    podfarm(&["hostdns", "install", "--yes"]).ok().stderr_has("/etc/NetworkManager/dnsmasq.d/podfarm.conf");
    all_pieces_work();
    podfarm(&["destroy", SET]).ok();
    let url = format!("http://{SET}-mw.{SET}.lan/wiki/mw/");
    assert_eq!(podfarm(&["up", SET]).ok().stdout.trim(), url);
    using::is_a_wiki(&url);
    names_of_a_set();
    names_come_and_go();
    other_names();

    sh("systemctl --user stop podfarm-dnsmasq").ok();
    other_names();
    podfarm(&["status", SET]).ok().stdout_has("http://127.77.1.3/wiki/mw/");
    podfarm(&["doctor", "--fix"]).ok().stdout_has("a new name was there after");
    // As after a change of networks, and after an update.
    for change in ["nmcli general reload dns-full", "nmcli general reload dns-rc", "systemctl restart NetworkManager"] {
        root(change);
        names_are_back();
        other_names_are_back();
    }
    let installed = Files::now();
    podfarm(&["hostdns", "install", "--yes"]).ok();
    assert_eq!(Files::now().since(&installed), [""; 0]);
    podfarm(&["hostdns", "remove", "--yes"]).ok();
    other_names_are_back();
    is_plain();
    podfarm_without_session(&["hostdns", "install", "--yes"]).ok().stdout_has("process ");
    all_pieces_work();
    // NetworkManager's dnsmasq was not taken for podfarm's.
    other_names();
    // The machine gets another resolver.
    root(&format!(
        "systemctl stop NetworkManager && pkill --pidfile /run/NetworkManager/dnsmasq.pid && rm {settings} && ln -sf {} /etc/resolv.conf && {WITH_RESOLVED}",
        link.trim()
    ));
    the_router_answers();
    podfarm(&["doctor"]).ok().stdout_has("the machine's resolver does not ask it").stdout_has("names: podfarm hostdns install");
    podfarm(&["hostdns", "install", "--yes"]).ok();
    all_pieces_work();
    names_are_back();
    podfarm(&["hostdns", "remove", "--yes"]).ok();
    is_as_before(before);
}
