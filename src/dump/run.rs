//! One wiki's run on one host: what its `dump-wiki` tells, and what that means where it tells no more.

use serde::Deserialize;

use super::{NO_JOB, Request, Status, Verdict};
use crate::failure::{Failure, Kind};
use crate::lifecycle::Session;
use crate::podman::argv;
use crate::process::CommandError;
use crate::progress::Progress;

/// The program that snapshot hosts have for it.
const PROGRAM: &str = "dump-wiki";
/// How it ends that was called wrongly.
const WRONG_USAGE: i32 = 2;
/// How it ends where it has told of a job that failed.
const SOME_FAILED: i32 = 5;

/// What `dump-wiki` says.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Said {
    Plan { jobs: Vec<String> },
    Part { job: String, revisions: u64, of: Option<u64> },
    Job { job: String, status: Status, why: Option<String>, seconds: f64 },
}

/// How a run ended.
pub(super) struct Ended {
    pub verdicts: Vec<Verdict>,
    /// Whether the host has begun it.
    pub begun: bool,
    /// How the program ended, where that is not well.
    pub error: Option<anyhow::Error>,
}

impl Ended {
    /// Why there was no run: something was asked for that there is not.
    pub(super) fn wrong_usage(&self) -> Option<Failure> {
        let failed = self.error.as_ref()?.downcast_ref::<CommandError>()?;
        if self.begun || failed.status?.code() != Some(WRONG_USAGE) {
            return None;
        }
        let why = last_line(failed)?;
        Some(Failure::new(Kind::Usage, why.strip_prefix(&format!("{PROGRAM}: error: ")).unwrap_or(why)))
    }
}

/// Dumps a wiki on a host.
pub(super) fn dump(session: &Session<'_>, host: &str, wiki: &str, request: &Request) -> Ended {
    let mut command = [PROGRAM, "--json", "--attended", "--date"].map(str::to_owned).to_vec();
    command.push(request.date.to_string());
    if !request.jobs.is_empty() {
        command.extend(["--job".to_owned(), request.jobs.join(",")]);
    }
    command.extend(["--".to_owned(), wiki.to_owned()]);
    let mut run = Run { progress: session.progress, host, wiki, planned: Vec::new(), verdicts: Vec::new() };
    let ended = session.podman.attend(&argv::exec(host, None, false, &command), |line| run.hear(line));
    run.planned.iter().map(|job| run.part(job)).chain([run.task()]).for_each(|task| session.progress.finish(&task));
    let error = ended.err();
    if let Some(error) = &error {
        run.close(error);
    }
    Ended { begun: !run.planned.is_empty(), verdicts: run.verdicts, error }
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

    /// How far a job has got is told beside how far the run has.
    fn part(&self, job: &str) -> String {
        format!("{job} of {}", self.wiki)
    }

    fn hear(&mut self, line: &str) {
        match serde_json::from_str(line) {
            Ok(Said::Plan { jobs }) => self.planned = jobs,
            Ok(Said::Job { job, status: Status::InProgress, .. }) => {
                self.progress.advance(&self.task(), self.verdicts.len() as u64, Some(self.planned.len() as u64), &job);
            }
            Ok(Said::Part { job, revisions, of }) => self.progress.advance(&self.part(&job), revisions, of, "revisions"),
            Ok(Said::Job { job, status, why, seconds }) => {
                self.progress.finish(&self.part(&job));
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

    /// Jobs that nothing was heard of any more have failed. What went wrong beside the jobs, before them or after, is told
    /// as a verdict of no job.
    fn close(&mut self, error: &anyhow::Error) {
        let unheard: Vec<_> =
            self.planned.iter().filter(|job| !self.verdicts.iter().any(|verdict| verdict.job == **job)).cloned().collect();
        let why = reason(error);
        if unheard.is_empty() && !self.explains(error) {
            self.verdict(NO_JOB.to_owned(), Status::Failed, Some(why), 0.0);
            return;
        }
        for job in unheard {
            self.verdict(job, Status::Failed, Some(format!("the run ended before: {why}")), 0.0);
        }
    }

    /// Whether the jobs that failed are all there is to an error.
    fn explains(&self, error: &anyhow::Error) -> bool {
        let status = error.downcast_ref::<CommandError>().and_then(|failed| failed.status?.code());
        status == Some(SOME_FAILED) && self.verdicts.iter().any(|verdict| verdict.status == Status::Failed)
    }
}

/// What a command that failed said last, or how it ended.
fn reason(error: &anyhow::Error) -> String {
    let Some(failed) = error.downcast_ref::<CommandError>() else { return format!("{error:#}") };
    last_line(failed).map_or_else(
        || failed.status.map_or_else(|| "it could not be started".to_owned(), |status| status.to_string()),
        str::to_owned,
    )
}

fn last_line(failed: &CommandError) -> Option<&str> {
    failed.stderr.lines().rfind(|line| !line.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::ExitStatusExt;
    use std::process::ExitStatus;
    use std::sync::Mutex;

    /// What is shown on the way.
    #[derive(Default)]
    struct Shown(Mutex<Vec<String>>);

    impl Progress for Shown {
        fn say(&self, _: &str) {}

        fn advance(&self, task: &str, done: u64, total: Option<u64>, unit: &str) {
            self.0.lock().unwrap().push(format!("{task}: {done}/{} {unit}", total.unwrap_or_default()));
        }

        fn finish(&self, task: &str) {
            self.0.lock().unwrap().push(format!("{task}: finished"));
        }
    }

    fn a_run() -> Run<'static> {
        run_showing(Box::leak(Box::default()))
    }

    fn run_showing(progress: &Shown) -> Run<'_> {
        Run { progress, host: "demo-snapshot1", wiki: "wiki", planned: Vec::new(), verdicts: Vec::new() }
    }

    fn ended(code: i32, stderr: &str) -> anyhow::Error {
        let argv = argv::exec("demo-snapshot1", None, false, &[]);
        CommandError { argv, status: Some(ExitStatus::from_raw(code << 8)), stderr: stderr.to_owned() }.into()
    }

    fn became(run: &Run<'_>) -> Vec<(String, Status, Option<String>)> {
        run.verdicts.iter().map(|verdict| (verdict.job.clone(), verdict.status, verdict.why.clone())).collect()
    }

    fn failed(job: &str, why: &str) -> (String, Status, Option<String>) {
        (job.to_owned(), Status::Failed, Some(why.to_owned()))
    }

    const DONE: &str = r#"{"job": "a", "status": "done", "why": null, "seconds": 1.5}"#;
    const FAILED: &str = r#"{"job": "b", "status": "failed", "why": "no space", "seconds": 0.1}"#;

    #[test]
    fn how_far_the_run_and_its_job_have_got_is_shown() {
        let shown = Shown::default();
        let mut run = run_showing(&shown);
        run.hear(r#"{"jobs": ["a", "b"]}"#);
        run.hear(r#"{"job": "a", "status": "in-progress", "why": null, "seconds": 0}"#);
        run.hear(r#"{"job": "a", "revisions": 500, "of": 2040}"#);
        run.hear(DONE);
        let expected = ["wiki on demo-snapshot1: 0/2 a", "a of wiki: 500/2040 revisions", "a of wiki: finished"];
        assert_eq!(*shown.0.lock().unwrap(), expected);
    }

    #[test]
    fn jobs_that_were_not_heard_of_have_failed() {
        let mut run = a_run();
        run.hear(r#"{"jobs": ["a", "b", "c"]}"#);
        run.hear(r#"{"job": "a", "status": "in-progress", "why": null, "seconds": 0}"#);
        run.hear(DONE);
        run.hear(FAILED);
        run.close(&anyhow::anyhow!("killed"));
        let done = ("a".to_owned(), Status::Done, None);
        assert_eq!(became(&run), [done, failed("b", "no space"), failed("c", "the run ended before: killed")]);
    }

    #[test]
    fn an_error_that_no_job_tells_of_is_told() {
        let mut refused = a_run();
        refused.close(&ended(1, "it is being dumped already\n"));
        assert_eq!(became(&refused), [failed(NO_JOB, "it is being dumped already")]);

        let mut after = a_run();
        after.hear(r#"{"jobs": ["a"]}"#);
        after.hear(DONE);
        after.close(&ended(1, "[Errno 13] Permission denied\n"));
        assert_eq!(became(&after)[1..], [failed(NO_JOB, "[Errno 13] Permission denied")]);

        // With a job that failed, too; unless the error says no more than that.
        let with_failed = |error: &anyhow::Error| {
            let mut run = a_run();
            run.hear(r#"{"jobs": ["b"]}"#);
            run.hear(FAILED);
            run.close(error);
            became(&run)
        };
        assert_eq!(with_failed(&ended(1, "no")), [failed("b", "no space"), failed(NO_JOB, "no")]);
        assert_eq!(with_failed(&ended(5, "")), [failed("b", "no space")]);
    }

    #[test]
    fn a_job_that_there_is_not_is_wrong_usage() {
        let usage = |begun, code| {
            let error = Some(ended(code, "usage: dump-wiki [-h] wiki\ndump-wiki: error: there is no job no\n"));
            Ended { verdicts: Vec::new(), begun, error }.wrong_usage().map(|failure| (failure.kind, failure.to_string()))
        };
        assert_eq!(usage(false, 2), Some((Kind::Usage, "there is no job no".to_owned())));
        assert_eq!((usage(true, 2), usage(false, 1)), (None, None));
    }
}
