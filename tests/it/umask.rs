//! Users whose files nobody else can read by default: what members mount can be read by members' users all the same.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::running::{http, wiki};
use crate::sandbox::{SMALL, Sandbox};
use crate::sources;

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap_or_else(|error| panic!("{}: {error}", path.display())).permissions().mode() & 0o777
}

#[test]
fn a_wiki_comes_up_and_keys_stay_private() {
    let sandbox = Sandbox::new();
    let set = sandbox.set("umask", SMALL);
    sandbox.run_under_umask("077", &["up", &set]).ok();
    assert_eq!(http(&wiki(&sandbox.status(&set)), None).0, 200);
    let folder = sandbox.at("data/sets").join(&set);
    for (path, expected) in [("hosts", 0o644), ("farm/farm.json", 0o644), ("farm/htdocs", 0o755)] {
        assert_eq!(mode(&folder.join(path)), expected, "{path}");
    }
    for (path, expected) in [("data", 0o700), ("data/ssh", 0o700), ("data/ssh/id_ed25519", 0o600)] {
        assert_eq!(mode(&sandbox.at(path)), expected, "{path}");
    }
}

#[test]
fn a_tree_from_git_can_be_read() {
    let sandbox = Sandbox::new();
    let set = sources::dumps_set(&sandbox, sources::DUMPS);
    // Trees of its own: one that another test has fetched is not fetched again.
    let trees = sandbox.at("cache/sources");
    std::fs::remove_file(&trees).expect("a link");
    sandbox.run_under_umask("027", &["build", &set]).ok();
    let tree = std::fs::read_dir(&trees).expect("a folder").next().expect("a tree").expect("an entry").path();
    for (path, expected) in [("", 0o755), ("xmldumps-backup/dumps", 0o755), ("xmldumps-backup/worker.py", 0o644)] {
        assert_eq!(mode(&tree.join(path)), expected, "{path}");
    }
}
