//! hostdns status: which pieces are there, and whether each works, by trying it.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;

use anyhow::Result;
use serde::Serialize;

use super::{below_home, place, ssh_config_file, ssh_include};
use crate::cli::Format;
use crate::hostdns::{self, Dnsmasq};
use crate::lifecycle::Session;
use crate::process::{Argv, Input, Runner};
use crate::ssh;
use crate::ui::Ui;

/// The version of what `hostdns status --format json` prints.
const FORMAT_VERSION: u32 = 1;

/// What `hostdns status --format json` prints. docs/hostdns.md describes it.
#[derive(Serialize)]
struct Pieces {
    version: u32,
    pieces: [Piece; 4],
}

/// One piece of what `install` puts in.
#[derive(Serialize)]
struct Piece {
    name: &'static str,
    there: bool,
    /// `None` where it could not be tried.
    works: Option<bool>,
    /// What came of trying it.
    tried: Option<String>,
    #[serde(rename = "where")]
    place: Option<String>,
}

/// What came of trying a piece.
struct Tried {
    works: Option<bool>,
    said: String,
}

pub(super) fn run(session: &Session<'_>, format: Format, ui: &Ui) -> Result<()> {
    let pieces = pieces(session)?;
    match format {
        Format::Json => ui.result(&serde_json::to_string_pretty(&Pieces { version: FORMAT_VERSION, pieces })?),
        Format::Text => {
            let or_dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
            let there = |piece: &Piece| if piece.there { "yes" } else { "no" }.to_owned();
            let row = |piece: &Piece| vec![piece.name.to_owned(), there(piece), or_dash(&piece.tried), or_dash(&piece.place)];
            ui.table(&["piece", "there", "tried", "where"], &pieces.iter().map(row).collect::<Vec<_>>());
        }
    }
    Ok(())
}

fn pieces(session: &Session<'_>) -> Result<[Piece; 4]> {
    let dnsmasq = Dnsmasq::new(&session.paths, session.addresses()?);
    let kept = dnsmasq.kept();
    let installed = hostdns::installed();
    let ours = installed.as_ref().is_some_and(|installed| installed.folder == dnsmasq.folder);
    let whose = installed.filter(|_| !ours).map_or_else(String::new, |other| format!(" for {}", other.folder.display()));
    let resolves = ours && hostdns::try_name(&session.paths, dnsmasq.address)?;
    let ports = Path::new(hostdns::PORTS_FILE).exists();
    let ssh = ssh_config_file()?;
    let included = hostdns::is_on_top(&ssh, &ssh_include(session));
    Ok([
        Piece::new("dnsmasq", kept.is_some(), Tried::plain(dnsmasq.answers()), kept.as_ref().map(place)),
        Piece::new("resolver", ours, Tried::plain(resolves), Some(format!("{}{whose}", hostdns::RESOLVER_UNIT))),
        Piece::new("ports", ports, try_ports(session.addresses()?.trial()), Some(hostdns::PORTS_FILE.to_owned())),
        Piece::new("ssh", included, try_ssh(session), Some(below_home(&ssh))),
    ])
}

impl Piece {
    /// What trying a piece came to that is not there says nothing of it.
    fn new(name: &'static str, there: bool, tried: Tried, place: Option<String>) -> Self {
        let tried = Some(tried).filter(|_| there);
        Self { name, there, works: tried.as_ref().and_then(|tried| tried.works), tried: tried.map(|tried| tried.said), place }
    }
}

impl Tried {
    fn plain(works: bool) -> Self {
        Self::telling(works, if works { "works" } else { "does not work" })
    }

    fn telling(works: bool, said: impl Into<String>) -> Self {
        Self { works: Some(works), said: said.into() }
    }
}

/// Takes the ports for a moment, at an address that no set has.
fn try_ports(address: Ipv4Addr) -> Tried {
    let refused = |port: u16| TcpListener::bind((address, port)).err().map(|error| format!("{port}: {error}"));
    match (refused(80), refused(22)) {
        (None, None) => Tried::plain(true),
        // Many machines have an sshd of their own on all addresses.
        (None, Some(_)) => Tried::telling(true, "works, 22 taken"),
        (Some(why), _) => Tried::telling(false, format!("does not work: {why}")),
    }
}

/// Asks ssh what it would do for a member.
fn try_ssh(session: &Session<'_>) -> Tried {
    let first = fs::read_dir(ssh::folder(&session.paths)).ok().and_then(|mut files| files.next()?.ok());
    let text = first.and_then(|file| fs::read_to_string(file.path()).ok()).unwrap_or_default();
    let after = |key: &str| text.lines().find_map(|line| line.trim_start().strip_prefix(key)?.split_whitespace().next());
    let (Some(host), Some(address)) = (after("Host "), after("HostName ")) else {
        return Tried { works: None, said: "no set to try".to_owned() };
    };
    let said = Runner::new().output(&Argv::new("ssh").args(["-G", host]), Input::Nothing).unwrap_or_default();
    Tried::plain(said.lines().any(|line| line == format!("hostname {address}")))
}
