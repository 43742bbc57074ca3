//! Where podfarm keeps things, after the XDG base directory specification.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::failure::{Failure, Kind};
use crate::set::SetName;

/// podfarm's folders of this user.
#[derive(Clone, Debug)]
pub struct Paths {
    /// `~/.config/podfarm`: the user's own sets and roles.
    pub config: PathBuf,
    /// `~/.local/share/podfarm`: what belongs to sets that exist, and the user's key.
    pub data: PathBuf,
    /// `~/.cache/podfarm`: what can be made again.
    pub cache: PathBuf,
    /// `~/.local/share/podfarm/locks`. What is locked is what podman has, so they lie beside podman's storage wherever the
    /// other folders are.
    pub locks: PathBuf,
}

impl Paths {
    /// The folders as the environment says: PODFARM_CONFIG, PODFARM_DATA and PODFARM_CACHE name one each, apart from podman's own.
    ///
    /// # Errors
    /// [`Kind::Machine`] where there is no home folder, [`Kind::Usage`] where one of ours is named by a relative path.
    pub fn from_environment() -> Result<Self> {
        let (config, data, cache) = (named("PODFARM_CONFIG")?, named("PODFARM_DATA")?, named("PODFARM_CACHE")?);
        // The specification has relative paths ignored.
        let xdg = |variable: &str| std::env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute());
        let usual = |variable: &str, default: &str| {
            xdg(variable).or_else(|| Some(home()?.join(default))).map(|path| path.join("podfarm"))
        };
        let all = || {
            Some(Self {
                config: config.or_else(|| usual("XDG_CONFIG_HOME", ".config"))?,
                data: data.or_else(|| usual("XDG_DATA_HOME", ".local/share"))?,
                cache: cache.or_else(|| usual("XDG_CACHE_HOME", ".cache"))?,
                locks: usual("XDG_DATA_HOME", ".local/share")?.join("locks"),
            })
        };
        all().ok_or_else(|| Failure::new(Kind::Machine, "HOME is not set").hint("set HOME to your home folder").into())
    }

    /// A set's folder.
    pub fn set(&self, set: &SetName) -> PathBuf {
        self.data.join("sets").join(set.as_str())
    }

    /// The file that is locked while a set is being changed.
    pub fn lock(&self, name: &str) -> PathBuf {
        self.locks.join(name)
    }
}

/// The folder that a variable of podfarm's own names. A relative one would be another folder for each folder that podfarm is
/// called from, and what a set has there would be lost to it.
fn named(variable: &str) -> Result<Option<PathBuf>, Failure> {
    let Some(path) = std::env::var_os(variable).map(PathBuf::from).filter(|path| !path.as_os_str().is_empty()) else {
        return Ok(None);
    };
    if path.is_absolute() {
        return Ok(Some(path));
    }
    let what = format!("{variable} is {}, which is no absolute path", path.display());
    let absolute = std::path::absolute(&path).unwrap_or_else(|_| Path::new("/").join(&path));
    Err(Failure::new(Kind::Usage, what).hint(format!("write the whole path, such as {variable}={}", absolute.display())))
}

fn home() -> Option<PathBuf> {
    std::env::var_os("HOME").map(PathBuf::from).filter(|home| home.is_absolute())
}

/// A path as a user writes it in a file that lies in `folder`: `~/` is the home folder, anything relative starts at `folder`.
pub fn expand(written: &str, folder: &Path) -> PathBuf {
    let path = match written.strip_prefix("~/").and_then(|rest| Some(home()?.join(rest))) {
        Some(path) => path,
        None => folder.join(written),
    };
    std::path::absolute(&path).unwrap_or(path)
}

/// Removes a file, which may be gone already.
///
/// # Errors
/// Where it is there and cannot be removed.
pub fn remove_file(file: &Path) -> Result<()> {
    match std::fs::remove_file(file) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("{}: cannot be removed", file.display()))
        }
        _ => Ok(()),
    }
}
