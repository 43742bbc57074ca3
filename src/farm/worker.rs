//! One wiki's seeding: the container it happens in, and what that says of its progress. templates/seed/seed-wiki is what runs there.

use std::path::Path;

use anyhow::{Result, anyhow};
use serde::Deserialize;

use crate::podman::mount::Mounted;
use crate::podman::{Podman, argv};
use crate::process::{Argv, CommandError};
use crate::progress::Progress;

/// Lines of what a worker said last that its error shows.
const LAST_LINES: usize = 15;

/// What a worker changes on the files it makes: their owner and mode.
const CAPABILITIES: &[&str] = &["CHOWN", "DAC_OVERRIDE", "FOWNER"];

/// What the label says that all containers of seeding have: [`super::recipe::Recipe::id`].
pub(super) const LABEL: &str = "podfarm.seeding";

/// A container of seeding: no network, and nothing of the host's but what is mounted.
pub(super) struct Container<'a> {
    pub name: String,
    pub key: &'a str,
    pub image: &'a str,
    pub mounts: Vec<Mounted>,
}

impl Container<'_> {
    /// `podman run` with these options, up to the image and the arguments its entrypoint wants.
    ///
    /// # Errors
    /// As [`Mounted::option`].
    pub(super) fn run(&self, options: &[&str], capabilities: &[&str]) -> Result<Argv> {
        let mut run = argv::podman().arg("run").args(options.to_vec()).args(["--name", &self.name]);
        run = run.args(["--label", &format!("{LABEL}={}", self.key), "--network=none", "--pull=never"]);
        run = run.args(["--cap-drop=all", "--security-opt=no-new-privileges"]);
        run = run.args(capabilities.iter().map(|capability| format!("--cap-add={capability}")));
        for mounted in &self.mounts {
            run = run.args(mounted.option()?);
        }
        Ok(run.arg(self.image).args(["SSH=no", "SET=seed", "MEMBER=seed", "HOST=localhost", "FQDN=localhost"]))
    }
}

/// One wiki's work.
pub(super) struct Worker<'a> {
    pub container: Container<'a>,
    pub wiki: &'a str,
    /// From an earlier result, instead of from the inputs.
    pub restore: bool,
    /// Processes it may keep busy.
    pub jobs: usize,
}

impl Worker<'_> {
    /// Runs it to its end.
    ///
    /// # Errors
    /// With the last lines it said.
    pub(super) fn run(&self, podman: &Podman, progress: &dyn Progress) -> Result<()> {
        let mut shown: Option<String> = None;
        let result = podman.stream(&self.command()?, |line| {
            let Ok(step) = serde_json::from_str::<Step>(line) else { return };
            let task = format!("wiki {}: {}", self.wiki, step.phase);
            if let Some(before) = shown.take().filter(|before| *before != task) {
                progress.finish(&before);
            }
            if step.phase == "done" {
                self.tell_skipped(&step, progress);
                return;
            }
            progress.advance(&task, step.done, step.total, &step.unit);
            shown = Some(task);
        });
        if let Some(last) = shown {
            progress.finish(&last);
        }
        result.map_err(|error| self.explain(error))
    }

    /// # Errors
    /// As [`Mounted::option`].
    pub(super) fn command(&self) -> Result<Argv> {
        let jobs = format!("--env=PODFARM_JOBS={}", self.jobs);
        let run = self.container.run(&["--rm", "--init", &jobs], CAPABILITIES)?.args(["--", "/run/podfarm/seed/seed-wiki"]);
        Ok(if self.restore { run.arg("--restore") } else { run }.arg(self.wiki))
    }

    fn tell_skipped(&self, step: &Step, progress: &dyn Progress) {
        if step.skipped > 0 {
            progress.say(&format!("wiki {}: {} pages could not be imported", self.wiki, step.skipped));
        }
        for note in &step.notes {
            progress.say(&format!("wiki {}: {note}", self.wiki));
        }
    }

    /// The worker's own words; the long command line it was started by would only hide them.
    fn explain(&self, error: anyhow::Error) -> anyhow::Error {
        let Some(failed) = error.downcast_ref::<CommandError>().filter(|failed| failed.status.is_some()) else { return error };
        let lines: Vec<_> = failed.stderr.trim().lines().collect();
        let said = lines[lines.len().saturating_sub(LAST_LINES)..].join("\n  ");
        if said.is_empty() {
            return anyhow!("wiki {}: seeding ended without a word ({})", self.wiki, failed.status.unwrap_or_default());
        }
        let own = said.strip_prefix(&format!("{}: ", self.wiki)).unwrap_or(&said);
        anyhow!("wiki {}: {own}", self.wiki)
    }
}

/// A line of the worker's output.
#[derive(Deserialize)]
struct Step {
    phase: String,
    done: u64,
    total: Option<u64>,
    unit: String,
    #[serde(default)]
    skipped: u64,
    #[serde(default)]
    notes: Vec<String>,
}

/// Where a worker sees an import file: numbered, for their order counts, and under its own name, which says what it is.
pub(super) fn import_mount(index: usize, path: &Path) -> Mounted {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    Mounted::read_only(path, format!("/import/{index}-{name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_sees_what_is_mounted_and_no_network() {
        let mounts = vec![import_mount(0, Path::new("/d/el.xml.bz2")), Mounted::new("/b/out", "/out")];
        let container =
            Container { name: "podfarm-seed-012345678901-el".into(), key: "0123", image: "localhost/podfarm/snapshot:1", mounts };
        let worker = Worker { container, wiki: "el", restore: false, jobs: 2 };
        let expected = "podman run --rm --init '--env=PODFARM_JOBS=2' --name podfarm-seed-012345678901-el \
            --label 'podfarm.seeding=0123' --network=none --pull=never --cap-drop=all --security-opt=no-new-privileges \
            --cap-add=CHOWN --cap-add=DAC_OVERRIDE --cap-add=FOWNER --volume /d/el.xml.bz2:/import/0-el.xml.bz2:ro \
            --volume /b/out:/out localhost/podfarm/snapshot:1 SSH=no SET=seed MEMBER=seed HOST=localhost FQDN=localhost \
            -- /run/podfarm/seed/seed-wiki el";
        assert_eq!(worker.command().unwrap().to_string().replace('\'', ""), expected.replace('\'', ""));
    }

    #[test]
    fn import_files_with_a_colon_are_mounted_too() {
        let option = import_mount(1, Path::new("/d/2026-11-01T00:00.xml")).option().unwrap();
        assert_eq!(
            option[1],
            "type=bind,source=/d/2026-11-01T00:00.xml,destination=/import/1-2026-11-01T00:00.xml,readonly=true"
        );
    }
}
