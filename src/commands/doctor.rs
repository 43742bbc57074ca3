//! doctor: whether this machine is ready, and what mends it.

use anyhow::Result;
use serde::Serialize;

use crate::cli::{Doctor, Format};
use crate::doctor::{self, Finding, Verdict};
use crate::failure::{Failure, Kind};
use crate::farm;
use crate::hostdns::{self, Dnsmasq};
use crate::lifecycle::{self, Session};
use crate::lock::Lock;
use crate::ui::Ui;

/// The version of what `doctor --format json` prints.
const FORMAT_VERSION: u32 = 1;

/// What `doctor --format json` prints. docs/commands.md describes it.
#[derive(Serialize)]
struct Report<'a> {
    version: u32,
    findings: &'a [Finding],
}

pub fn run(session: &Session<'_>, arguments: &Doctor, ui: &Ui) -> Result<()> {
    let mut findings = doctor::examine(session, session.addresses()?);
    if arguments.fix && fix(session, &findings)? {
        findings = doctor::examine(session, session.addresses()?);
    }
    match arguments.format {
        Format::Json => {
            ui.result(&serde_json::to_string_pretty(&Report { version: FORMAT_VERSION, findings: &findings })?);
        }
        Format::Text => {
            let row = |finding: &Finding| {
                let verdict = match finding.verdict {
                    Verdict::Good => "good",
                    Verdict::Note => "note",
                    Verdict::Bad => "BAD",
                };
                vec![finding.what.to_owned(), verdict.to_owned(), finding.fact.lines().next().unwrap_or_default().to_owned()]
            };
            ui.table(&["what", "verdict", "fact"], &findings.iter().map(row).collect::<Vec<_>>());
            for finding in &findings {
                if let Some(mend) = &finding.mend {
                    ui.result(&format!("{}: {mend}", finding.what));
                }
            }
        }
    }
    let bad: Vec<_> = findings.iter().filter(|finding| finding.verdict == Verdict::Bad).map(|finding| finding.what).collect();
    if bad.is_empty() {
        return Ok(());
    }
    Err(Failure::new(Kind::Machine, format!("`up` cannot work on this machine: {}", bad.join(", ")))
        .hint("what mends it is above")
        .into())
}

/// Does what needs no root, and says whether there was anything.
fn fix(session: &Session<'_>, findings: &[Finding]) -> Result<bool> {
    let needs = |what: &str| findings.iter().any(|finding| finding.what == what && finding.verdict != Verdict::Good);
    let mut fixed = false;
    if needs("leftovers") {
        farm::sweep(&session.podman, &session.paths)?;
        fixed = true;
        let containers = session.podman.containers()?;
        for set in doctor::dead_sets(&containers, &session.podman.inventory()?, &session.paths) {
            let at_work = Lock::try_take(&session.paths.lock(&format!("set-{set}")))?.is_none();
            // A set that somebody is making just now has no members yet, and is not dead.
            if let (false, Ok(set)) = (at_work, set.parse()) {
                lifecycle::destroy(session, &set)?;
            }
        }
    }
    let dnsmasq = Dnsmasq::new(&session.paths, session.addresses()?);
    if needs("names") && hostdns::installed().is_some_and(|installed| installed.folder == dnsmasq.folder) {
        dnsmasq.install()?;
        fixed = true;
    }
    Ok(fixed)
}
