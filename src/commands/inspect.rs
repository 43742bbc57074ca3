//! list and status.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Result;
use serde::Serialize;

use crate::cli::{Format, Listing};
use crate::desired::label;
use crate::lifecycle::Session;
use crate::set;
use crate::status;
use crate::ui::Ui;

use super::known::known;

/// How long a member has to answer before `status` calls it not ready.
const PATIENCE: Duration = Duration::from_secs(5);

/// The version of what `list --format json` prints.
const LIST_VERSION: u32 = 1;

/// What `list --format json` prints. docs/commands.md describes it.
#[derive(Serialize)]
struct List {
    version: u32,
    sets: Vec<Listed>,
}

#[derive(Serialize)]
struct Listed {
    name: String,
    state: &'static str,
    /// The set's file; `null` for one that is built in, or whose file is gone.
    file: Option<String>,
    description: String,
    /// What is wrong with the set's file.
    wrong: Option<String>,
}

pub fn list(session: &Session<'_>, arguments: &Listing, ui: &Ui) -> Result<()> {
    let containers = session.podman.containers()?;
    let mut existing: BTreeMap<String, Vec<_>> = BTreeMap::new();
    for container in &containers {
        if let Some(set) = container.label(label::SET) {
            existing.entry(set.to_owned()).or_default().push(container);
        }
    }
    let mut sets: BTreeMap<String, Listed> = BTreeMap::new();
    for found in set::list(&session.paths) {
        let (description, wrong) = match set::load(&found.name, &session.paths) {
            Ok(set) => (set.description, None),
            Err(error) => (String::new(), Some(error.to_string())),
        };
        let file = found.file.map(|file| file.display().to_string());
        sets.insert(found.name.to_string(), Listed { name: found.name.to_string(), state: "absent", file, description, wrong });
    }
    for (name, members) in &existing {
        let entry = sets.entry(name.clone()).or_insert_with(|| Listed {
            name: name.clone(),
            state: "absent",
            file: None,
            description: String::new(),
            wrong: Some("its file is not here".to_owned()),
        });
        entry.state = status::set_state(members);
    }
    let sets: Vec<_> = sets.into_values().collect();
    match arguments.format {
        Format::Json => ui.result(&serde_json::to_string_pretty(&List { version: LIST_VERSION, sets })?),
        Format::Text => {
            let row = |set: &Listed| {
                vec![
                    set.name.clone(),
                    set.state.to_owned(),
                    set.file.clone().unwrap_or_else(|| "-".to_owned()),
                    set.wrong.as_ref().map_or_else(|| set.description.clone(), |wrong| format!("(wrong: {wrong})")),
                ]
            };
            ui.table(&["set", "state", "file", "description"], &sets.iter().map(row).collect::<Vec<_>>());
        }
    }
    Ok(())
}

pub fn status(session: &Session<'_>, arguments: &crate::cli::Status, ui: &Ui) -> Result<()> {
    for name in &arguments.sets {
        known(session, name)?;
    }
    let status = status::of(&session.podman.containers()?, &arguments.sets, PATIENCE);
    if arguments.format == Format::Json {
        ui.result(&serde_json::to_string_pretty(&status)?);
        return Ok(());
    }
    if status.sets.is_empty() {
        ui.result("no set exists; `podfarm list` shows those there are files of, `podfarm up demo` brings one up");
        return Ok(());
    }
    for (index, set) in status.sets.iter().enumerate() {
        let space = if index == 0 { "" } else { "\n" };
        ui.result(&format!("{space}{}: {}", set.name, set.state));
        for url in set.urls.values() {
            ui.result(&format!("  {url}"));
        }
        if set.members.is_empty() {
            continue;
        }
        let row = |member: &status::MemberStatus| {
            let ports = member.ports.iter().map(|port| match port.port == port.published {
                true => format!("{}", port.port),
                false => format!("{}→{}", port.port, port.published),
            });
            vec![
                member.name.clone(),
                member.role.clone(),
                member.state.clone(),
                member.address.clone(),
                member.published.clone(),
                ports.collect::<Vec<_>>().join(" "),
                if member.detail.is_empty() { member.health.clone() } else { format!("{}, {}", member.health, member.detail) },
            ]
        };
        let rows: Vec<_> = set.members.iter().map(row).collect();
        ui.table(&["member", "role", "state", "inside", "on this host", "ports", "health"], &rows);
    }
    Ok(())
}
