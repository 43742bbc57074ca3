//! hostdns: install, remove and status of what gives sets their names on the host.

use std::fs;
use std::net::IpAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::cli::{Hostdns, HostdnsInstall, HostdnsRemove};
use crate::failure::{Failure, Kind};
use crate::hostdns::{self, Wanted};
use crate::lifecycle::Session;
use crate::paths::remove_file;
use crate::process::{Argv, Input, Runner, find_program};
use crate::progress::Progress;
use crate::ssh;
use crate::ui::Ui;

pub fn run(session: &Session<'_>, command: &Hostdns, ui: &Ui) -> Result<()> {
    match command {
        Hostdns::Install(arguments) => install(session, arguments, ui),
        Hostdns::Remove(arguments) => remove(session, arguments, ui),
        Hostdns::Status => status(session, ui),
    }
}

fn install(session: &Session<'_>, arguments: &HostdnsInstall, ui: &Ui) -> Result<()> {
    let folder = hostdns::folder(&session.paths);
    fs::create_dir_all(&folder).with_context(|| format!("{}: cannot be made", folder.display()))?;
    let first_port = hostdns::first_unprivileged_port();
    let names = check_resolver()?;
    let agree = |what: &str| arguments.yes || ui.confirm(what);
    let unit = user_unit_file()?;
    let wanted_names = names
        && agree(&format!(
            "Names of sets, such as demo-mw.demo.lan: a dnsmasq of your own ({}), and as root a network link to it for systemd-resolved.\n\
             No other name goes that way. Install?",
            unit.display()
        ));
    let wanted_ports = !arguments.no_ports
        && first_port > 22
        && agree(
            "Ports 22 and 80 of members at their own numbers: ordinary users may use ports from 22 up (sysctl, as root). Install?",
        );
    let wanted_ssh =
        !arguments.no_ssh && agree("ssh, scp and rsync by member names: a first line `Include …` in ~/.ssh/config. Install?");
    let wanted = Wanted { names: wanted_names, ports: wanted_ports };
    if wanted_names {
        write(&unit, &hostdns::user_unit(&folder)?)?;
        start_dnsmasq(&unit, ui)?;
    }
    if wanted.names || wanted.ports {
        as_root(&hostdns::install_script(&folder, wanted, first_port)?, ui)?;
    }
    if wanted_ssh {
        include_ssh(session)?;
    }
    if wanted_names && !self_test(session)? {
        return Err(Failure::new(Kind::Machine, "all is in place, but a name of podfarm's does not resolve")
            .hint("podfarm hostdns status tells which part does not work; podfarm hostdns remove takes all away")
            .into());
    }
    status(session, ui)
}

/// Whether the host's resolver is systemd-resolved, the one that can be told where a domain's names are.
fn check_resolver() -> Result<bool> {
    let resolv_conf = fs::canonicalize("/etc/resolv.conf").unwrap_or_default();
    let is_resolved = resolv_conf.starts_with("/run/systemd/resolve") && find_program("resolvectl").is_some();
    if !is_resolved {
        return Err(Failure::new(
            Kind::Machine,
            "this machine's resolver is not systemd-resolved, so names of sets cannot be added to it",
        )
        .hint("everything works by address, as `podfarm status` shows; on Debian: sudo apt-get install systemd-resolved")
        .into());
    }
    for (program, package) in [("dnsmasq", "dnsmasq-base"), ("ip", "iproute2")] {
        if find_program(program).is_none() {
            return Err(Failure::new(Kind::Machine, format!("{program} is not installed"))
                .hint(format!("sudo apt-get install {package}"))
                .into());
        }
    }
    Ok(true)
}

fn remove(session: &Session<'_>, arguments: &HostdnsRemove, ui: &Ui) -> Result<()> {
    let wanted = Wanted { names: hostdns::installed(), ports: Path::new(hostdns::PORTS_FILE).exists() };
    let script = hostdns::remove_script(wanted, hostdns::first_port_before())?;
    if !arguments.yes && !ui.confirm("Take away all that `podfarm hostdns install` put in?") {
        return Err(Failure::new(Kind::Failed, "nothing was removed").hint("answer y, or say --yes").into());
    }
    if wanted.names || wanted.ports {
        as_root(&script, ui)?;
    }
    let unit = user_unit_file()?;
    if unit.exists() {
        // Without a session of systemd's there is nothing to stop.
        let _ = systemctl(&["disable", "--now", "--quiet", hostdns::USER_UNIT]);
        remove_file(&unit)?;
        let _ = systemctl(&["daemon-reload"]);
    }
    exclude_ssh(session)
}

/// Runs a script as root, after showing it.
fn as_root(script: &str, ui: &Ui) -> Result<()> {
    ui.say("As root:");
    ui.say(script);
    let sh = ["sh", "-s"];
    let argv = if nix::unistd::getuid().is_root() { Argv::new("sh").arg("-s") } else { Argv::new("sudo").args(sh) };
    Runner::new().output(&argv, Input::Bytes(script.as_bytes())).map(drop)
}

/// Where the user's systemd looks for units.
fn user_unit_file() -> Result<PathBuf> {
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".config"));
    let config = std::env::var_os("XDG_CONFIG_HOME").map(PathBuf::from).filter(|path| path.is_absolute()).or_else(home);
    Ok(config.context("HOME is not set")?.join("systemd/user").join(hostdns::USER_UNIT))
}

fn systemctl(words: &[&str]) -> Result<()> {
    Runner::new().output(&Argv::new("systemctl").arg("--user").args(words.to_vec()), Input::Nothing).map(drop)
}

fn start_dnsmasq(unit: &Path, ui: &Ui) -> Result<()> {
    ui.say(&format!("wrote {}", unit.display()));
    systemctl(&["daemon-reload"])?;
    systemctl(&["enable", "--quiet", hostdns::USER_UNIT])?;
    systemctl(&["restart", hostdns::USER_UNIT])
}

fn ssh_config_file() -> Result<PathBuf> {
    Ok(PathBuf::from(std::env::var_os("HOME").context("HOME is not set")?).join(".ssh/config"))
}

/// Puts the Include at the top: below a `Host` it would be part of that.
fn include_ssh(session: &Session<'_>) -> Result<()> {
    let file = ssh_config_file()?;
    let line = hostdns::ssh_include(&ssh::folder(&session.paths).join("*"));
    let before = fs::read_to_string(&file).unwrap_or_default();
    if before.starts_with(&line) {
        return Ok(());
    }
    write(&file, &format!("{line}{before}"))
}

fn exclude_ssh(session: &Session<'_>) -> Result<()> {
    let file = ssh_config_file()?;
    let line = hostdns::ssh_include(&ssh::folder(&session.paths).join("*"));
    match fs::read_to_string(&file) {
        Ok(text) if text == line => remove_file(&file),
        Ok(text) if text.starts_with(&line) => write(&file, &text[line.len()..]),
        _ => Ok(()),
    }
}

/// Writes a file whole, keeping the mode of one that is there.
fn write(file: &Path, text: &str) -> Result<()> {
    let folder = file.parent().context("a file lies in a folder")?;
    let write = || -> std::io::Result<()> {
        // Private to the user where it has to be made: ssh wants its folder so.
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let new = tempfile::NamedTempFile::new_in(folder)?;
        fs::write(new.path(), text)?;
        if let Ok(existing) = fs::metadata(file) {
            fs::set_permissions(new.path(), existing.permissions())?;
        }
        new.persist(file).map_err(|error| error.error)?;
        Ok(())
    };
    write().with_context(|| format!("{}: cannot be written", file.display()))
}

/// Tries a name for real: puts one into the folder, waits for the machine's resolver to know it, and takes it away.
fn self_test(session: &Session<'_>) -> Result<bool> {
    let label = format!("podfarm-check-{}", std::process::id());
    let (name, address) = (format!("{label}.{label}.lan"), IpAddr::V4(hostdns::ADDRESS));
    let file = hostdns::folder(&session.paths).join(&label);
    fs::write(&file, format!("{address} {name}\n")).with_context(|| format!("{}: cannot be written", file.display()))?;
    let end = Instant::now() + Duration::from_secs(3);
    let mut found = false;
    while !found && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(20));
        found = hostdns::resolve(&name) == Some(address);
    }
    remove_file(&file)?;
    Ok(found)
}

fn status(session: &Session<'_>, ui: &Ui) -> Result<()> {
    let yes_no = |there: bool| if there { "yes" } else { "no" }.to_owned();
    let works = |works: bool| if works { "works" } else { "does not work" }.to_owned();
    let unit = user_unit_file()?;
    let names = hostdns::installed();
    let ports = Path::new(hostdns::PORTS_FILE).exists();
    let line = hostdns::ssh_include(&ssh::folder(&session.paths).join("*"));
    let ssh = fs::read_to_string(ssh_config_file()?).is_ok_and(|text| text.contains(&line));
    let row = |piece: &str, there: bool, tried: String, place: &Path| {
        vec![piece.to_owned(), yes_no(there), tried, place.display().to_string()]
    };
    let rows = [
        row("dnsmasq", unit.exists(), works(hostdns::dnsmasq_answers()), &unit),
        row(
            "resolver",
            names,
            if names { works(self_test(session)?) } else { "-".to_owned() },
            Path::new(hostdns::RESOLVER_UNIT),
        ),
        row("ports", ports, format!("from {} up", hostdns::first_unprivileged_port()), Path::new(hostdns::PORTS_FILE)),
        row("ssh", ssh, "-".to_owned(), &ssh_config_file()?),
    ];
    ui.table(&["piece", "there", "tried", "where"], &rows);
    Ok(())
}
