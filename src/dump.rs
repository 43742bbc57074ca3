//! Dumping wikis: which snapshot host does which wiki, and what becomes of each job.
//!
//! What a run is made of is the snapshot hosts' own business: their program `dump-wiki` tells, one JSON object a line.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::desired::label;
use crate::failure::{Failure, Kind};
use crate::lifecycle::Session;
use crate::plan;
use crate::podman::{argv, observe::Container};
use crate::process::CommandError;
use crate::progress::Progress;
use crate::set::SetName;

/// The service that those provide who make dumps.
const SERVICE: &str = "snapshot";
/// The program they have for it.
const PROGRAM: &str = "dump-wiki";

/// What is to be dumped.
#[derive(Clone, Debug, Default)]
pub struct Request {
    pub wikis: Vec<String>,
    /// All jobs, if none is named.
    pub jobs: Vec<String>,
    pub date: Option<String>,
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

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    InProgress,
    Done,
    Failed,
}

/// What `dump-wiki` says.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Said {
    Plan { jobs: Vec<String> },
    Job { job: String, status: Status, why: Option<String>, seconds: f64 },
}

/// Dumps wikis on the snapshot hosts of a set that runs, each host one wiki at a time, and returns what became of every job.
///
/// # Errors
/// [`Kind::Failed`] where no such host runs.
pub fn run(session: &Session<'_>, set: &SetName, request: &Request) -> Result<Vec<Verdict>> {
    let hosts = hosts(session, set, request.snapshot)?;
    let next = AtomicUsize::new(0);
    let verdicts = Mutex::new(vec![Vec::new(); request.wikis.len()]);
    std::thread::scope(|scope| {
        for host in &hosts {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(wiki) = request.wikis.get(index) else { break };
                    let became = dump(session, host, wiki, request);
                    verdicts.lock().expect("no thread panics holding it")[index] = became;
                }
            });
        }
    });
    Ok(verdicts.into_inner().expect("no thread panics holding it").into_iter().flatten().collect())
}

/// The running hosts that make dumps, by name.
fn hosts(session: &Session<'_>, set: &SetName, only: Option<u16>) -> Result<Vec<String>> {
    let containers = session.podman.containers()?;
    let provides =
        |container: &&Container| container.label(label::PROVIDES).is_some_and(|all| all.split(',').any(|one| one == SERVICE));
    let mut hosts: Vec<String> = plan::containers_of(&containers, set)
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
            .hint(format!("podfarm status {set}; podfarm up {set}"))
            .into());
    }
    Ok(hosts)
}

/// Dumps a wiki on a host.
fn dump(session: &Session<'_>, host: &str, wiki: &str, request: &Request) -> Vec<Verdict> {
    let mut command = vec![PROGRAM.to_owned(), "--json".to_owned()];
    command.extend(request.date.iter().flat_map(|date| ["--date".to_owned(), date.clone()]));
    if !request.jobs.is_empty() {
        command.extend(["--job".to_owned(), request.jobs.join(",")]);
    }
    command.extend(["--".to_owned(), wiki.to_owned()]);
    let mut run = Run { progress: session.progress, host, wiki, planned: Vec::new(), verdicts: Vec::new() };
    let ended = session.podman.stream(&argv::exec(host, None, false, &command), |line| run.hear(line));
    session.progress.finish(&run.task());
    run.close(ended.err());
    run.verdicts
}

/// A wiki's run, as far as it has been told.
struct Run<'a> {
    progress: &'a dyn Progress,
    host: &'a str,
    wiki: &'a str,
    planned: Vec<String>,
    verdicts: Vec<Verdict>,
}

impl Run<'_> {
    fn task(&self) -> String {
        format!("{} on {}", self.wiki, self.host)
    }

    fn hear(&mut self, line: &str) {
        match serde_json::from_str(line) {
            Ok(Said::Plan { jobs }) => self.planned = jobs,
            Ok(Said::Job { job, status: Status::InProgress, .. }) => {
                self.progress.advance(&self.task(), self.verdicts.len() as u64, Some(self.planned.len() as u64), &job);
            }
            Ok(Said::Job { job, status, why, seconds }) => {
                let shown = if status == Status::Done { "done" } else { "failed" };
                self.progress.say(&format!(
                    "{}: {job} {shown} ({seconds} s){}",
                    self.task(),
                    why.as_ref().map_or_else(String::new, |why| format!(": {why}"))
                ));
                self.verdict(job, status, why, seconds);
            }
            Err(_) => self.progress.say(&format!("{}: {line}", self.task())),
        }
    }

    fn verdict(&mut self, job: String, status: Status, why: Option<String>, seconds: f64) {
        self.verdicts.push(Verdict { wiki: self.wiki.to_owned(), host: self.host.to_owned(), job, status, why, seconds });
    }

    /// Jobs that nothing was heard of any more have failed.
    fn close(&mut self, error: Option<anyhow::Error>) {
        let Some(error) = error else { return };
        let unheard: Vec<_> =
            self.planned.iter().filter(|job| !self.verdicts.iter().any(|verdict| verdict.job == **job)).cloned().collect();
        let why = reason(&error);
        if self.planned.is_empty() {
            self.verdict("-".to_owned(), Status::Failed, Some(why), 0.0);
            return;
        }
        for job in unheard {
            self.verdict(job, Status::Failed, Some(format!("the run ended before: {why}")), 0.0);
        }
    }
}

/// What a command that failed said last, or how it ended.
fn reason(error: &anyhow::Error) -> String {
    let Some(failed) = error.downcast_ref::<CommandError>() else { return format!("{error:#}") };
    let last = failed.stderr.lines().rfind(|line| !line.trim().is_empty());
    last.map_or_else(
        || failed.status.map_or_else(|| "it could not be started".to_owned(), |status| status.to_string()),
        str::to_owned,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Silent;

    impl Progress for Silent {
        fn say(&self, _: &str) {}
        fn advance(&self, _: &str, _: u64, _: Option<u64>, _: &str) {}
        fn finish(&self, _: &str) {}
    }

    #[test]
    fn jobs_that_were_not_heard_of_have_failed() {
        let mut run = Run { progress: &Silent, host: "demo-snapshot1", wiki: "wiki", planned: Vec::new(), verdicts: Vec::new() };
        run.hear(r#"{"jobs": ["a", "b", "c"]}"#);
        run.hear(r#"{"job": "a", "status": "in-progress", "why": null, "seconds": 0}"#);
        run.hear(r#"{"job": "a", "status": "done", "why": null, "seconds": 1.5}"#);
        run.hear(r#"{"job": "b", "status": "failed", "why": "no space", "seconds": 0.1}"#);
        run.close(Some(anyhow::anyhow!("killed")));
        let became: Vec<_> =
            run.verdicts.iter().map(|verdict| (verdict.job.as_str(), verdict.status, verdict.why.as_deref())).collect();
        assert_eq!(
            became,
            [
                ("a", Status::Done, None),
                ("b", Status::Failed, Some("no space")),
                ("c", Status::Failed, Some("the run ended before: killed"))
            ]
        );
    }
}
