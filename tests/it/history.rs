//! Whether a dump has what the database has: every page, every revision, and its text.

use std::collections::BTreeSet;

use crate::sandbox::Sandbox;

const READER: &str = include_str!("data/history.py");

/// Page, revision and SHA-1 of the text of every revision in a dump of full history, a path on the snapshot hosts.
#[track_caller]
pub fn dumped(sandbox: &Sandbox, set: &str, file: &str) -> BTreeSet<String> {
    let read = ["exec", set, "snapshot1", "sh", "-c", "bzip2 -dc \"$0\" | python3 -c \"$1\"", file, READER];
    sandbox.run(&read).ok().stdout.lines().map(str::to_owned).collect()
}

/// The same as the database has it.
#[track_caller]
pub fn stored(sandbox: &Sandbox, set: &str, db: &str) -> BTreeSet<String> {
    let query = format!(
        "SELECT CONCAT_WS(' ', rev_page, rev_id, content_sha1) FROM {db}.revision JOIN {db}.slots ON slot_revision_id = rev_id \
         JOIN {db}.content ON content_id = slot_content_id"
    );
    let rows = sandbox.run(&["exec", set, "dbprimary", "mariadb", "-N", "-e", &query]).ok();
    rows.stdout.lines().map(str::to_owned).collect()
}
