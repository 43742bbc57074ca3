//! hostdns: install and remove what gives sets their names on the host.

mod status;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::cli::{Format, Hostdns, HostdnsInstall, HostdnsRemove};
use crate::failure::{Failure, Kind};
use crate::hostdns::{self, Dnsmasq, Installed, Kept};
use crate::lifecycle::Session;
use crate::process::{Argv, Input, Runner};
use crate::progress::Progress;
use crate::ssh;
use crate::ui::Ui;

pub fn run(session: &Session<'_>, command: &Hostdns, ui: &Ui) -> Result<()> {
    match command {
        Hostdns::Install(arguments) => install(session, arguments, ui),
        Hostdns::Remove(arguments) => remove(session, arguments, ui),
        Hostdns::Status(arguments) => status::run(session, arguments.format, ui),
    }
}

fn install(session: &Session<'_>, arguments: &HostdnsInstall, ui: &Ui) -> Result<()> {
    let dnsmasq = Dnsmasq::new(&session.paths, session.addresses()?);
    check_nobody_elses(&dnsmasq)?;
    let first_port = hostdns::first_unprivileged_port();
    let resolver = hostdns::resolver();
    let agree = |what: &str| arguments.yes || ui.confirm(what);
    let names = resolver.as_ref().ok().filter(|resolver| {
        agree(&format!(
            "Names of sets, such as demo-mw.demo.lan: a dnsmasq of your own, and as root\n{}.\nNo other name goes that way. \
             Install?",
            resolver.by()
        ))
    });
    let names = names.map(|resolver| Installed { folder: dnsmasq.folder.clone(), address: dnsmasq.address, resolver: *resolver });
    let wanted_ports = !arguments.no_ports
        && first_port > 22
        && agree(
            "Ports 22 and 80 of members at their own numbers: ordinary users may use ports\nfrom 22 up (sysctl, as root). Install?",
        );
    let wanted_ssh =
        !arguments.no_ssh && agree("ssh, scp and rsync by member names: a first line `Include …` in ~/.ssh/config.\nInstall?");
    if names.is_some() {
        fs::create_dir_all(&dnsmasq.folder).with_context(|| format!("{}: cannot be made", dnsmasq.folder.display()))?;
        ui.say(&format!("dnsmasq: {}", place(&dnsmasq.install()?)));
    }
    if names.is_some() || wanted_ports {
        as_root(&hostdns::install_script(names.as_ref(), wanted_ports.then_some(first_port))?, ui)?;
    }
    if wanted_ssh {
        hostdns::put_on_top(&ssh_config_file()?, &ssh_include(session))?;
    }
    if names.is_some() && !hostdns::try_name(&session.paths, dnsmasq.address)? {
        return Err(Failure::new(Kind::Machine, "all is in place, but a name of podfarm's does not resolve")
            .hint("podfarm hostdns status tells which part does not work; podfarm hostdns remove takes all away")
            .into());
    }
    if names.is_some() || wanted_ports || wanted_ssh {
        status::run(session, Format::Text, ui)?;
    }
    if wanted_ports {
        ui.say("Sets that are there keep their ports until they are destroyed.");
    }
    resolver?; // What else there is works without it, and is in place.
    if !(names.is_some() || wanted_ports || wanted_ssh) {
        return Err(Failure::new(Kind::Failed, "nothing was installed").hint("answer y, or say --yes").into());
    }
    Ok(())
}

/// Root's part knows one folder of names, so a second user must not take it from the first.
fn check_nobody_elses(dnsmasq: &Dnsmasq) -> Result<()> {
    let Some(other) = hostdns::installed().filter(|installed| installed.folder != dnsmasq.folder) else { return Ok(()) };
    Err(Failure::new(
        Kind::Failed,
        format!("names are installed on this machine for the sets of {}, and can be for one folder only", other.folder.display()),
    )
    .hint("whoever's it is: podfarm hostdns remove")
    .into())
}

fn remove(session: &Session<'_>, arguments: &HostdnsRemove, ui: &Ui) -> Result<()> {
    let dnsmasq = Dnsmasq::new(&session.paths, session.addresses()?);
    let names = check_nobody_elses(&dnsmasq).is_ok() && is_installed();
    let first_port = hostdns::first_port_before();
    let script = hostdns::remove_script(names, first_port)?;
    if !arguments.yes && !ui.confirm("Take away all that `podfarm hostdns install` put in?") {
        return Err(Failure::new(Kind::Failed, "nothing was removed").hint("answer y, or say --yes").into());
    }
    if names || first_port.is_some() {
        as_root(&script, ui)?;
    }
    dnsmasq.remove()?;
    hostdns::take_off_top(&ssh_config_file()?, &ssh_include(session))
}

/// Whether there is anything of the resolver's piece: an install that was killed may have left a part of it.
fn is_installed() -> bool {
    Path::new(hostdns::RESOLVER_UNIT).exists() || hostdns::installed().is_some()
}

/// Runs a script as root, after showing it.
fn as_root(script: &str, ui: &Ui) -> Result<()> {
    ui.say("As root:");
    ui.say(script);
    let sh = ["sh", "-s"];
    let argv = if nix::unistd::getuid().is_root() { Argv::new("sh").arg("-s") } else { Argv::new("sudo").args(sh) };
    Runner::new().output(&argv, Input::Bytes(script.as_bytes())).map(drop)
}

fn ssh_config_file() -> Result<PathBuf> {
    Ok(PathBuf::from(std::env::var_os("HOME").context("HOME is not set")?).join(".ssh/config"))
}

/// At the top: below a `Host` it would be part of that.
fn ssh_include(session: &Session<'_>) -> String {
    hostdns::ssh_include(&ssh::folder(&session.paths).join("*"))
}

/// Where dnsmasq is kept.
fn place(kept: &Kept) -> String {
    match kept {
        Kept::Unit(file) => below_home(file),
        Kept::Process(id) => format!("process {id}"),
    }
}

/// A file of the user's as the user would write it: it fits beside other things into a terminal's line.
fn below_home(file: &Path) -> String {
    let home = std::env::var_os("HOME").map(PathBuf::from).filter(|home| home.is_absolute());
    let rest = home.and_then(|home| file.strip_prefix(home).ok().map(Path::to_path_buf));
    rest.map_or_else(|| file.display().to_string(), |rest| format!("~/{}", rest.display()))
}
