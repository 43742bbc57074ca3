//! The user's dnsmasq: a service of the user's systemd, or, where there is no session of it, a process that is started when
//! it is needed and found again by its command line.

use std::fs;
use std::net::{Ipv4Addr, UdpSocket};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use askama::Template;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::files::{remove_whole, write_whole};
use super::{PATIENCE, PORT};
use crate::addresses::Addresses;
use crate::paths::Paths;
use crate::process::{Argv, Input, Runner};

/// The user's unit, below the configuration folder of the user's systemd.
const UNIT: &str = "podfarm-dnsmasq.service";

#[derive(Template)]
#[template(path = "podfarm-dnsmasq.service", escape = "none")]
struct Unit {
    command: String,
}

/// How it is kept alive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kept {
    /// By the user's systemd, as this unit.
    Unit(PathBuf),
    /// By podfarm: the process of this number.
    Process(i32),
}

/// One that knows the names of a folder and listens on an address.
#[derive(Clone, Debug)]
pub struct Dnsmasq {
    pub folder: PathBuf,
    pub address: Ipv4Addr,
}

impl Dnsmasq {
    /// The one for a user's sets.
    pub fn new(paths: &Paths, addresses: Addresses) -> Self {
        Self { folder: super::folder(paths), address: addresses.dns() }
    }

    /// As it is run: it knows the sets' names and nothing else, and asks nobody.
    fn argv(&self) -> Argv {
        Argv::new("/usr/sbin/dnsmasq").args([
            "--conf-file=/dev/null",
            "--no-resolv",
            "--no-hosts",
            "--bind-interfaces",
            "--pid-file=",
            // What is unknown in .lan does not exist, and is said to at once.
            "--local=/lan/",
            &self.folder_option(),
            &format!("--listen-address={}", self.address),
            &format!("--port={PORT}"),
        ])
    }

    fn folder_option(&self) -> String {
        format!("--hostsdir={}", self.folder.display())
    }

    /// The user's unit that runs it.
    fn unit(&self) -> Result<String> {
        // A per cent sign begins one of systemd's own placeholders.
        let argv = self.argv().args(["--keep-in-foreground", "--log-facility=-"]);
        let words: Vec<_> = argv.words().iter().map(|word| format!("\"{}\"", word.replace('%', "%%"))).collect();
        Ok(Unit { command: words.join(" ") }.render()?)
    }

    /// How it is kept, if it is there at all.
    pub fn kept(&self) -> Option<Kept> {
        let unit = unit_file().filter(|unit| unit.exists()).map(Kept::Unit);
        unit.or_else(|| self.process().map(Kept::Process))
    }

    /// Puts it in place anew and starts it.
    ///
    /// # Errors
    /// Where that does not work; what dnsmasq or systemd said is in the error.
    pub fn install(&self) -> Result<Kept> {
        self.end_process()?;
        if has_session() {
            let unit = unit_file().context("HOME is not set")?;
            write_whole(&unit, &self.unit()?)?;
            systemctl(&["daemon-reload"])?;
            systemctl(&["enable", "--quiet", UNIT])?;
        }
        self.restart()
    }

    /// Starts it where it does not answer.
    ///
    /// # Errors
    /// As [`Self::install`].
    pub fn ensure(&self) -> Result<()> {
        if self.answers() { Ok(()) } else { self.restart().map(drop) }
    }

    /// Starts it, after ending one that is there already.
    ///
    /// # Errors
    /// As [`Self::install`].
    pub fn restart(&self) -> Result<Kept> {
        self.end_process()?;
        match unit_file().filter(|unit| unit.exists()) {
            Some(unit) if has_session() => {
                systemctl(&["restart", UNIT])?;
                Ok(Kept::Unit(unit))
            }
            _ => {
                // It goes into the background once it listens.
                Runner::new().output(&self.argv(), Input::Nothing)?;
                self.process().map(Kept::Process).context("dnsmasq has ended as soon as it had started")
            }
        }
    }

    /// Ends it and leaves nothing of it.
    ///
    /// # Errors
    /// Where something of it stays.
    pub fn remove(&self) -> Result<()> {
        self.end_process()?;
        let Some(unit) = unit_file().filter(|unit| unit.exists()) else { return Ok(()) };
        // Without a session there is nothing to stop.
        let _ = systemctl(&["disable", "--now", "--quiet", UNIT]);
        remove_whole(&unit)?;
        let _ = systemctl(&["daemon-reload"]);
        Ok(())
    }

    /// The process of one that no systemd keeps.
    fn process(&self) -> Option<i32> {
        let option = self.folder_option();
        let is_ours = |id: i32| {
            let command_line = fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
            let words: Vec<_> = command_line.split(|byte| *byte == 0).map(String::from_utf8_lossy).collect();
            let has = |wanted: &str| words.iter().any(|word| word == wanted);
            words[0].ends_with("dnsmasq") && has(&option) && !has("--keep-in-foreground")
        };
        let processes = fs::read_dir("/proc").ok()?.flatten();
        processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).find(|id| is_ours(*id))
    }

    /// It keeps nothing that could be lost, and one that is stopped hears nothing else.
    fn end_process(&self) -> Result<()> {
        let end = Instant::now() + 3 * PATIENCE;
        while let Some(id) = self.process() {
            if Instant::now() > end {
                bail!("dnsmasq, process {id}, does not end");
            }
            let _ = kill(Pid::from_raw(id), Signal::SIGKILL);
            // Its command line goes before its sockets do.
            while !has_ended(id) && Instant::now() < end {
                std::thread::sleep(Duration::from_millis(5));
            }
        }
        Ok(())
    }

    /// Whether it answers: a question for the root's name servers, which it answers with a refusal, but answers.
    pub fn answers(&self) -> bool {
        const QUESTION: [u8; 17] = [0x77, 0x77, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 1];
        let ask = || -> std::io::Result<bool> {
            let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
            socket.set_read_timeout(Some(PATIENCE))?;
            socket.connect((self.address, PORT))?;
            socket.send(&QUESTION)?;
            let mut answer = [0; 512];
            Ok(socket.recv(&mut answer)? >= 2 && answer[..2] == QUESTION[..2])
        };
        ask().unwrap_or(false)
    }
}

/// Whether a process has let go of all it had: it is gone, or waits for its parent to take notice (proc(5), state Z).
fn has_ended(id: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_none_or(|(_, rest)| rest.trim_start().starts_with(['Z', 'X']))
}

/// Whether there is a systemd that looks after this user's services.
fn has_session() -> bool {
    systemctl(&["show-environment"]).is_ok()
}

fn systemctl(words: &[&str]) -> Result<()> {
    Runner::new().output(&Argv::new("systemctl").arg("--user").args(words.to_vec()), Input::Nothing).map(drop)
}

/// Where the user's systemd looks for it; none without a home folder.
fn unit_file() -> Option<PathBuf> {
    let home = || std::env::var_os("HOME").map(|home| Path::new(&home).join(".config"));
    let config = std::env::var_os("XDG_CONFIG_HOME").map(PathBuf::from).filter(|path| path.is_absolute()).or_else(home);
    Some(config?.join("systemd/user").join(UNIT))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dnsmasq(folder: &str) -> Dnsmasq {
        Dnsmasq { folder: folder.into(), address: Ipv4Addr::new(127, 78, 0, 53) }
    }

    #[test]
    fn it_asks_nobody() {
        let argv = dnsmasq("/n").argv().to_string();
        assert!(argv.contains("--no-resolv") && argv.contains("--port=5335") && argv.contains("127.78.0.53"), "{argv}");
    }

    #[test]
    fn a_unit_quotes_what_systemd_would_expand() {
        let unit = dnsmasq("/home/50 %/names").unit().unwrap();
        assert!(unit.contains("\"--hostsdir=/home/50 %%/names\" "), "{unit}");
    }

    #[test]
    fn one_that_is_not_there_is_neither_found_nor_heard() {
        let folder = tempfile::tempdir().unwrap();
        let dnsmasq = Dnsmasq { folder: folder.path().into(), address: Ipv4Addr::new(127, 255, 255, 54) };
        assert!(dnsmasq.process().is_none() && !dnsmasq.answers());
        dnsmasq.end_process().unwrap();
    }
}
