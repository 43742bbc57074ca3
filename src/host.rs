//! What of this machine's network is in use already, by whomever.

use std::cell::OnceCell;
use std::io::{Error, ErrorKind};
use std::net::{Ipv4Addr, TcpListener};
use std::thread::sleep;
use std::time::{Duration, Instant};

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

/// How long a port may stay in use that podman is letting go of.
const LETTING_GO: Duration = Duration::from_secs(3);

/// Tries whether ports are to be had. podman says that a container has ended a moment before its ports are free, so those that
/// are in use are tried again, until some seconds after the first was: one wait, however many are really taken. Who listens on
/// all addresses is not podman, and not waited for.
#[derive(Default)]
pub struct Ports {
    patience: OnceCell<Instant>,
}

impl Ports {
    /// # Errors
    /// Why it is not to be had.
    pub fn try_one(&self, address: Ipv4Addr, port: u16) -> Result<(), Error> {
        let bind = || TcpListener::bind((address, port)).map(drop);
        let mut tried = bind();
        while tried.as_ref().is_err_and(|error| error.kind() == ErrorKind::AddrInUse) {
            // Asked before it is tried again: one that nobody has any more is free then.
            let may_pass = self.may_wait() && listeners(Range::of(address)).contains(&(address, port));
            tried = bind();
            if !may_pass {
                break;
            }
            sleep(Duration::from_millis(20));
        }
        tried
    }

    fn may_wait(&self) -> bool {
        Instant::now() < *self.patience.get_or_init(|| Instant::now() + LETTING_GO)
    }
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
    #[test]
    fn a_port_that_is_let_go_is_waited_for_and_one_that_is_not_is_told() {
        let address = Ipv4Addr::new(127, 77, 255, 253);
        let holder = TcpListener::bind((address, 0)).unwrap();
        let port = holder.local_addr().unwrap().port();
        let ports = Ports::default();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                sleep(Duration::from_millis(100));
                drop(holder);
            });
            ports.try_one(address, port).unwrap();
        });
        let holder = TcpListener::bind((address, port)).unwrap();
        assert_eq!(ports.try_one(address, port).unwrap_err().kind(), ErrorKind::AddrInUse);
        assert!(!ports.may_wait(), "the next one is told at once");
        drop(holder);
        let _everywhere = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).unwrap();
        let ports = Ports::default();
        assert_eq!(ports.try_one(address, port).unwrap_err().kind(), ErrorKind::AddrInUse);
        assert!(ports.may_wait(), "nobody lets go of it");
    }
}
