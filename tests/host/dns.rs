//! Asking for names, as a program does that has no library for it: what was answered tells more than an address does.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

/// The machine's resolver, as programs find it.
pub fn resolver() -> SocketAddr {
    let text = fs::read_to_string("/etc/resolv.conf").expect("a file");
    let server = text.lines().find_map(|line| line.strip_prefix("nameserver ")?.trim().parse::<IpAddr>().ok());
    (server.unwrap_or_else(|| panic!("no name server: {text}")), 53).into()
}

/// Nobody waits for what takes no longer than this; an answer that is waited for takes five seconds and more.
pub const AT_ONCE: Duration = Duration::from_secs(2);

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    A = 1,
    Ptr = 12,
    Aaaa = 28,
}

/// How a question was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    NoError = 0,
    ServFail = 2,
    NxDomain = 3,
    Refused = 5,
    Other,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub outcome: Outcome,
    /// The addresses among the answers.
    pub addresses: Vec<Ipv4Addr>,
    /// How many answers there were.
    pub count: u16,
    pub took: Duration,
}

impl Answer {
    /// There is such a name, at this address and no other.
    #[track_caller]
    pub fn at(self, address: &str) {
        assert_eq!(self.addresses, [address.parse::<Ipv4Addr>().expect("an address")], "{self:?}");
    }

    /// There is no such name, and that is said by somebody, not waited for.
    #[track_caller]
    pub fn unknown_at_once(self) {
        assert_eq!((self.outcome, self.count), (Outcome::NxDomain, 0), "{self:?}");
        assert!(self.took < AT_ONCE, "{self:?}");
    }

    /// The name is there, and has nothing of that kind.
    #[track_caller]
    pub fn empty(self) {
        assert_eq!((self.outcome, self.count), (Outcome::NoError, 0), "{self:?}");
    }
}

/// Asks the machine's resolver for an address.
pub fn address(name: &str) -> Answer {
    ask(resolver(), name, Kind::A).unwrap_or_else(|why| panic!("{name}: {why}"))
}

/// Asks the machine's resolver.
pub fn of_kind(name: &str, kind: Kind) -> Answer {
    ask(resolver(), name, kind).unwrap_or_else(|why| panic!("{name}: {why}"))
}

/// Asks a server once, and waits as long as programs do.
///
/// # Errors
/// Where it does not answer.
pub fn ask(server: impl Into<SocketAddr>, name: &str, kind: Kind) -> Result<Answer, String> {
    let began = Instant::now();
    let question = question(name, kind);
    let mut bytes = [0; 1500];
    let exchange = || -> std::io::Result<usize> {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
        socket.set_read_timeout(Some(Duration::from_secs(10)))?;
        socket.connect(server.into())?;
        socket.send(&question)?;
        socket.recv(&mut bytes)
    };
    let mut bytes = match exchange() {
        Ok(length) => bytes[..length].iter().copied(),
        Err(error) => return Err(format!("not answered: {error}")),
    };
    read(&mut bytes, began.elapsed()).ok_or_else(|| "an answer that cannot be understood".to_owned())
}

fn question(name: &str, kind: Kind) -> Vec<u8> {
    // An identity, recursion desired, one question.
    let mut bytes = vec![0x77, 0x77, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.trim_end_matches('.').split('.') {
        bytes.push(u8::try_from(label.len()).expect("a label is short"));
        bytes.extend(label.bytes());
    }
    bytes.extend([0, 0, kind as u8, 0, 1]);
    bytes
}

fn read(bytes: &mut impl Iterator<Item = u8>, took: Duration) -> Option<Answer> {
    let number = |bytes: &mut dyn Iterator<Item = u8>| Some(u16::from_be_bytes([bytes.next()?, bytes.next()?]));
    number(bytes)?;
    let outcome = match number(bytes)? & 15 {
        0 => Outcome::NoError,
        2 => Outcome::ServFail,
        3 => Outcome::NxDomain,
        5 => Outcome::Refused,
        _ => Outcome::Other,
    };
    let (questions, count) = (number(bytes)?, number(bytes)?);
    bytes.nth(3)?;
    for _ in 0..questions {
        skip_name(bytes)?;
        bytes.nth(3)?;
    }
    let mut addresses = Vec::new();
    for _ in 0..count {
        skip_name(bytes)?;
        let kind = number(bytes)?;
        bytes.nth(5)?;
        let length = number(bytes)?;
        let data: Vec<u8> = bytes.take(length.into()).collect();
        if let (1, Ok(address)) = (kind, <[u8; 4]>::try_from(data)) {
            addresses.push(address.into());
        }
    }
    Some(Answer { outcome, addresses, count, took })
}

fn skip_name(bytes: &mut impl Iterator<Item = u8>) -> Option<()> {
    loop {
        match bytes.next()? {
            0 => return Some(()),
            pointer if pointer >= 0xc0 => return bytes.next().map(drop),
            length => bytes.nth(usize::from(length) - 1)?,
        };
    }
}
