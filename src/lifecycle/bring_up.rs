//! Creating, starting, resetting, and waiting until it answers.

use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;

use super::apply::{NoNative, OnFailure, apply};
use super::discard::{self, Note};
use super::existing::{Existing, check_ports, free_number};
use super::files::{Files, write_files};
use super::prepare::{Ingredients, Until, is_prepared, prepare};
use super::{Report, Session, seeds};
use crate::desired::{Desired, Member};
use crate::failure::{Failure, Kind};
use crate::host::Ports;
use crate::plan::{self, Goal, Stage};
use crate::podman::{Parts, observe::Container};
use crate::probe::{self, Endpoint};
use crate::process::find_program;
use crate::resolve::{self, World};
use crate::set::{self, SetName};
use crate::status;
use crate::{hostdns, ssh};

/// How a set is brought up.
#[derive(Clone, Copy, Debug)]
pub struct Up {
    /// How long a member may take to answer.
    pub timeout: Duration,
}

/// Builds, creates and starts whatever is missing of a set, and waits until it answers.
///
/// # Errors
/// Where anything fails; what was made stays, and the next call goes on from there.
pub fn up(session: &Session<'_>, name: &SetName, options: Up) -> Result<Report> {
    let _lock = session.lock_set(name)?;
    let mut report = Report::default();
    let started = bring(session, name, Goal::Running, Before::Kept, &mut report)?;
    wait(session, name, started, options, &mut report)?;
    Ok(report)
}

/// Builds and creates whatever is missing of a set, and starts nothing.
///
/// # Errors
/// As [`up`].
pub fn create(session: &Session<'_>, name: &SetName) -> Result<Report> {
    let _lock = session.lock_set(name)?;
    let mut report = Report::default();
    bring(session, name, Goal::Created, Before::Kept, &mut report)?;
    Ok(report)
}

/// Starts a set that was created, and waits until it answers.
///
/// # Errors
/// [`Kind::Failed`] where it was not created.
pub fn start(session: &Session<'_>, name: &SetName, options: Up) -> Result<Report> {
    let _lock = session.lock_set(name)?;
    let mut report = Report::default();
    let containers = session.podman.containers()?;
    if plan::containers_of(&containers, name).is_empty() {
        return Err(Failure::new(Kind::Failed, format!("set {name} was not created"))
            .hint(format!("podfarm create {name}, or podfarm up {name}"))
            .into());
    }
    if Note::Discarding.is_there(session, name) {
        return Err(Failure::new(Kind::Failed, format!("podfarm was killed while it threw away what is in set {name}"))
            .hint(format!("`podfarm up {name}` makes it anew, `podfarm destroy {name}` removes the rest of it"))
            .into());
    }
    let existing = Existing::of(&containers, name);
    seeds::check_there(name, existing.seed.as_deref())?;
    check_whole(session, name, &containers)?;
    let endpoints: Vec<_> = plan::containers_of(&containers, name).into_iter().filter_map(Endpoint::of).collect();
    check_ports(&Ports::default(), &endpoints, &containers)?;
    let range = existing.addresses.unwrap_or(session.addresses()?).inside;
    let start = plan::start(name, &containers);
    let apart = plan::keep_apart(name, &range.to_string(), &start);
    apply(session, &mut report, start, &NoNative, OnFailure::Stop)?;
    wait(session, name, Started { endpoints, apart }, options, &mut report)?;
    Ok(report)
}

/// Refuses to start a set that lacks members, such as one whose `create` was killed, as far as its file can be read.
fn check_whole(session: &Session<'_>, name: &SetName, containers: &[Container]) -> Result<()> {
    let desired = set::load(name, &session.paths).and_then(|set| resolve::hosts(&set, session.roles()?)).unwrap_or_default();
    let there = plan::containers_of(containers, name);
    let missing: Vec<_> = desired.into_iter().filter(|host| !there.iter().any(|container| container.name() == host)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(Failure::new(Kind::Failed, format!("set {name} is not whole: it has no {}", missing.join(", ")))
        .hint(format!("podfarm up {name}"))
        .into())
}

/// Brings a set back to what it was just after it was created; one that ran runs again.
///
/// # Errors
/// As [`up`].
pub fn reset(session: &Session<'_>, name: &SetName, options: Up) -> Result<Report> {
    let _lock = session.lock_set(name)?;
    let mut report = Report::default();
    let containers = session.podman.containers()?;
    let existing = plan::containers_of(&containers, name);
    if existing.is_empty() && !session.paths.set(name).exists() {
        return Err(Failure::new(Kind::Failed, format!("set {name} does not exist")).hint(format!("podfarm up {name}")).into());
    }
    let running = Note::Ran.is_there(session, name) || existing.iter().any(|container| container.running());
    // Whatever would keep the set from coming up again is found before its data goes.
    let ingredients = Ingredients::load(session, name)?;
    let inventory = session.podman.inventory()?;
    prepare(session, &ingredients, &inventory, Until::Seeded, &mut report)?;
    if running {
        Note::Ran.put(session, name)?;
    }
    discard::members(session, name, (&containers, &inventory), "edits or dumps are in it", &mut report)?;
    let goal = if running { Goal::Running } else { Goal::Created };
    let started = bring(session, name, goal, Before::Gone, &mut report)?;
    if running {
        wait(session, name, started, options, &mut report)?;
    }
    Ok(report)
}

/// What has become of the members that there were, and of their data.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    Kept,
    /// Thrown away. In a dry run they still exist, and count as gone.
    Gone,
}

/// A set whose members have been started.
struct Started {
    /// Where they can be reached.
    endpoints: Vec<Endpoint>,
    /// What is still to be done, while they come up.
    apart: Vec<Stage>,
}

/// Does what is missing between a set's state and a goal.
fn bring(session: &Session<'_>, name: &SetName, goal: Goal, mut before: Before, report: &mut Report) -> Result<Started> {
    check_tools()?;
    let ingredients = Ingredients::load(session, name)?;
    if before == Before::Kept && Note::Discarding.is_there(session, name) {
        let (containers, inventory) = session.podman.containers_and(Parts { images: false, secrets: false, pods: true })?;
        discard::members(session, name, (&containers, &inventory), "podfarm was killed while it threw it away", report)?;
        before = Before::Gone;
    }
    // One question to podman tells that a set is up. One that has no folder is not: then all are asked at the same time, but
    // for its secrets, which are replaced where a killed podfarm has left some.
    let (mut numbering, mut containers, mut asked) = if session.paths.set(name).exists() {
        (None, session.podman.containers()?, None)
    } else {
        let numbering = session.lock_numbers()?;
        let (containers, inventory) = session.podman.containers_and(Parts { secrets: false, ..Parts::ALL })?;
        (numbering, containers, Some(inventory))
    };
    let mut existing = Existing::of(&containers, name);
    if existing.number.is_some() {
        asked = None; // somebody has removed the folder of a set that there is: its secrets are in use
    }
    let ports = Ports::default();
    if let (Some(number), Some(seed), Before::Kept) = (existing.number, &existing.seed, before) {
        seeds::check_there(name, Some(seed))?;
        let desired = resolved(session, &ingredients, &existing, (number, &ports), seed)?;
        if plan::is_up(&desired, &containers) {
            write_files(session, &ingredients, &desired)?;
            seeds::note_new(session, &ingredients, seed)?;
            Note::Ran.remove(session, name)?;
            let endpoints = endpoints(&desired).into_iter().map(|endpoint| endpoint.since_start(&containers)).collect();
            return Ok(Started { endpoints, apart: Vec::new() });
        }
    }
    if asked.is_none() {
        if numbering.is_none() {
            numbering = session.lock_numbers()?;
        }
        asked = Some(session.podman.inventory()?);
    }
    let mut inventory = asked.unwrap_or_default();
    existing = existing.or_of_ground(&inventory, name);
    let kept = existing.seed.clone().filter(|_| before == Before::Kept);
    if let Some(seed) = &kept {
        seeds::check_there(name, Some(seed))?;
        seeds::check_fits(session, &ingredients, seed)?;
        seeds::note_new(session, &ingredients, seed)?;
    }
    let until = if kept.is_some() { Until::Built } else { Until::Seeded };
    if !is_prepared(session, &ingredients, &inventory, until)? {
        // Building and importing take long, and other sets need not wait for it.
        drop(numbering.take());
        prepare(session, &ingredients, &inventory, until, report)?;
        numbering = session.lock_numbers()?;
        (containers, inventory) = session.podman.containers_and(Parts::ALL)?;
    }
    let seed = match kept {
        Some(seed) => seed,
        None => ingredients.seed(session)?.path,
    };
    let existing = Existing::of(&containers, name).or_of_ground(&inventory, name);
    let number = existing.number.map_or_else(|| free_number(&session.addresses()?, &containers, &inventory), Ok)?;
    let desired = resolved(session, &ingredients, &existing, (number, &ports), &seed)?;
    let hosts: Vec<_> = desired.members.iter().map(|member| member.host.clone()).collect();
    plan::check_foreign(name, &hosts, &containers, &inventory)?;
    let endpoints = endpoints(&desired);
    check_ports(&ports, &endpoints, &containers)?;
    if before == Before::Gone {
        plan::forget_members(name, &mut containers, &mut inventory);
    }
    let (ground, members) = plan::bring_up(&desired, goal, &containers, &inventory);
    let native = Files { session, ingredients: &ingredients, desired: &desired, seed: &seed };
    apply(session, report, ground, &native, OnFailure::Stop)?;
    drop(numbering);
    let range = existing.addresses.unwrap_or(session.addresses()?).inside.to_string();
    let apart = if goal == Goal::Running { plan::keep_apart(name, &range, &members) } else { Vec::new() };
    apply(session, report, members, &native, OnFailure::Stop)?;
    Note::Ran.remove(session, name)?;
    Ok(Started { endpoints, apart })
}

fn endpoints(desired: &Desired) -> Vec<Endpoint> {
    desired.members.iter().map(Member::endpoint).collect()
}

fn resolved(
    session: &Session<'_>,
    ingredients: &Ingredients,
    existing: &Existing,
    (number, ports): (u8, &Ports),
    seed: &Path,
) -> Result<Desired> {
    let trees: Vec<_> = ingredients.trees.iter().map(|tree| (tree.name.to_string(), tree.path.clone())).collect();
    let privileged = hostdns::first_unprivileged_port();
    let free = |address: Ipv4Addr, port: u16| port >= privileged && ports.try_one(address, port).is_ok();
    resolve::resolve(
        &ingredients.set,
        &World {
            roles: session.roles()?,
            paths: &session.paths,
            images: &ingredients.tags(),
            trees: &trees,
            dumps: ingredients.dumps.as_ref().map(|tree| tree.path.as_path()),
            seed: Some(seed),
            number,
            addresses: existing.addresses.unwrap_or(session.addresses()?),
            existing: &existing.members,
            free: &free,
        },
    )
}

/// Waits until every member answers, or says which does not, with what it said last.
fn wait(session: &Session<'_>, set: &SetName, started: Started, options: Up, report: &mut Report) -> Result<()> {
    let Started { endpoints, apart } = started;
    if session.dry_run {
        return apply(session, report, apart, &NoNative, OnFailure::Stop);
    }
    let questions: Vec<_> = endpoints.iter().flat_map(Endpoint::questions).collect();
    let died = || {
        let containers = session.podman.containers().unwrap_or_default();
        plan::containers_of(&containers, set).iter().any(|container| !container.running())
    };
    let (kept_apart, unanswered) = std::thread::scope(|scope| {
        let keeping = scope.spawn(|| apply(session, report, apart, &NoNative, OnFailure::Stop));
        let unanswered = probe::wait(&questions, options.timeout, died);
        (keeping.join().expect("steps do not panic"), unanswered)
    });
    kept_apart?;
    if unanswered.is_empty() {
        ssh::publish(&session.paths, set, &endpoints)?;
        if let Some(first) = endpoints.first() {
            hostdns::settle(&session.paths, &first.full_name, first.published);
        }
        report.urls = endpoints.iter().flat_map(Endpoint::urls).collect();
        return Ok(());
    }
    Err(not_ready(session, set, &unanswered))
}

/// Which members are not ready, why, and what they said last.
fn not_ready(session: &Session<'_>, set: &SetName, unanswered: &[probe::Unanswered]) -> anyhow::Error {
    let mut text = String::new();
    let containers = session.podman.containers().unwrap_or_default();
    for container in plan::containers_of(&containers, set) {
        let of_it = unanswered.iter().filter(|(question, _)| question.host == container.name());
        let mut why: Vec<_> = of_it.map(|(_, why)| why.as_str()).collect();
        if why.is_empty() && !container.running() {
            why.push("it has ended");
        }
        if why.is_empty() {
            continue;
        }
        text.push_str(&format!("\n{} is {} and not ready: {}", container.name(), container.state, why.join("; ")));
        for line in status::last_log_lines(session, container, 8) {
            text.push_str(&format!("\n    {line}"));
        }
    }
    Failure::new(Kind::Failed, format!("not all of set {set} is ready{text}"))
        .hint(format!("podfarm logs {set} shows more; podfarm up {set} goes on from here"))
        .into()
}

/// What podfarm calls besides podman.
fn check_tools() -> Result<()> {
    for (program, package) in [("ssh-keygen", "openssh-client"), ("mmdebstrap", "mmdebstrap"), ("ip", "iproute2")] {
        if find_program(program).is_none() {
            return Err(Failure::new(Kind::Machine, format!("{program} is not installed"))
                .hint(format!("sudo apt-get install {package}"))
                .into());
        }
    }
    Ok(())
}
