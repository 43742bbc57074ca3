//! A home router's DNS server, which has names in .lan, and some outside.

use crate::dns::{self, Kind};
use crate::machine::{root, sh, until};

/// It is the uplink's DNS server, and asks the one that was there before.
pub fn play() {
    root(
        "ip link add router0 type veth peer name router1 && ip address add 10.55.0.1/24 dev router0 && \
         for end in router0 router1; do ip link set $end addrgenmode none && ip link set $end up && resolvectl llmnr $end no; done && \
         systemd-run --quiet --unit test-router dnsmasq --keep-in-foreground --conf-file=/dev/null --no-resolv --no-hosts \
         --cache-size=0 --bind-interfaces --listen-address=10.55.0.1 --server=10.0.2.3 --address=/printer.lan/192.168.1.20 \
         --address=/outside.example/198.51.100.7 --address=/six.example/2001:db8::6 --address=/unknown.example/ --local=/lan/ && \
         sed -i 's/DNS=.*/DNS=10.55.0.1\\nDomains=lan/' /etc/systemd/network/20-uplink.network && networkctl reload",
    );
    the_router_answers();
}

/// Waits until the machine's resolver has heard of the uplink's server, which takes a moment by itself.
#[track_caller]
pub fn the_router_answers() {
    until("the router answers", || match dns::ask(dns::resolver(), "printer.lan", Kind::A) {
        Ok(answer) if answer.count == 1 => Ok(()),
        other => Err(format!("{other:?}\n{}", state())),
    });
}

/// What the resolver knows, for whoever reads why a test failed.
pub fn state() -> String {
    sh("resolvectl --no-pager status; cat /etc/resolv.conf /var/lib/podfarm/servers").to_string()
}
