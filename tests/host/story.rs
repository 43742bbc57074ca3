//! What happens to a machine, in the order in which it happens.

use std::fs;
use std::net::Ipv4Addr;

use crate::dns::{self, AT_ONCE, Kind, Outcome};
use crate::files::Files;
use crate::machine::{chapter, home, podfarm, root, sh, until};
use crate::router::{self, state};
use crate::{other_hosts, using};

/// The set that all is tried with: one wiki.
pub const SET: &str = "names";
/// A database server and nothing else: the least a set can be.
const TINY: &str = "members:\n  mw: {count: 0}\n  php: {count: 0}\n  snapshot: {count: 0}\n";

/// The whole of it.
pub fn of_a_machine() {
    sh("systemctl --version | head -n 1; podman --version; head -n 1 /etc/os-release").show();
    fs::create_dir("sets").expect("a folder");
    fs::write(format!("sets/{SET}.yaml"), "wikis:\n  wiki: {}\n").expect("a file");
    fs::write("sets/tiny.yaml", TINY).expect("a file");

    chapter("a router has names in .lan", router::play);
    chapter("without hostdns, sets are reached by address", by_address);
    let before = Files::now();
    chapter("nothing is put in unasked", || nothing_unasked(&before));
    chapter("install", install);
    chapter("names of a set that is up", || {
        names_of_a_set();
        in_the_ways_of_resolved();
    });
    chapter("names come with up and go with destroy", names_come_and_go);
    chapter("every other name is as before", other_names);
    chapter("programs connect by name", using::programs);
    chapter("a browser shows the wiki and the set by name", using::browser);
    chapter("other names with dnsmasq dead", with_dnsmasq_dead);
    chapter("other names with dnsmasq slow", with_dnsmasq_slow);
    chapter("the network changes, a VPN comes and goes, the resolver starts anew", changing_network);
    chapter("install again changes nothing", install_again);
    chapter("remove leaves every file as it was", || remove(&before));
    chapter("without a session of systemd's", || other_hosts::without_session(&before));
    chapter("lower ports are to be had already", || other_hosts::lowered_ports(&before));
    chapter("another range of addresses", || other_hosts::another_range(&before));
    chapter("without systemd-resolved", || other_hosts::without_resolved(&before));
    chapter("with NetworkManager's dnsmasq", || other_hosts::with_networkmanager(&before));
    podfarm(&["destroy", SET]).ok();
}

fn by_address() {
    let up = podfarm(&["up", SET]).status(0);
    // 80 is not to be had yet.
    let url = up.stdout.trim();
    assert_eq!(url, "http://127.77.1.3:20080/wiki/mw/");
    using::is_a_wiki(url);
    dns::address(&format!("{SET}-mw.{SET}.lan")).unknown_at_once();
    let status = podfarm(&["hostdns", "status"]).ok();
    assert!(status.stdout.lines().skip(1).all(|line| line.split_whitespace().nth(1) == Some("no")), "{status}");
}

fn nothing_unasked(before: &Files) {
    let refused = podfarm(&["hostdns", "install"]).status(1);
    refused.stderr_has("--yes");
    assert_eq!(Files::now().since(before), [""; 0]);
}

fn install() {
    let installed = podfarm(&["hostdns", "install", "--yes"]).ok();
    installed.stderr_has("As root:").stderr_has("ip_unprivileged_port_start = 22");
    all_pieces_work();
    // The set was made when 80 was not to be had, and keeps its ports.
    let status = podfarm(&["status", SET]).ok();
    status.stdout_has(&format!("http://{SET}-mw.{SET}.lan:20080/wiki/mw/"));
    podfarm(&["destroy", SET]).ok();
    let up = podfarm(&["up", SET]).ok();
    let url = format!("http://{SET}-mw.{SET}.lan/wiki/mw/");
    assert_eq!(up.stdout.trim(), url);
    using::is_a_wiki(&url);
}

pub fn all_pieces_work() {
    let status = podfarm(&["hostdns", "status"]).ok();
    for line in status.stdout.lines().skip(1) {
        assert!(line.split_whitespace().nth(1) == Some("yes") && line.contains("works"), "{status}");
    }
    // This machine's own sshd has port 22 on every address.
    status.stdout_has("works, 22 taken");
}

pub fn names_of_a_set() {
    let set = fs::read_to_string(home().join(".local/share/podfarm/names").join(SET)).expect("a hosts file");
    for line in set.lines() {
        let (address, name) = line.split_once(' ').expect("an address and a name");
        dns::address(name).at(address);
        dns::address(&name.to_uppercase()).at(address);
        dns::of_kind(name, Kind::Aaaa).empty();
        sh(&format!("getent hosts {name}")).ok().stdout_has(address);
    }
    assert!(set.lines().count() >= 4, "{set}");
    dns::address(&format!("nobody.{SET}.lan")).unknown_at_once();
    dns::of_kind(&format!("nobody.{SET}.lan"), Kind::Aaaa).unknown_at_once();
    // A name without a domain is nobody's.
    assert_ne!(sh(&format!("getent hosts {SET}-mw")).status, 0);
}

/// What is systemd-resolved's own: it has a second way to be asked, and answers for all of 127/8 itself.
fn in_the_ways_of_resolved() {
    sh(&format!("resolvectl query {SET}-mw.{SET}.lan")).ok().stdout_has("127.77.1.3").stdout_has("-- link: podfarm0");
    let reverse = dns::of_kind("3.1.77.127.in-addr.arpa", Kind::Ptr);
    assert_eq!(reverse.outcome, Outcome::NoError, "{reverse:?}");
}

pub fn names_come_and_go() {
    let name = "tiny-dbprimary.tiny.lan";
    dns::address(name).unknown_at_once();
    podfarm(&["up", "tiny"]).ok();
    leads_to(name, "127.77.2.2");
    // None is missed, however soon it comes after another.
    let names = home().join(".local/share/podfarm/names");
    for number in 1..=20 {
        let (file, name) = (names.join(format!("soon{number}")), format!("a.soon{number}.lan"));
        fs::write(&file, format!("127.77.250.{number} {name}\n")).expect("a file");
        leads_to(&name, &format!("127.77.250.{number}"));
        fs::remove_file(file).expect("it is there");
    }
    podfarm(&["stop", "tiny"]).ok();
    dns::address(name).at("127.77.2.2");
    podfarm(&["destroy", "tiny"]).ok();
    name_is_gone(name);
    dns::address(&format!("{SET}-mw.{SET}.lan")).at("127.77.1.3");
}

/// What has nothing to do with podfarm's sets is answered by whoever answered it before.
#[track_caller]
pub fn other_names() {
    are_other_names_answered().unwrap_or_else(|why| panic!("{why}\n{}", state()));
}

/// Likewise, once systemd-resolved and -networkd have come to terms with a change.
#[track_caller]
pub fn other_names_are_back() {
    until("other names", || are_other_names_answered().map_err(|why| format!("{why}\n{}", state())));
}

pub fn are_other_names_answered() -> Result<(), String> {
    let known = [("printer.lan", "192.168.1.20"), ("PRINTER.LAN", "192.168.1.20"), ("outside.example", "198.51.100.7")];
    for (name, address) in known {
        let answer = dns::ask(dns::resolver(), name, Kind::A)?;
        if answer.addresses != [address.parse::<Ipv4Addr>().expect("an address")] {
            return Err(format!("{name}: {answer:?}"));
        }
    }
    for name in ["nobody.lan", "unknown.example"] {
        let answer = dns::ask(dns::resolver(), name, Kind::A)?;
        if answer.outcome != Outcome::NxDomain || answer.took > AT_ONCE {
            return Err(format!("{name}: {answer:?}"));
        }
    }
    // One that has an address of IPv6 alone.
    for (kind, count) in [(Kind::A, 0), (Kind::Aaaa, 1)] {
        let answer = dns::ask(dns::resolver(), "six.example", kind)?;
        if (answer.outcome, answer.count) != (Outcome::NoError, count) {
            return Err(format!("six.example, {kind:?}: {answer:?}"));
        }
    }
    // A single label goes through the router's search domain.
    let found = sh("getent hosts printer").stdout;
    if found.contains("192.168.1.20") { Ok(()) } else { Err(format!("printer: {found}")) }
}

fn with_dnsmasq_dead() {
    sh("systemctl --user stop podfarm-dnsmasq").ok();
    other_names();
    let status = podfarm(&["hostdns", "status"]).status(0);
    status.stdout_has("does not work");
    podfarm(&["doctor"]).ok().stdout_has("podfarm's dnsmasq does not answer").stdout_has("names: podfarm doctor --fix");
    // Urls are those that work now.
    podfarm(&["status", SET]).ok().stdout_has("http://127.77.1.3/wiki/mw/");
    podfarm(&["doctor", "--fix"]).ok().stdout_has("a new name was there after");
    names_are_back();
    sh("systemctl --user stop podfarm-dnsmasq").ok();
    podfarm(&["up", SET]).ok().stdout_has(&format!("http://{SET}-mw.{SET}.lan/wiki/mw/"));
}

fn with_dnsmasq_slow() {
    sh("systemctl --user kill --signal STOP podfarm-dnsmasq").ok();
    let ours = std::thread::spawn(|| dns::ask(dns::resolver(), &format!("{SET}-php.{SET}.lan"), Kind::A));
    other_names();
    podfarm(&["status", SET]).ok().stdout_has("http://127.77.1.3/wiki/mw/");
    sh("systemctl --user kill --signal CONT podfarm-dnsmasq").ok();
    ours.join().expect("it only asks").ok();
    names_are_back();
}

fn changing_network() {
    // Another uplink's server, as after a change of wireless networks.
    root("sed -i 's/DNS=.*/DNS=10.0.2.3/; /^Domains=/d' /etc/systemd/network/20-uplink.network && networkctl reload");
    names_are_back();
    root("sed -i 's/DNS=.*/DNS=10.55.0.1\\nDomains=lan/' /etc/systemd/network/20-uplink.network && networkctl reload");
    other_names_are_back();
    names_are_back();
    // A VPN that wants all names.
    root(
        "ip link add vpn0 type veth peer name vpn1 && ip address add 10.66.0.2/24 dev vpn0 && ip link set vpn0 up && \
         ip link set vpn1 up && resolvectl llmnr vpn0 no && resolvectl dns vpn0 10.55.0.1 && resolvectl domain vpn0 '~.'",
    );
    names_are_back();
    other_names_are_back();
    root("ip link delete vpn0");
    names_are_back();
    other_names_are_back();
    // As after an update of systemd, or a suspend that ended it.
    for unit in ["systemd-resolved", "systemd-networkd"] {
        root(&format!("systemctl restart {unit}"));
        names_are_back();
        other_names_are_back();
    }
}

#[track_caller]
pub fn names_are_back() {
    leads_to(&format!("{SET}-mw.{SET}.lan"), "127.77.1.3");
}

/// Waits until a name has an address: the resolver is told of it by others.
#[track_caller]
pub fn leads_to(name: &str, address: &str) {
    let address: Ipv4Addr = address.parse().expect("an address");
    until(name, || match dns::ask(dns::resolver(), name, Kind::A) {
        Ok(answer) if answer.addresses == [address] => Ok(()),
        other => Err(format!("{other:?}\n{}", state())),
    });
}

fn install_again() {
    let before = Files::now();
    podfarm(&["hostdns", "install", "--yes"]).ok();
    assert_eq!(Files::now().since(&before), [""; 0]);
    all_pieces_work();
}

fn remove(before: &Files) {
    podfarm(&["hostdns", "remove", "--yes"]).ok();
    is_as_before(before);
    // Once more does no harm.
    podfarm(&["hostdns", "remove", "--yes"]).ok();
    is_as_before(before);
}

/// No trace of hostdns is on the machine: no file, no link, no process, no setting, no name.
#[track_caller]
pub fn is_as_before(before: &Files) {
    assert_eq!(Files::now().since(before), [""; 0]);
    assert_eq!(sh("cat /proc/sys/net/ipv4/ip_unprivileged_port_start").stdout.trim(), "1024");
    // Whoever was the parent of a process may not have taken notice yet that it is gone, nor systemd that a unit is, nor the
    // resolver that a link is.
    let units = "list-units --all --plain --no-legend 'podfarm*'";
    until("nothing is left", || {
        match sh(&format!("ip link | grep podfarm; ls -d /var/lib/podfarm; pgrep -u someone -x dnsmasq; systemctl {units}; systemctl --user {units}"))
            .stdout
        {
            there if there.is_empty() => Ok(()),
            there => Err(there),
        }
    });
    name_is_gone(&format!("{SET}-mw.{SET}.lan"));
    other_names_are_back();
}

#[track_caller]
fn name_is_gone(name: &str) {
    until("the name is gone", || match dns::ask(dns::resolver(), name, Kind::A)? {
        answer if answer.outcome == Outcome::NxDomain && answer.took < AT_ONCE => Ok(()),
        answer => Err(format!("{answer:?}")),
    });
}
