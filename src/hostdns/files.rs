//! Files of the user's that `hostdns install` makes or adds to, in such a way that `remove` leaves them as they were.

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::paths::remove_file;

/// The first line of a file that was not there before: it ends with the topmost of the paths that were made for it.
const MADE: &str = "# Made by podfarm hostdns install: ";

/// Makes a file, or replaces it.
///
/// # Errors
/// Where it cannot be written.
pub fn write_whole(file: &Path, text: &str) -> Result<()> {
    let (made, _) = parts(file, "");
    write(file, &format!("{made}{text}"))
}

/// Removes a file that [`write_whole`] made.
///
/// # Errors
/// Where it is there and cannot be removed.
pub fn remove_whole(file: &Path) -> Result<()> {
    let (made, _) = parts(file, "");
    unmake(file, &made)
}

/// Puts a line above all others, where it is not there already.
///
/// # Errors
/// Where the file cannot be written.
pub fn put_on_top(file: &Path, line: &str) -> Result<()> {
    let (made, rest) = parts(file, line);
    let text = format!("{made}{line}{rest}");
    if fs::read_to_string(file).is_ok_and(|existing| existing == text) { Ok(()) } else { write(file, &text) }
}

/// Whether [`put_on_top`] has put the line there.
pub fn is_on_top(file: &Path, line: &str) -> bool {
    let text = fs::read_to_string(file).unwrap_or_default();
    without_made(&text).1.starts_with(line)
}

/// Takes the line away again, and the file where nobody else has put anything into it.
///
/// # Errors
/// Where the file cannot be written.
pub fn take_off_top(file: &Path, line: &str) -> Result<()> {
    if !is_on_top(file, line) {
        return Ok(());
    }
    match parts(file, line) {
        (made, rest) if rest.is_empty() && !made.is_empty() => unmake(file, &made),
        (_, rest) => write(file, &rest),
    }
}

/// The line that says what was made for a file, and what follows it and `line`.
fn parts(file: &Path, line: &str) -> (String, String) {
    let Ok(text) = fs::read_to_string(file) else {
        let missing = file.ancestors().take_while(|path| !path.exists()).last().unwrap_or(file);
        return (format!("{MADE}{}\n", missing.display()), String::new());
    };
    let (made, rest) = without_made(&text);
    (made.to_owned(), rest.strip_prefix(line).unwrap_or(rest).to_owned())
}

fn without_made(text: &str) -> (&str, &str) {
    let end = if text.starts_with(MADE) { text.find('\n').map_or(text.len(), |end| end + 1) } else { 0 };
    text.split_at(end)
}

/// Removes a file and those of its folders that were made for it, unless there is something else in them by now.
fn unmake(file: &Path, made: &str) -> Result<()> {
    remove_file(file)?;
    let topmost = PathBuf::from(made.trim_start_matches(MADE).trim_end());
    for folder in file.ancestors().skip(1).take_while(|folder| folder.starts_with(&topmost)) {
        if fs::remove_dir(folder).is_err() {
            break;
        }
    }
    Ok(())
}

/// Writes a file whole, keeping the mode of one that is there, and a link to it a link.
fn write(file: &Path, text: &str) -> Result<()> {
    let target = fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
    let folder = target.parent().context("a file lies in a folder")?;
    let write = || -> io::Result<()> {
        // Private to the user where it has to be made: ssh wants its folder so.
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let new = tempfile::NamedTempFile::new_in(folder)?;
        fs::write(new.path(), text)?;
        if let Ok(existing) = fs::metadata(&target) {
            fs::set_permissions(new.path(), existing.permissions())?;
        }
        new.persist(&target).map_err(|error| error.error)?;
        Ok(())
    };
    write().with_context(|| format!("{}: cannot be written", file.display()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    const LINE: &str = "Include \"/x/*\"\n";

    #[test]
    fn what_was_not_there_is_gone_again_with_its_folders() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("a/b/config");
        put_on_top(&file, LINE).unwrap();
        put_on_top(&file, LINE).unwrap();
        assert!(is_on_top(&file, LINE));
        assert_eq!(fs::read_to_string(&file).unwrap().matches(LINE).count(), 1);
        take_off_top(&file, LINE).unwrap();
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0);
        write_whole(&file, "one\n").unwrap();
        write_whole(&file, "two\n").unwrap();
        assert!(fs::read_to_string(&file).unwrap().ends_with("/a\ntwo\n"));
        remove_whole(&file).unwrap();
        remove_whole(&file).unwrap();
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0);
    }

    #[test]
    fn folders_with_something_else_in_them_stay() {
        let home = tempfile::tempdir().unwrap();
        put_on_top(&home.path().join(".ssh/config"), LINE).unwrap();
        fs::write(home.path().join(".ssh/known_hosts"), "").unwrap();
        take_off_top(&home.path().join(".ssh/config"), LINE).unwrap();
        assert_eq!(fs::read_dir(home.path().join(".ssh")).unwrap().count(), 1);
    }

    #[test]
    fn what_was_there_is_as_it_was() {
        for before in ["", "Host a\n", "no newline"] {
            let home = tempfile::tempdir().unwrap();
            let (file, link) = (home.path().join("config"), home.path().join("link"));
            fs::write(&file, before).unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
            symlink(&file, &link).unwrap();
            put_on_top(&link, LINE).unwrap();
            assert_eq!(fs::read_to_string(&file).unwrap(), format!("{LINE}{before}"));
            take_off_top(&link, LINE).unwrap();
            take_off_top(&link, LINE).unwrap();
            assert_eq!(fs::read_to_string(&file).unwrap(), before);
            assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);
            assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        }
    }

    #[test]
    fn what_was_added_to_ours_stays() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("config");
        put_on_top(&file, LINE).unwrap();
        let text = fs::read_to_string(&file).unwrap();
        fs::write(&file, format!("{text}Host mine\n")).unwrap();
        take_off_top(&file, LINE).unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "Host mine\n");
    }
}
