//! Dumps of small wikis: all jobs, published, the same twice; and what goes wrong on the way.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::ran::Ran;
use crate::running::member;
use crate::sandbox::{Sandbox, Working, podman};
use crate::topology::until;

const FARM: &str = "wikis:
  wiki: {pages: 30, lang: he}
  inner: {private: true}
members:
  dbreplica: {}
  snapshot: {count: 2}
  dumpsdata: {}
  dumpsweb: {}
";

/// What a url answers, and with what status.
pub fn get(url: &str) -> (u16, Vec<u8>) {
    let limit = Some(Duration::from_secs(30));
    let agent: ureq::Agent =
        ureq::Agent::config_builder().timeout_global(limit).http_status_as_error(false).proxy(None).build().into();
    let mut answer = agent.get(url).call().unwrap_or_else(|error| panic!("{url}: {error}"));
    (answer.status().as_u16(), answer.body_mut().read_to_vec().expect("a body"))
}

/// The jobs that a dump tells of, with their status, by wiki.
pub fn jobs(ran: &Ran) -> BTreeMap<String, BTreeMap<String, String>> {
    let told: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {}", ran.stdout));
    let mut jobs: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for job in told["jobs"].as_array().expect("a list") {
        let text = |key: &str| job[key].as_str().expect("text").to_owned();
        jobs.entry(text("wiki")).or_default().insert(text("job"), text("status"));
    }
    jobs
}

/// Wikis' revisions kept from being read: a run that has come to where it reads them goes no further until they are let go.
pub struct Held<'a> {
    sandbox: &'a Sandbox,
    set: &'a str,
    holder: Working,
}

impl<'a> Held<'a> {
    pub fn new(sandbox: &'a Sandbox, set: &'a str, wikis: &[&str]) -> Self {
        let tables: Vec<_> = wikis.iter().map(|wiki| format!("{wiki}.revision WRITE")).collect();
        let sql = format!("LOCK TABLES {}; SELECT \"held\";", tables.join(", "));
        let lock = "touch /tmp/hold; (echo \"$0\"; while [ -e /tmp/hold ]; do sleep 0.1; done) | mariadb --unbuffered >&2";
        let mut holder = sandbox.start(&["exec", set, "dbprimary", "sh", "-c", lock, &sql]);
        holder.until("held");
        Self { sandbox, set, holder }
    }

    pub fn let_go(self) {
        self.sandbox.run(&["exec", self.set, "dbprimary", "rm", "/tmp/hold"]).ok();
        self.holder.end().ok();
    }
}

#[test]
fn every_job_is_done_and_what_is_public_is_published() {
    let sandbox = Sandbox::new();
    let set = sandbox.set("dumps", FARM);
    sandbox.run(&["up", &set]).ok();
    let ran = sandbox.run(&["dump", &set, "--date", "20260101", "--format", "json"]).ok();
    let done = jobs(&ran);
    assert_eq!(done.keys().map(String::as_str).collect::<Vec<_>>(), ["inner", "wiki"]);
    for (wiki, jobs) in &done {
        assert!(jobs.len() == 31 && jobs.values().all(|status| status == "done"), "{wiki}: {jobs:?}");
    }
    let hosts = |host: &str| ran.stdout.contains(&format!("{set}-{host}\""));
    assert!(hosts("snapshot1") && hosts("snapshot2"), "both hosts have worked: {}", ran.stdout);

    // On the web server: what the sums say, and nothing of the private wiki.
    let web = sandbox.status(&set)["urls"]["dumpsweb"].as_str().expect("a url").to_owned();
    let (status, index) = get(&web);
    let index = String::from_utf8_lossy(&index).into_owned();
    assert!(status == 200 && index.contains("wiki/") && !index.contains("inner"), "{index}");
    let folder = sandbox.at(&format!("data/sets/{set}/shared/dumps/public/wiki/20260101"));
    let sums = std::fs::read_to_string(folder.join("wiki-20260101-sha1sums.txt")).expect("sums");
    assert_eq!(sums.lines().count(), 34, "{sums}");
    for name in sums.lines().filter_map(|line| line.split_whitespace().nth(1)) {
        let (status, bytes) = get(&format!("{web}wiki/20260101/{name}"));
        assert!(status == 200 && bytes == std::fs::read(folder.join(name)).expect("a file"), "{name}: {status}");
    }
    crate::sandbox::run(
        "sh",
        &[
            "-c",
            &format!(
                "cd '{}' && sha1sum -c --quiet wiki-*-sha1sums.txt && md5sum -c --quiet wiki-*-md5sums.txt",
                folder.display()
            ),
        ],
    )
    .ok();
    for private in
        ["inner/", "inner/20260101/inner-20260101-pages-articles.xml.bz2", "wiki/20260101/dumplog.txt", "wiki/lock_20260101"]
    {
        assert_eq!(get(&format!("{web}{private}")).0, 404, "{private}");
    }
    assert_eq!(get(&format!("{web}wiki/latest/wiki-latest-pages-articles.xml.bz2")).0, 200);

    // The set's page leads there.
    let (_, page) = get(&sandbox.status(&set)["urls"]["wiki"].as_str().expect("a url").replace("wiki/mw/", ""));
    let page = String::from_utf8_lossy(&page).into_owned();
    assert!(page.contains(&format!("href=\"{web}wiki/20260101/\"")) && !page.contains("inner/2026"), "{page}");

    // Every revision is in the history, and a second run has the same bytes.
    let count = sandbox.run(&["exec", &set, "dbreplica1", "mariadb", "-N", "-e", "SELECT COUNT(*) FROM wiki.revision"]).ok();
    let unpacked = |date: &str, name: &str| {
        let file = format!("/srv/dumps/public/wiki/{date}/wiki-{date}-{name}");
        let unpack = if name.ends_with("7z") { format!("7z x -so {file}") } else { format!("bzip2 -dc {file} || zcat {file}") };
        sandbox.run(&["exec", &set, "snapshot1", "sh", "-c", &format!("{unpack} 2>/dev/null")]).ok().stdout
    };
    let logs = unpacked("20260101", "pages-logging.xml.gz");
    assert!(logs.contains("<logitem>") && !logs.contains("<page>"), "logs and nothing else: {logs}");
    let history = unpacked("20260101", "pages-meta-history.xml.bz2");
    assert!(history.matches("<page>").count() > 40, "the pages that were made up are there");
    assert_eq!(history.matches("<revision>").count().to_string(), count.stdout.trim());
    assert!(history == unpacked("20260101", "pages-meta-history.xml.7z"));
    assert!(unpacked("20260101", "pages-articles.xml.bz2") == unpacked("20260101", "pages-articles-multistream.xml.bz2"));
    sandbox
        .run(&["dump", &set, "wiki", "--date", "20260102", "--snapshot", "2", "--job", "metahistorybz2dump,xmlpagelogsdump"])
        .ok()
        .stdout_has("xmlstubsdump");
    assert!(history == unpacked("20260102", "pages-meta-history.xml.bz2"));

    // As production has them: four parts of what the API tells, in both versions of its format; tables without locks.
    for file in ["public/wiki/20260101/wiki", "private/inner/20260101/inner"] {
        for (name, namespace) in [("siteinfo-namespaces", "*"), ("siteinfo2-namespacesv2", "name")] {
            let script = format!("zcat /srv/dumps/{file}-20260101-{name}.json.gz");
            let told = sandbox.run(&["exec", &set, "snapshot1", "sh", "-c", &script]).ok().stdout;
            let told: serde_json::Value = serde_json::from_str(&told).expect("JSON");
            let parts: Vec<_> = told["query"].as_object().expect("a map").keys().map(String::as_str).collect();
            assert_eq!(parts, ["general", "magicwords", "namespacealiases", "namespaces"], "{file} {name}");
            assert!(
                told["query"]["namespaces"]["1"][namespace].is_string() && told["warnings"].is_null(),
                "{file} {name}: {told}"
            );
        }
    }
    let table = unpacked("20260101", "page.sql.gz");
    assert!(table.contains("INSERT INTO") && !table.contains("LOCK TABLES"), "{table}");

    // Of a wiki that was public once, nothing stays published, and nothing is lost.
    let exec = |host: &str, script: &str| sandbox.run(&["exec", &set, host, "sh", "-c", script]);
    let publish = "cd /srv/dumps/public; mkdir -p inner/20250101 inner/latest; echo old >inner/20250101/old; \
                   ln -s ../20250101/old inner/latest; chown -R dumpsgen inner; touch /srv/dumps/temp/publish/now";
    exec("dumpsdata", publish).ok();
    until("what was public is published", || get(&format!("{web}inner/20250101/old")).0 == 200);
    sandbox.run(&["dump", &set, "inner", "--date", "20260103", "--job", "pagetable"]).ok();
    assert_eq!(get(&format!("{web}inner/")).0, 404);
    exec("snapshot1", "cd /srv/dumps && cat private/inner/latest/old && ls public").ok().stdout_has("old\nwiki\n");

    // Without what receives them, the web server is not ready, and that nothing was published is told.
    exec("dumpsweb", "kill $(cat /run/rsyncd.pid)").ok();
    until("the web server ends", || member(&sandbox.status(&set), "dumpsweb")["state"] == "exited");
    let failed = sandbox.run(&["dump", &set, "wiki", "--date", "20260103", "--job", "pagetable", "--format", "json"]).status(5);
    assert!(jobs(&failed)["wiki"]["pagetable"] == "done" && jobs(&failed)["wiki"]["publish"] == "failed", "{failed}");
    assert!(failed.stdout.contains("the web server has not got the dumps (rsync: "), "{failed}");
    sandbox.run(&["destroy", &set]).ok();
    sandbox.nothing_left();
}

#[test]
fn a_run_that_failed_says_why_and_goes_on() {
    let sandbox = Sandbox::new();
    let set = sandbox.set("mend", "wikis:\n  wiki: {}\n");
    sandbox.run(&["up", &set]).ok();
    let dump = |jobs: &str| sandbox.run(&["dump", &set, "--date", "20260101", "--job", jobs, "--format", "json"]);
    sandbox.run(&["dump", &set, "nowiki"]).status(2).stderr_has("its wikis: wiki");
    sandbox.run(&["dump", &set, "--snapshot", "7"]).status(1).stderr_has("number 7");
    dump("pagetable").ok();

    // The web server is gone: the job that asks it fails, with the reason.
    podman(&["stop", "--time", "1", &format!("{set}-mw")]);
    let failed = dump("namespaces,pagetable").status(5);
    assert_eq!(jobs(&failed)["wiki"]["namespaces"], "failed");
    assert_eq!(jobs(&failed)["wiki"]["pagetable"], "done");
    assert!(failed.stdout.contains("curl ended with"), "{}", failed.stdout);
    // So does one that reads a database that is gone.
    podman(&["kill", &format!("{set}-dbprimary")]);
    let failed = dump("sitestatstable").status(5);
    assert!(failed.stdout.contains("mariadb-dump ended with") && failed.stdout.contains("connect"), "{}", failed.stdout);

    // A lock file of a run that was killed is not in the way; a lock that is held is.
    sandbox.run(&["up", &set]).ok();
    sandbox.run(&["exec", &set, "snapshot1", "sh", "-c", "echo 'some host process 1' >/srv/dumps/private/wiki/lock_20260101; chown dumpsgen /srv/dumps/private/wiki/lock_20260101"]).ok();
    dump("namespaces,sitestatstable").ok();
    let lock = "touch /srv/dumps/private/wiki/lock_20260103; chmod 666 /srv/dumps/private/wiki/lock_20260103; flock /srv/dumps/private/wiki/lock_20260103 sh -c 'echo held >&2; exec sleep 600'";
    let mut holder = sandbox.start(&["exec", &set, "snapshot1", "sh", "-c", lock]);
    holder.until("held");
    let refused = sandbox.run(&["dump", &set, "--date", "20260103", "--job", "pagetable"]).status(5);
    assert!(refused.stdout.contains("is being dumped already"), "{}", refused.stdout);
    sandbox.run(&["destroy", &set]).ok();
    holder.end();
    sandbox.nothing_left();
}

#[test]
fn a_host_that_dies_and_a_set_that_goes_in_the_middle_of_a_dump() {
    let sandbox = Sandbox::new();
    let set = sandbox.set("dies", "wikis:\n  wiki: {}\n");
    sandbox.run(&["up", &set]).ok();
    let dump = ["dump", &set, "--date", "20260101", "--format", "json"];
    let held = Held::new(&sandbox, &set, &["wiki"]);
    let mut running = sandbox.start(&dump);
    running.until("pagetable done");
    podman(&["kill", &format!("{set}-snapshot1")]);
    held.let_go();
    let ended = running.end().status(5);
    let told = jobs(&ended);
    assert!(told["wiki"]["pagetable"] == "done" && told["wiki"]["metahistory7zdump"] == "failed", "{told:?}");
    assert!(ended.stdout.contains("the run ended before"), "{}", ended.stdout);

    // The next run does what is left.
    sandbox.run(&["up", &set]).ok();
    let ended = sandbox.run(&dump).ok();
    let told = jobs(&ended);
    assert!(!told["wiki"].contains_key("pagetable") && told["wiki"]["metahistory7zdump"] == "done", "{told:?}");
    let folder = sandbox.at(&format!("data/sets/{set}/shared/dumps/public/wiki/20260101"));
    let sums = std::fs::read_to_string(folder.join("wiki-20260101-md5sums.txt")).expect("sums");
    assert_eq!(sums.lines().count(), 34, "{sums}");

    let _held = Held::new(&sandbox, &set, &["wiki"]);
    let mut running = sandbox.start(&["dump", &set, "--date", "20260102"]);
    running.until("pagetable done");
    sandbox.run(&["destroy", &set]).ok();
    running.end().status(5);
    sandbox.nothing_left();
}

#[test]
fn a_wiki_made_anew_has_the_same_pages() {
    let sandbox = Sandbox::new();
    let seeds = sandbox.private_seeds().join("seeds");
    let set = sandbox.set("anew", "wikis:\n  wiki: {lang: he}\n");
    let dumped = || {
        sandbox.run(&["up", &set]).ok();
        sandbox.run(&["dump", &set, "--date", "20260101", "--job", "metahistorybz2dump"]).ok();
        let folder = sandbox.at(&format!("data/sets/{set}/shared/dumps/public/wiki/20260101"));
        let history = std::fs::read(folder.join("wiki-20260101-pages-meta-history.xml.bz2")).expect("a dump");
        sandbox.run(&["destroy", &set]).ok();
        history
    };
    let first = dumped();
    podman(&["unshare", "rm", "-rf", &seeds.display().to_string()]);
    assert!(first == dumped(), "the seed is another one, its pages are the same");
}
