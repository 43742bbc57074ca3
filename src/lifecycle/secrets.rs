//! Passwords and keys: made at random for each set, kept by podman, never on a command line.

use std::io::Read;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;

use anyhow::{Context, Result};

use super::Session;
use crate::podman::argv;
use crate::process::{Argv, Input, Runner};

/// Makes one of a set's secrets: a key for ssh where the name says so, else a random password.
pub(super) fn create(session: &Session<'_>, name: &str) -> Result<()> {
    let value = match name {
        _ if name.ends_with(".ssh-host-key") => host_key(session, name)?,
        _ if name.ends_with("-key") => own_key(name)?,
        _ => password()?.into_bytes(),
    };
    let create = || session.podman.output(&argv::secret_create(name), Input::Bytes(&value)).map(drop);
    create().or_else(|error| {
        if !format!("{error:#}").contains("secret name in use") {
            return Err(error);
        }
        // Left by a podfarm that was killed, and in no container: what goes with it, such as a public key, is gone.
        session.podman.output(&argv::secret_remove(&[name.to_owned()]), Input::Nothing)?;
        create()
    })
}

/// 160 random bits in hexadecimal digits, which no quoting anywhere can spoil.
fn password() -> Result<String> {
    let mut bytes = [0; 20];
    std::fs::File::open("/dev/urandom")
        .and_then(|mut random| random.read_exact(&mut bytes))
        .context("/dev/urandom cannot be read")?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// A host key for all members of a set; its public half goes into the set's folder, for known_hosts.
fn host_key(session: &Session<'_>, secret: &str) -> Result<Vec<u8>> {
    let set = secret.trim_start_matches("podfarm.").trim_end_matches(".ssh-host-key");
    let folder = session.paths.data.join("sets").join(set);
    private_folder(&folder)?;
    let scratch = tempfile::tempdir_in(&folder).with_context(|| format!("{}: cannot be written", folder.display()))?;
    let key = scratch.path().join("key");
    key_pair(&key, &format!("podfarm set {set}"))?;
    std::fs::rename(key.with_extension("pub"), folder.join("ssh_host_key.pub"))?;
    Ok(std::fs::read(&key)?)
}

/// A key with which members of a set get into another; whoever has it can tell its public half.
fn own_key(secret: &str) -> Result<Vec<u8>> {
    let scratch = tempfile::tempdir().context("no temporary folder can be made")?;
    let key = scratch.path().join("key");
    key_pair(&key, secret)?;
    Ok(std::fs::read(&key)?)
}

/// The user's own key, made once, with which every member of every set lets them in.
pub(super) fn user_key(session: &Session<'_>) -> Result<()> {
    let folder = session.paths.data.join("ssh");
    let key = folder.join("id_ed25519");
    if folder.join("id_ed25519.pub").exists() {
        return Ok(());
    }
    private_folder(&folder)?;
    // Made under another name, so that a podfarm killed here leaves no half pair; the public half goes last, for it is what is looked for.
    let scratch = tempfile::tempdir_in(&folder)?;
    let fresh = scratch.path().join("key");
    key_pair(&fresh, "podfarm")?;
    std::fs::rename(&fresh, &key)?;
    std::fs::rename(fresh.with_extension("pub"), key.with_extension("pub"))?;
    Ok(())
}

fn key_pair(path: &Path, comment: &str) -> Result<()> {
    let argv =
        Argv::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-C", comment, "-f"]).arg(path.display().to_string());
    Runner::new().output(&argv, Input::Nothing).map(drop)
}

/// A folder that only the user can look into.
pub(super) fn private_folder(folder: &Path) -> Result<()> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .and_then(|()| std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700)))
        .with_context(|| format!("{}: cannot be made", folder.display()))
}
