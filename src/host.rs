//! What of this machine's network is in use already, by whomever.

use std::net::Ipv4Addr;

use crate::addresses::{Range, Subnet};

/// The networks this machine is in itself, with the names of the interfaces. podman refuses to make one that overlaps.
pub fn interfaces() -> Vec<(String, Subnet)> {
    let all = nix::ifaddrs::getifaddrs().into_iter().flatten();
    let subnet = |interface: nix::ifaddrs::InterfaceAddress| {
        let address = interface.address?.as_sockaddr_in()?.ip();
        let mask = interface.netmask?.as_sockaddr_in()?.ip();
        let length = u32::from(mask).leading_ones();
        Some((interface.interface_name, Subnet::new(address, u8::try_from(length).ok()?)))
    };
    all.filter_map(subnet).collect()
}

/// Where this machine sends packets, but for those that go wherever the rest goes: what lies there cannot be reached from a
/// set that has the same addresses.
pub fn routes() -> Vec<(String, Subnet)> {
    parse_routes(&std::fs::read_to_string("/proc/net/route").unwrap_or_default())
}

fn parse_routes(table: &str) -> Vec<(String, Subnet)> {
    // Numbers are in this machine's byte order.
    let number = |text: &str| Some(u32::from_be(u32::from_str_radix(text, 16).ok()?));
    let route = |line: &str| {
        let fields: Vec<_> = line.split_whitespace().collect();
        let (interface, first, mask) = (fields.first()?, number(fields.get(1)?)?, number(fields.get(7)?)?);
        let length = u8::try_from(mask.leading_ones()).ok().filter(|length| *length > 1)?;
        Some(((*interface).to_owned(), Subnet::new(first.into(), length)))
    };
    table.lines().skip(1).filter_map(route).collect()
}

/// The addresses of a range on which somebody listens, with their ports.
pub fn listeners(range: Range) -> Vec<(Ipv4Addr, u16)> {
    parse_listeners(&std::fs::read_to_string("/proc/net/tcp").unwrap_or_default(), range)
}

fn parse_listeners(table: &str, range: Range) -> Vec<(Ipv4Addr, u16)> {
    const LISTEN: &str = "0A";
    let listener = |line: &str| {
        let mut fields = line.split_whitespace().skip(1);
        let (address, port) = fields.next()?.split_once(':')?;
        let address = Ipv4Addr::from(u32::from_be(u32::from_str_radix(address, 16).ok()?));
        let listens = fields.nth(1)? == LISTEN && Range::of(address) == range;
        listens.then_some((address, u16::from_str_radix(port, 16).ok()?))
    };
    let mut found: Vec<_> = table.lines().skip(1).filter_map(listener).collect();
    found.sort_unstable();
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::addresses::Addresses;

    #[test]
    fn routes_but_the_default_one() {
        let table = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n\
                     eth0\t00000000\t0102A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n\
                     wg0\t00004D0A\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n";
        let routes = parse_routes(table);
        assert_eq!(routes.len(), 1);
        assert_eq!((routes[0].0.as_str(), routes[0].1.to_string()), ("wg0", "10.77.0.0/16".to_owned()));
    }

    #[test]
    fn listeners_of_a_range() {
        let table = "  sl  local_address rem_address   st tx_queue\n\
                     0: 0100007F:0016 00000000:0000 0A 00000000:00000000\n\
                     1: 03014D7F:0050 00000000:0000 0A 00000000:00000000\n\
                     2: 03014D7F:0050 0100007F:9C40 01 00000000:00000000\n";
        let found = parse_listeners(table, Addresses::default().published);
        assert_eq!(found, [(Ipv4Addr::new(127, 77, 1, 3), 80)]);
    }
}
