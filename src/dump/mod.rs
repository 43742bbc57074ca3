//! Dumping wikis: which snapshot host does which wiki, and what becomes of each job.
//!
//! What a run is made of is the snapshot hosts' own business: their program `dump-wiki` tells, one JSON object a line.

mod date;
mod queue;
mod run;

use std::sync::Mutex;
use std::time::Duration;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::desired::label;
use crate::failure::{Failure, Kind};
use crate::lifecycle::Session;
use crate::plan;
use crate::podman::observe::Container;
use crate::probe::{self, Endpoint};
use crate::set::SetName;
use crate::status;

pub use date::Date;
use queue::Queue;

/// The service that those provide who make dumps.
const SERVICE: &str = "snapshot";
/// Stands for the job where a verdict is about none, and for the host likewise.
const NO_JOB: &str = "-";
/// How long a member may take to say that it is ready: longer than for `status`, for here a page that stalls is no news.
const PATIENCE: Duration = Duration::from_secs(20);

/// What is to be dumped.
#[derive(Clone, Debug)]
pub struct Request {
    pub wikis: Vec<String>,
    /// All jobs, if none is named.
    pub jobs: Vec<String>,
    /// The same for all of them, also where midnight passes.
    pub date: Date,
    /// The only snapshot host to use, by its number.
    pub snapshot: Option<u16>,
}

/// What became of a job.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Verdict {
    pub wiki: String,
    /// The host that did it.
    pub host: String,
    pub job: String,
    pub status: Status,
    /// Why it failed.
    pub why: Option<String>,
    pub seconds: f64,
}

impl Verdict {
    fn of_no_host(wiki: &str, why: &str) -> Self {
        let none = || NO_JOB.to_owned();
        let why = Some(why.to_owned());
        Self { wiki: wiki.to_owned(), host: none(), job: none(), status: Status::Failed, why, seconds: 0.0 }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    InProgress,
    Done,
    Failed,
}

/// Dumps wikis on the snapshot hosts of a set that runs, each host one wiki at a time, and returns what became of every job.
///
/// # Errors
/// [`Kind::Failed`] where no such host runs; [`Kind::Usage`] where a job is asked for that there is not.
pub fn run(session: &Session<'_>, set: &SetName, request: &Request) -> Result<Vec<Verdict>> {
    let containers = session.podman.containers()?;
    let hosts = hosts(&containers, set, request.snapshot)?;
    // A replica that has stopped replicating answers as if nothing were wrong.
    let members = status::of(&containers, std::slice::from_ref(set), PATIENCE).sets.into_iter().flat_map(|set| set.members);
    for member in members.filter(|member| member.health != status::READY) {
        session.progress.say(&format!("warning: {} is {}: dumps may fail, or lack what is new", member.name, member.health));
    }
    let queue = Queue::new(request.wikis.len());
    let verdicts = Mutex::new(vec![Vec::new(); request.wikis.len()]);
    let gone = std::thread::scope(|scope| {
        let work = |host| work(session, host, request, &queue, &verdicts);
        let threads: Vec<_> = hosts.iter().map(|host| scope.spawn(move || work(host))).collect();
        threads.into_iter().map(|thread| thread.join().expect("dumping does not panic")).collect::<Result<Vec<_>, _>>()
    })?;
    let mut verdicts = verdicts.into_inner().expect("no thread panics holding it");
    let why = format!("no host is left to dump it: {}", gone.into_iter().flatten().collect::<Vec<_>>().join(", "));
    for index in queue.close() {
        verdicts[index] = vec![Verdict::of_no_host(&request.wikis[index], &why)];
    }
    Ok(verdicts.into_iter().flatten().collect())
}

/// Dumps wikis on a host as long as there are any and it can; says why it cannot any more.
fn work(
    session: &Session<'_>,
    host: &str,
    request: &Request,
    queue: &Queue,
    verdicts: &Mutex<Vec<Vec<Verdict>>>,
) -> Result<Option<String>, Failure> {
    while let Some(index) = queue.take() {
        let ended = run::dump(session, host, &request.wikis[index], request);
        let usage = ended.wrong_usage();
        // One that fails on a host that can do no more says nothing about the others: they are for the other hosts.
        let gone = ended.error.as_ref().filter(|_| usage.is_none()).and_then(|_| check(session, host).err());
        if gone.is_some() && !ended.begun {
            queue.give_back(index);
        } else {
            verdicts.lock().expect("no thread panics holding it")[index] = ended.verdicts;
            queue.done();
        }
        if let Some(usage) = usage {
            queue.close();
            return Err(usage);
        }
        if let Some(why) = gone {
            session.progress.say(&format!("{host} dumps no more: {why}"));
            return Ok(Some(format!("{host}: {why}")));
        }
    }
    Ok(None)
}

/// Whether a host runs and is ready.
fn check(session: &Session<'_>, host: &str) -> Result<(), String> {
    let containers = session.podman.containers().map_err(|error| format!("{error:#}"))?;
    let found = containers.iter().find(|container| container.name() == host && container.running());
    let endpoint = Endpoint::of(found.ok_or("it does not run")?).ok_or("its labels do not say enough")?;
    endpoint.questions().iter().try_for_each(|question| probe::ask(&question.ask, PATIENCE).map(drop))
}

/// The running hosts that make dumps, by name.
fn hosts(containers: &[Container], set: &SetName, only: Option<u16>) -> Result<Vec<String>, Failure> {
    let provides =
        |container: &&Container| container.label(label::PROVIDES).is_some_and(|all| all.split(',').any(|one| one == SERVICE));
    let mut hosts: Vec<String> = plan::containers_of(containers, set)
        .into_iter()
        .filter(provides)
        .filter(|container| container.running())
        .map(|container| container.name().to_owned())
        .filter(|name| {
            only.is_none_or(|number| {
                name.trim_end_matches(|c: char| c.is_ascii_digit()).len() + number.to_string().len() == name.len()
                    && name.ends_with(&number.to_string())
            })
        })
        .collect();
    hosts.sort();
    if hosts.is_empty() {
        let which =
            only.map_or_else(|| "no host that makes dumps".to_owned(), |number| format!("no snapshot host with number {number}"));
        return Err(Failure::new(Kind::Failed, format!("{which} runs in set {set}"))
            .hint(format!("podfarm status {set}; podfarm up {set}")));
    }
    Ok(hosts)
}
