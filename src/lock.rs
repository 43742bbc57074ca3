//! One podfarm at a time changes a set; the second waits and says so.

use std::fs::{File, OpenOptions};
use std::path::Path;

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use crate::progress::Progress;

/// Held until dropped, or until the process ends, however it ends.
pub struct Lock {
    _file: Flock<File>,
}

impl Lock {
    /// Takes the lock on a file, waiting for whoever has it; `what` says what is waited for.
    ///
    /// # Errors
    /// Where the file cannot be made or locked.
    pub fn take(path: &Path, what: &str, progress: &dyn Progress) -> Result<Self> {
        let file = open(path)?;
        let locked = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Err((file, Errno::EWOULDBLOCK)) => {
                progress.say(&format!("another podfarm is at work on {what}: waiting for it"));
                Flock::lock(file, FlockArg::LockExclusive)
            }
            other => other,
        };
        let file = locked.map_err(|(_, errno)| errno).with_context(|| format!("{}: cannot be locked", path.display()))?;
        Ok(Self { _file: file })
    }

    /// Takes the lock if nobody has it.
    ///
    /// # Errors
    /// As [`Lock::take`].
    pub fn try_take(path: &Path) -> Result<Option<Self>> {
        match Flock::lock(open(path)?, FlockArg::LockExclusiveNonblock) {
            Ok(file) => Ok(Some(Self { _file: file })),
            Err((_, Errno::EWOULDBLOCK)) => Ok(None),
            Err((_, errno)) => Err(errno).with_context(|| format!("{}: cannot be locked", path.display())),
        }
    }
}

fn open(path: &Path) -> Result<File> {
    let open = || -> std::io::Result<File> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        OpenOptions::new().create(true).append(true).open(path)
    };
    open().with_context(|| format!("{}: cannot be opened", path.display()))
}
