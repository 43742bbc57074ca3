//! What people do to dumps by hand.

use crate::dumps::jobs;
use crate::sandbox::Sandbox;

#[test]
fn a_job_whose_file_was_removed_is_not_done_and_no_web_server_is_needed() {
    let sandbox = Sandbox::new();
    let set = sandbox.set("removed", "wikis:\n  wiki: {}\nmembers:\n  mw: {count: 0}\n  php: {count: 0}\n");
    sandbox.run(&["up", &set]).ok();
    let dump = |options: &[&str]| {
        let ran = sandbox.run(&[&["dump", &set, "--date", "20260101", "--format", "json"], options].concat()).ok();
        jobs(&ran).remove("wiki").expect("a wiki")
    };
    let read = |name: &str| {
        let folder = sandbox.at(&format!("data/sets/{set}/shared/dumps/public/wiki/20260101"));
        std::fs::read_to_string(folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    };
    let sums = || read("wiki-20260101-md5sums.txt").lines().count();
    assert_eq!((dump(&[]).len(), sums()), (31, 34));

    let file = "/srv/dumps/public/wiki/20260101/wiki-20260101-pages-meta-history.xml.7z";
    sandbox.run(&["exec", &set, "snapshot1", "rm", file]).ok();
    assert_eq!(dump(&["--job", "pagetable"]).into_keys().collect::<Vec<_>>(), ["pagetable"]);
    assert_eq!(sums(), 33);
    for status in ["dumpruninfo.json", "dumpruninfo.txt", "dumpstatus.json"] {
        let status = read(status);
        assert!(status.contains("metahistorybz2dump") && !status.contains("metahistory7zdump"), "{status}");
    }
    assert_eq!(dump(&[]).into_keys().collect::<Vec<_>>(), ["metahistory7zdump"]);
    assert_eq!(sums(), 34);
    sandbox.run(&["destroy", &set]).ok();
    sandbox.nothing_left();
}
