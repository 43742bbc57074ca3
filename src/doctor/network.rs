//! Addresses, ports and names: whether sets can have theirs, and whether they lead there.

use std::net::{Ipv4Addr, TcpListener};
use std::time::Instant;

use super::{Finding, Verdict};
use crate::addresses::{Addresses, Range, Subnet};
use crate::config;
use crate::desired::{label, parse_ports_label};
use crate::host;
use crate::hostdns::{self, Dnsmasq};
use crate::lifecycle::Session;
use crate::podman::{Inventory, observe::Container};

/// Who else uses the addresses that sets get.
pub(super) fn addresses(session: &Session<'_>, addresses: Addresses, containers: &[Container], inventory: &Inventory) -> Finding {
    let what = "addresses";
    let others = inventory.networks.iter().filter(|network| !network.labels.contains_key(label::SET));
    let networks = others.flat_map(|network| {
        let subnets = network.subnets.iter().filter_map(|subnet| subnet.subnet.parse::<Subnet>().ok());
        subnets.map(|subnet| (format!("podman's network {}", network.name), subnet)).collect::<Vec<_>>()
    });
    let taken: Vec<_> =
        networks.chain(host::interfaces()).filter(|(_, subnet)| subnet.overlaps(addresses.inside.whole())).collect();
    let list =
        |used: &[(String, Subnet)]| used.iter().map(|(who, subnet)| format!("{subnet} ({who})")).collect::<Vec<_>>().join(", ");
    let another = |key: &str, range: Option<Range>| {
        let range = range.map_or_else(|| "RANGE".to_owned(), |range| range.to_string());
        format!("another range, in {}: 'addresses: {{{key}: {range}}}' (docs/config.md)", config::file(&session.paths).display())
    };
    let free = |candidate: &Range| {
        let all = host::interfaces().into_iter().chain(host::routes());
        !all.into_iter().any(|(_, subnet)| subnet.overlaps(candidate.whole()))
    };
    let inside = (78..=255).map(|second| Range::of(Ipv4Addr::new(10, second, 0, 0))).find(free);
    let subnets: Vec<_> = taken.iter().map(|(_, subnet)| *subnet).collect();
    if addresses.free_number(&[], &subnets).is_none() {
        return Finding::new(what, Verdict::Bad, format!("all of {} is in use: {}", addresses.inside, list(&taken)))
            .mend(another("inside", inside));
    }
    let routes: Vec<_> = host::routes().into_iter().filter(|(_, subnet)| subnet.overlaps(addresses.inside.whole())).collect();
    if !routes.is_empty() {
        let fact = format!("from sets in {}, these cannot be reached: {}", addresses.inside, list(&routes));
        return Finding::new(what, Verdict::Note, fact).mend(another("inside", inside));
    }
    let strangers = strangers(addresses, containers);
    if !strangers.is_empty() {
        let strangers: Vec<_> = strangers.iter().map(|(address, port)| format!("{address}:{port}")).collect();
        let published = (78..=255).map(|second| Range::of(Ipv4Addr::new(127, second, 0, 0)));
        let mend = another("published", published.into_iter().find(|range| host::listeners(*range).is_empty()));
        return Finding::new(what, Verdict::Note, format!("other programs listen on {}", strangers.join(", "))).mend(mend);
    }
    Finding::new(what, Verdict::Good, format!("{} and {} are podfarm's alone", addresses.inside, addresses.published))
}

/// Where somebody listens on sets' addresses who is neither a member nor podfarm's dnsmasq.
fn strangers(addresses: Addresses, containers: &[Container]) -> Vec<(Ipv4Addr, u16)> {
    let members = containers.iter().flat_map(|container| {
        let address = container.label(label::PUBLISHED).and_then(|address| address.parse().ok());
        let ports = parse_ports_label(container.label(label::PORTS).unwrap_or_default());
        address
            .into_iter()
            .flat_map(move |address: Ipv4Addr| ports.clone().into_iter().map(move |port| (address, port.published)))
    });
    let ours: Vec<_> = members.chain([(addresses.dns(), hostdns::PORT)]).collect();
    host::listeners(addresses.published).into_iter().filter(|listener| !ours.contains(listener)).collect()
}

/// Whether members' ports can be at their own numbers: two are taken for a moment.
pub(super) fn ports(addresses: Addresses) -> Finding {
    let what = "ports";
    let first = hostdns::first_unprivileged_port();
    let shift = crate::resolve::PORT_SHIFT;
    if first > 22 {
        return Finding::new(what, Verdict::Note, format!("ports below {first} are published {shift} higher"))
            .mend("podfarm hostdns install");
    }
    let taken: Vec<_> = [22, 80].into_iter().filter(|port| TcpListener::bind((addresses.trial(), *port)).is_err()).collect();
    match taken[..] {
        [] => Finding::new(what, Verdict::Good, "22 and 80 can be published as they are"),
        // Ours does not stand in the way of ssh: it is told the port.
        [22] => Finding::new(what, Verdict::Good, format!("80 is free; 22 is another program's: published {shift} higher")),
        _ => {
            Finding::new(what, Verdict::Note, format!("another program has {taken:?} on all addresses: published {shift} higher"))
                .mend("ss -ltn '( sport = :80 )' shows it; let it listen on 127.0.0.1 only")
        }
    }
}

/// Whether a name leads somewhere, by trying one.
pub(super) fn names(session: &Session<'_>, addresses: Addresses) -> Finding {
    let what = "names";
    let dnsmasq = Dnsmasq::new(&session.paths, addresses);
    let note = |fact: String, mend: &str| Finding::new(what, Verdict::Note, fact).mend(mend);
    let Some(installed) = hostdns::installed() else {
        return match hostdns::resolver() {
            Ok(_) => note("sets are reached by address only".to_owned(), "podfarm hostdns install"),
            Err(failure) => {
                note(format!("sets are reached by address only: {failure}"), failure.hint.as_deref().unwrap_or_default())
            }
        };
    };
    if installed.folder != dnsmasq.folder {
        return note(
            format!("only the sets of {} have names on this machine", installed.folder.display()),
            "whoever's it is: podfarm hostdns remove",
        );
    }
    if installed.address != dnsmasq.address {
        let fact = format!("the resolver asks {}, and podfarm's addresses have changed since", installed.address);
        return note(fact, "podfarm hostdns install");
    }
    if !dnsmasq.answers() {
        return note("podfarm's dnsmasq does not answer".to_owned(), "podfarm doctor --fix");
    }
    let began = Instant::now();
    match hostdns::try_name(&session.paths, dnsmasq.address) {
        Ok(true) => Finding::new(what, Verdict::Good, format!("a new name was there after {} ms", began.elapsed().as_millis())),
        Ok(false) => {
            note("podfarm's dnsmasq answers, but the machine's resolver does not ask it".to_owned(), "podfarm hostdns install")
        }
        Err(error) => note(format!("{error:#}"), "podfarm hostdns install"),
    }
}
