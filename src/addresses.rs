//! The ranges that all of podfarm's addresses come from (pure).

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

/// 65,536 addresses that begin with the same two numbers, such as 10.77.0.0/16.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range([u8; 2]);

impl Range {
    /// The range an address lies in.
    pub fn of(address: Ipv4Addr) -> Self {
        let [first, second, ..] = address.octets();
        Self([first, second])
    }

    /// The address with these last two numbers.
    pub fn address(self, third: u8, fourth: u8) -> Ipv4Addr {
        Ipv4Addr::new(self.0[0], self.0[1], third, fourth)
    }

    /// The 256 addresses of the set with this number.
    pub fn of_set(self, number: u8) -> Subnet {
        Subnet { first: self.address(number, 0), length: 24 }
    }

    /// All of it.
    pub fn whole(self) -> Subnet {
        Subnet { first: self.address(0, 0), length: 16 }
    }

    fn is_private(self) -> bool {
        matches!(self.0, [10, _] | [172, 16..=31] | [192, 168] | [100, 64..=127])
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.whole().fmt(f)
    }
}

impl FromStr for Range {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let subnet: Option<Subnet> = text.parse().ok();
        let subnet = subnet.filter(|subnet| subnet.length == 16 && subnet.first.octets()[2..] == [0, 0]);
        subnet.map(|subnet| Self::of(subnet.first)).ok_or_else(|| format!("{text:?} is no range such as 10.78.0.0/16"))
    }
}

/// Addresses that have their first bits in common, written 10.77.1.0/24.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subnet {
    first: Ipv4Addr,
    length: u8,
}

impl Subnet {
    /// # Panics
    /// Where `length` is more than 32.
    pub fn new(first: Ipv4Addr, length: u8) -> Self {
        assert!(length <= 32, "an address has 32 bits");
        Self { first, length }
    }

    /// Whether there is an address that lies in both.
    pub fn overlaps(self, other: Self) -> bool {
        let common = u32::from(self.length.min(other.length));
        let mask = u32::MAX.checked_shl(32 - common).unwrap_or(0);
        u32::from(self.first) & mask == u32::from(other.first) & mask
    }
}

impl fmt::Display for Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.length)
    }
}

impl FromStr for Subnet {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parse = || {
            let (first, length) = text.split_once('/')?;
            Some(Self { first: first.parse().ok()?, length: length.parse().ok().filter(|length| *length <= 32)? })
        };
        parse().ok_or_else(|| format!("{text:?} is no subnet such as 10.77.1.0/24"))
    }
}

/// Where members' addresses come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// In their sets.
    pub inside: Range,
    /// On this host: loopback addresses.
    pub published: Range,
}

impl Default for Addresses {
    fn default() -> Self {
        Self { inside: Range([10, 77]), published: Range([127, 77]) }
    }
}

/// As a label: both ranges, separated by a comma.
impl fmt::Display for Addresses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{},{}", self.inside, self.published)
    }
}

impl FromStr for Addresses {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (inside, published) = text.split_once(',').ok_or_else(|| format!("{text:?} is not two ranges"))?;
        Ok(Self { inside: inside.parse()?, published: published.parse()? })
    }
}

impl Addresses {
    /// Refuses ranges that can be of no use.
    ///
    /// # Errors
    /// Which key is wrong, why, and what would be right.
    pub fn check(&self) -> Result<(), (&'static str, String, &'static str)> {
        if !self.inside.is_private() {
            let what = format!("{} is not a range for private use", self.inside);
            return Err(("inside", what, "write one such as 10.78.0.0/16 or 172.20.0.0/16"));
        }
        // Programs of all kinds listen on addresses that begin with 127.0.
        if self.published.0[0] != 127 || self.published.0[1] == 0 {
            let what = format!("{} is not a range of loopback addresses of its own", self.published);
            return Err(("published", what, "write one such as 127.78.0.0/16"));
        }
        Ok(())
    }

    /// Where podfarm's dnsmasq listens. The address belongs to no set: sets are numbered from 1.
    pub fn dns(&self) -> Ipv4Addr {
        self.published.address(0, 53)
    }

    /// Where `doctor` publishes a port for a moment; likewise no set's.
    pub fn trial(&self) -> Ipv4Addr {
        self.published.address(0, 1)
    }

    /// The smallest number of a set that nobody has, neither as a number nor any of its addresses.
    pub fn free_number(&self, numbers: &[u8], taken: &[Subnet]) -> Option<u8> {
        let free =
            |number: &u8| !numbers.contains(number) && !taken.iter().any(|subnet| subnet.overlaps(self.inside.of_set(*number)));
        (1..=254).find(free)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_written_in_one_way() {
        assert_eq!("10.78.0.0/16".parse::<Range>().unwrap().to_string(), "10.78.0.0/16");
        for wrong in ["10.78", "10.78.0.0", "10.78.1.0/16", "10.78.0.0/24", "10.0.0.0/8", "fd00::/16", "10.78.0.0/33", ""] {
            assert!(wrong.parse::<Range>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn addresses_survive_their_label() {
        let addresses = Addresses::default();
        assert_eq!(addresses.to_string(), "10.77.0.0/16,127.77.0.0/16");
        assert_eq!(addresses.to_string().parse(), Ok(addresses));
        assert!("10.77.0.0/16".parse::<Addresses>().is_err());
    }

    #[test]
    fn ranges_are_private_or_loopback() {
        let with = |inside: &str, published: &str| {
            let addresses = Addresses { inside: inside.parse().unwrap(), published: published.parse().unwrap() };
            addresses.check().err().map(|(key, ..)| key)
        };
        assert_eq!(with("10.78.0.0/16", "127.78.0.0/16"), None);
        assert_eq!(with("172.20.0.0/16", "127.1.0.0/16"), None);
        assert_eq!(with("172.32.0.0/16", "127.78.0.0/16"), Some("inside"));
        assert_eq!(with("8.8.0.0/16", "127.78.0.0/16"), Some("inside"));
        assert_eq!(with("10.78.0.0/16", "10.79.0.0/16"), Some("published"));
        assert_eq!(with("10.78.0.0/16", "127.0.0.0/16"), Some("published"));
    }

    #[test]
    fn a_number_is_free_where_none_of_its_addresses_is_taken() {
        let addresses = Addresses::default();
        let subnet = |text: &str| text.parse::<Subnet>().unwrap();
        assert_eq!(addresses.free_number(&[], &[]), Some(1));
        assert_eq!(addresses.free_number(&[1], &[subnet("10.77.2.0/24"), subnet("10.88.0.0/16")]), Some(3));
        assert_eq!(addresses.free_number(&[], &[subnet("10.77.0.0/22")]), Some(4));
        assert_eq!(addresses.free_number(&[], &[subnet("10.77.1.128/25")]), Some(2));
        assert_eq!(addresses.free_number(&[], &[subnet("10.0.0.0/8")]), None);
        assert_eq!(addresses.free_number(&[], &[subnet("0.0.0.0/0")]), None);
    }
}
