//! init: a new set file, with every key explained.

use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::cli::Init;
use crate::failure::{Failure, Kind};
use crate::ui::Ui;

/// What a new set file says.
const EXAMPLE: &str = include_str!("../../templates/set.yaml");

pub fn run(arguments: &Init, ui: &Ui) -> Result<()> {
    let file = arguments.output.clone().unwrap_or_else(|| PathBuf::from("sets").join(format!("{}.yaml", arguments.name)));
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder).with_context(|| format!("{}: cannot be made", folder.display()))?;
    }
    let written = std::fs::OpenOptions::new().write(true).create_new(true).open(&file);
    let mut written = match written {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            return Err(Failure::new(Kind::Failed, format!("{} is there already", file.display()))
                .hint("it is left as it is; choose another name")
                .into());
        }
        other => other.with_context(|| format!("{}: cannot be written", file.display()))?,
    };
    std::io::Write::write_all(&mut written, EXAMPLE.as_bytes())
        .with_context(|| format!("{}: cannot be written", file.display()))?;
    ui.result(&file.display().to_string());
    Ok(())
}
