//! The base image: Debian, bootstrapped by mmdebstrap, so that no registry of images is needed.

use std::collections::BTreeMap;
use std::path::Path;

use super::Origin;
use crate::process::Argv;
use crate::set::Archive;

/// Changes when the way the base is made does.
const FORMAT: &str = "1";

/// The modification time that newer files get where the archive is not pinned to a moment: 1 January 2026, in seconds since 1970.
const EPOCH: u64 = 1_767_225_600;

/// Debian's service that has the archive as it was at any moment. Not https: the base has no certificates,
/// and apt's signatures are what is relied on anyway.
const SNAPSHOT_SERVICE: &str = "http://snapshot.debian.org/archive";

/// Debian's name for the architecture of this machine.
pub fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "x86" => "i386",
        "arm" => "armhf",
        "powerpc64" => "ppc64el",
        other => other,
    }
}

/// What goes into the base image.
pub(super) fn parts(origin: &Origin) -> BTreeMap<String, String> {
    let part = |what: &str, value: &str| (what.to_owned(), value.to_owned());
    if let Some(image) = &origin.registry {
        return BTreeMap::from([part("the registry image", image)]);
    }
    let archive = &origin.archive;
    let mut parts = BTreeMap::from([
        part("the archive's suite", &archive.suite),
        part("the machine's architecture", architecture()),
        part("the way the base is made", FORMAT),
    ]);
    parts.extend(archive.snapshot.as_deref().map(|moment| part("the archive's snapshot", moment)));
    parts.extend(archive.mirror.as_deref().map(|mirror| part("the archive's mirror", mirror)));
    parts
}

/// The moment that all files of the images are said to be from at the latest, in seconds since 1970: the snapshot's, or a fixed one.
pub(super) fn epoch(archive: &Archive) -> u64 {
    archive.snapshot.as_deref().and_then(parse_moment).unwrap_or(EPOCH)
}

/// [`epoch`] as images' descriptions have it.
pub(super) fn created(archive: &Archive) -> String {
    let moment = archive.snapshot.as_deref().filter(|moment| parse_moment(moment).is_some()).unwrap_or("20260101T000000Z");
    let part = |range: std::ops::Range<usize>| &moment[range];
    format!("{}-{}-{}T{}:{}:{}Z", part(0..4), part(4..6), part(6..8), part(9..11), part(11..13), part(13..15))
}

/// The seconds since 1970 of a moment as the snapshot service writes it.
fn parse_moment(moment: &str) -> Option<u64> {
    let number = |range: std::ops::Range<usize>| moment.get(range)?.parse::<u64>().ok();
    let (year, month, day) = (number(0..4)?, number(4..6)?, number(6..8)?);
    // Days from the civil calendar, with years that begin in March.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year.checked_sub(1)?, month + 9) };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day;
    Some((days.checked_sub(719_469)? * 24 + number(9..11)?) * 3600 + number(11..13)? * 60 + number(13..15)?)
}

/// Bootstraps Debian into a tar file in which nothing is newer than [`epoch`].
pub(super) fn mmdebstrap(archive: &Archive, target: &Path) -> Argv {
    let mut argv = Argv::new("env").arg(format!("SOURCE_DATE_EPOCH={}", epoch(archive))).arg("mmdebstrap");
    argv = argv.args(["--quiet", "--mode=unshare", "--variant=apt", "--format=tar"]);
    argv = argv.arg(format!("--architectures={}", architecture()));
    argv = argv.arg("--aptopt=Acquire::Retries \"3\"");
    if archive.snapshot.is_some() {
        argv = argv.arg("--aptopt=Acquire::Check-Valid-Until \"false\"");
    }
    if local_mirror(archive).is_some() {
        argv = argv.arg("--hook-dir=/usr/share/mmdebstrap/hooks/file-mirror-automount");
    }
    // mmdebstrap copies these two from the host.
    argv = argv.arg("--customize-hook=: >\"$1/etc/resolv.conf\"; : >\"$1/etc/hostname\"");
    argv.arg("--").arg(&archive.suite).arg(target.display().to_string()).args(mirrors(archive))
}

/// The folder of a mirror that lies on this machine.
pub(super) fn local_mirror(archive: &Archive) -> Option<&str> {
    archive.mirror.as_deref()?.strip_prefix("file://")
}

/// The lines of the base's sources.list; none for mmdebstrap's own default.
fn mirrors(archive: &Archive) -> Vec<String> {
    let suite = &archive.suite;
    match (&archive.mirror, &archive.snapshot) {
        (None, None) => Vec::new(),
        (Some(mirror), None) => vec![format!("deb {mirror} {suite} main")],
        (Some(mirror), Some(moment)) => {
            vec![format!("deb {} {suite} main", mirror.replace("{snapshot}", moment))]
        }
        (None, Some(moment)) => {
            let mut lines = vec![format!("deb {SNAPSHOT_SERVICE}/debian/{moment}/ {suite} main")];
            if !matches!(suite.as_str(), "sid" | "unstable") {
                lines.push(format!("deb {SNAPSHOT_SERVICE}/debian/{moment}/ {suite}-updates main"));
                lines.push(format!("deb {SNAPSHOT_SERVICE}/debian-security/{moment}/ {suite}-security main"));
            }
            lines
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn archive(snapshot: Option<&str>, mirror: Option<&str>) -> Archive {
        Archive { snapshot: snapshot.map(str::to_owned), mirror: mirror.map(str::to_owned), ..Archive::default() }
    }

    #[test]
    fn moments_are_seconds_since_1970() {
        assert_eq!(parse_moment("19700101T000000Z"), Some(0));
        assert_eq!(parse_moment("20260101T000000Z"), Some(EPOCH));
        assert_eq!(parse_moment("20240229T235959Z"), Some(1_709_251_199));
        assert_eq!(epoch(&archive(None, None)), EPOCH);
        assert_eq!(created(&archive(None, None)), "2026-01-01T00:00:00Z");
        assert_eq!(created(&archive(Some("20240229T235958Z"), None)), "2024-02-29T23:59:58Z");
    }

    #[test]
    fn without_a_mirror_mmdebstrap_chooses() {
        let argv = mmdebstrap(&archive(None, None), Path::new("/c/base.tar")).to_string();
        assert!(argv.ends_with("-- bookworm /c/base.tar"), "{argv}");
    }

    #[test]
    fn a_pinned_archive_is_taken_from_the_snapshot_service() {
        let argv = mmdebstrap(&archive(Some("20261101T000000Z"), None), Path::new("/c/base.tar")).to_string();
        assert!(
            argv.contains("'deb http://snapshot.debian.org/archive/debian/20261101T000000Z/ bookworm-updates main'"),
            "{argv}"
        );
        assert!(argv.contains("debian-security/20261101T000000Z/ bookworm-security main'"), "{argv}");
        assert!(argv.contains("Check-Valid-Until"), "{argv}");
    }

    #[test]
    fn another_snapshot_service_is_asked_for_the_moment() {
        let argv = mmdebstrap(&archive(Some("20261101T000000Z"), Some("https://m.example/{snapshot}/debian")), Path::new("/b"));
        assert!(argv.to_string().ends_with("'deb https://m.example/20261101T000000Z/debian bookworm main'"), "{argv}");
    }
}
