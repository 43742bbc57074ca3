//! A Debian package, fetched by the apt of the set's own base image, which verifies it by the archive's signatures.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, Result};

use super::Tree;
use crate::podman::{Podman, argv};
use crate::process::{Argv, Input};
use crate::set::Archive;

const PROGRAM: &str = include_str!("../../templates/source/fetch-deb");

/// What to fetch.
pub(super) struct Package<'a> {
    pub package: &'a str,
    pub suite: &'a str,
    pub archive: &'a Archive,
}

/// Leaves the package's MediaWiki in `<out>/tree`.
///
/// # Errors
/// Of the container it is fetched in.
pub(super) fn fetch(package: &Package<'_>, tree: &Tree, base: &str, out: &Path, podman: &Podman) -> Result<()> {
    let program = out.join("fetch-deb");
    fs::write(&program, PROGRAM)
        .and_then(|()| fs::set_permissions(&program, fs::Permissions::from_mode(0o755)))
        .with_context(|| format!("{}: cannot be written", program.display()))?;
    // A killed podfarm may have left one; the lock is ours.
    podman.output(&argv::podman().args(["rm", "--force", "--ignore", "--time", "0", &container(tree)]), Input::Nothing)?;
    podman.output(&run(package, tree, base, out), Input::Nothing).map(drop)
}

fn container(tree: &Tree) -> String {
    format!("podfarm-source-{}", &tree.id[..12])
}

/// The container it is fetched in.
pub(super) fn run(package: &Package<'_>, tree: &Tree, base: &str, out: &Path) -> Argv {
    let mut run =
        argv::podman().args(["run", "--rm", "--name", &container(tree), "--label"]).arg(format!("podfarm.source={}", tree.id));
    // The host's network reaches a mirror on this machine, and needs no helper that may be missing.
    run = run.args(["--network=host", "--pull=never", "--volume", &format!("{}:/out", out.display())]);
    if let Some(mirror) = package.archive.mirror.as_deref().and_then(|mirror| mirror.strip_prefix("file://")) {
        run = run.args(["--volume", &format!("{mirror}:{mirror}:ro")]);
    }
    run.args([base, "/out/fetch-deb", package.package, package.suite, &package.archive.suite])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Contents;

    #[test]
    fn the_package_is_fetched_in_the_base_image() {
        let archive = Archive { mirror: Some("file:///srv/debian".into()), ..Archive::default() };
        let package = Package { package: "mediawiki", suite: "trixie", archive: &archive };
        let tree = Tree {
            name: "mw".parse().unwrap(),
            contents: Contents::MediaWiki,
            id: "0123456789abcdef".into(),
            path: "/c/sources/0".into(),
            live: false,
        };
        let expected = "podman run --rm --name podfarm-source-0123456789ab --label 'podfarm.source=0123456789abcdef' \
                        --network=host --pull=never --volume /c/part:/out --volume /srv/debian:/srv/debian:ro \
                        localhost/podfarm/base:1 /out/fetch-deb mediawiki trixie bookworm";
        assert_eq!(
            run(&package, &tree, "localhost/podfarm/base:1", Path::new("/c/part")).to_string().replace('\'', ""),
            expected.replace('\'', "")
        );
    }
}
