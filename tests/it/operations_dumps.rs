//! Dumps made by operations-dumps: by the real code where PODFARM_OPERATIONS_DUMPS names a checkout of it, and otherwise by
//! something small that takes the same options, reads the same configuration and keeps the same record of its jobs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use crate::dumps::Held;
use crate::luck::Small;
use crate::ran::Ran;
use crate::sandbox::{Sandbox, podman, run};

/// The variable that names a checkout of the real code.
const REAL: &str = "PODFARM_OPERATIONS_DUMPS";

fn real() -> Option<PathBuf> {
    std::env::var_os(REAL).map(PathBuf::from)
}

/// How many jobs there are.
fn jobs() -> usize {
    if real().is_some() { 31 } else { 5 }
}

/// A copy of the code that the test may change.
pub fn code(sandbox: &Sandbox) -> PathBuf {
    let from = real().unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/data/operations-dumps"));
    let folder = sandbox.at("operations-dumps");
    std::fs::create_dir(&folder).expect("a folder");
    let part = from.join("xmldumps-backup");
    run("cp", &["--recursive", "--", &part.display().to_string(), &folder.display().to_string()]).ok();
    run("chmod", &["-R", "u+w,go+rX", &folder.display().to_string()]).ok();
    folder
}

/// What a dump says became of each job: done, or why it failed; by wiki.
fn told(ran: &Ran) -> BTreeMap<String, BTreeMap<String, String>> {
    let told: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran}"));
    let mut jobs: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for job in told["jobs"].as_array().expect("a list") {
        let text = |key: &str| job[key].as_str().unwrap_or_default().to_owned();
        let became = if job["status"] == "done" { "done".to_owned() } else { text("why") };
        jobs.entry(text("wiki")).or_default().insert(text("job"), became);
    }
    jobs
}

struct Dumps<'a> {
    sandbox: &'a Sandbox,
    set: String,
}

impl Dumps<'_> {
    fn dump(&self, options: &[&str]) -> Ran {
        self.sandbox.run(&[&["dump", &self.set, "--date", "20260101", "--format", "json"], options].concat())
    }

    /// Runs a command on a snapshot host, as root.
    fn shell(&self, script: &str) -> Ran {
        self.sandbox.run(&["exec", &self.set, "snapshot1", "sh", "-c", script])
    }

    fn at(&self, path: &str) -> PathBuf {
        self.sandbox.at(&format!("data/sets/{}/{path}", self.set))
    }

    /// Starts something on a snapshot host that goes on until the set ends.
    fn start(&self, script: &str) -> Child {
        let mut command = self.sandbox.command(&["exec", &self.set, "snapshot1", "sh", "-c", script]);
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("podfarm starts")
    }
}

#[test]
fn the_code_of_the_set_makes_the_dumps() {
    let sandbox = Sandbox::new();
    let code = code(&sandbox);
    let farm = "wikis:\n  wiki: {pages: 20, lang: he}\n  inner: {private: true}\nmembers:\n  snapshot: {count: 2}\n  dumpsdata: {}\n  dumpsweb: {}\n";
    let set = sandbox.set("code", &format!("sources:\n  dumps: {{path: {}}}\n{farm}", code.display()));
    sandbox.run(&["up", &set]).ok();
    let dumps = Dumps { sandbox: &sandbox, set: set.clone() };
    dumps.shell("cat /etc/motd").ok().stdout_has("worker.py --configfile /srv/farm/dumps/wikidump.conf");

    let ran = dumps.dump(&[]).ok();
    let done = told(&ran);
    assert_eq!(done.keys().collect::<Vec<_>>(), ["inner", "wiki"]);
    for (wiki, became) in &done {
        assert!(became.len() == jobs() && became.values().all(|became| became == "done"), "{wiki}: {became:?}");
        let folder = dumps.at(&format!("shared/dumps/{}/{wiki}", if wiki == "inner" { "private" } else { "public" }));
        let info = std::fs::read_to_string(folder.join("20260101/dumpruninfo.json")).expect("a file");
        let info: serde_json::Value = serde_json::from_str(&info).expect("JSON");
        let jobs = info["jobs"].as_object().expect("a map");
        assert!(jobs.len() == became.len() && jobs.values().all(|job| job["status"] == "done"), "{info}");
    }
    let hosts = |host: &str| ran.stdout.contains(&format!("{set}-{host}\""));
    assert!(hosts("snapshot1") && hosts("snapshot2"), "both hosts have worked: {}", ran.stdout);
    dumps.shell("ls /srv/dumps/private/*/lock_*").status(2);

    // What is public is on the web server, and nothing else.
    let published = dumps.at("dumpsweb/public");
    assert!(published.join("wiki/20260101/wiki-20260101-page.sql.gz").exists() && !published.join("inner").exists());

    // A second run has the same bytes, where no day or time is in them.
    sandbox.run(&["dump", &set, "wiki", "--date", "20260102", "--format", "json"]).ok();
    let folder = dumps.at("shared/dumps/public/wiki");
    let mut same = 0;
    for entry in std::fs::read_dir(folder.join("20260101")).expect("a folder").flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if [".sql.gz", ".xml.gz", ".xml.bz2", ".txt.bz2"].iter().any(|end| name.ends_with(end)) {
            let again = folder.join("20260102").join(name.replacen("20260101", "20260102", 1));
            assert!(std::fs::read(entry.path()).expect("a file") == std::fs::read(again).expect("a file"), "{name}");
            same += 1;
        }
    }
    assert!(same > jobs() / 2, "{same} files");

    // The code is live: an edited file counts for the next run.
    let worker = code.join("xmldumps-backup/worker.py");
    let text = std::fs::read_to_string(&worker).expect("a file");
    let edited = text.replacen("import getopt\n", "import getopt\nprint('this was edited')\n", 1);
    assert_ne!(text, edited);
    std::fs::write(&worker, edited).expect("a file");
    dumps.dump(&["wiki", "--job", "pagetable"]).ok();
    let said = dumps.at("shared/dumps/private/wiki/20260101/output.txt");
    assert!(std::fs::read_to_string(said).expect("a file").contains("this was edited"));
    sandbox.run(&["destroy", &set]).ok();
    sandbox.nothing_left();
}

#[test]
fn what_goes_wrong_is_told_and_mended_by_the_next_run() {
    let sandbox = Sandbox::new();
    let set = sandbox.set("wrong", &format!("dumps: {{source: {}}}\nwikis:\n  wiki: {{}}\n", code(&sandbox).display()));
    sandbox.run(&["up", &set]).ok();
    let dumps = Dumps { sandbox: &sandbox, set: set.clone() };

    // No web server, no such job.
    podman(&["stop", "--time", "1", &format!("{set}-mw")]);
    let became = told(&dumps.dump(&["--job", "namespaces,pagetable,bogus"]).status(5)).remove("wiki").expect("a wiki");
    assert!(became["namespaces"].contains("curl") && became["pagetable"] == "done", "{became:?}");
    assert!(became["bogus"].starts_with("there is no such job; there are "), "{became:?}");
    sandbox.run(&["up", &set]).ok();

    // A wiki in the list that is not in the farm.
    let list = dumps.at("farm/dumps/all.dblist");
    std::fs::write(&list, std::fs::read_to_string(&list).expect("a list") + "ghostwiki\n").expect("a list");
    sandbox.run(&["dump", &set, "ghostwiki"]).status(2).stderr_has("has no wiki ghostwiki");
    let worker = "su dumpsgen -c 'python3 /srv/operations-dumps/xmldumps-backup/worker.py --configfile /srv/farm/dumps/wikidump.conf --date 20260101 ghostwiki' 2>&1";
    let by_hand = dumps.shell(worker);
    assert!(by_hand.status != 0 && by_hand.stdout.contains("There is no wiki \"ghostwiki\" in this farm"), "{by_hand}");
    dumps.shell("rm -rf /srv/dumps/*/ghostwiki").ok();

    // The database is gone: nothing can be done.
    podman(&["kill", &format!("{set}-dbprimary")]);
    let failed = dumps.dump(&["--job", "pagetable"]).status(5);
    assert!(told(&failed)["wiki"]["pagetable"].contains("mariadb"), "{failed}");
    sandbox.run(&["up", &set]).ok();
    dumps.dump(&["--job", "pagetable"]).ok();

    // What is left is done by the next run, and what is done is left alone.
    let became = told(&dumps.dump(&[]).ok()).remove("wiki").expect("a wiki");
    assert!(became.len() == jobs() - 1 && !became.contains_key("pagetable"), "{became:?}");
    let became = told(&dumps.dump(&[]).ok()).remove("wiki").expect("a wiki");
    assert_eq!(became.len(), jobs(), "a run that is done is made anew");

    // The web server answers with an error of its own, which worker.py takes for the API's answer.
    podman(&["stop", "--time", "1", &format!("{set}-php")]);
    let became = told(&dumps.dump(&["--job", "namespaces"]).status(5)).remove("wiki").expect("a wiki");
    assert!(became["namespaces"].starts_with("the API's answer is no JSON: 503"), "{became:?}");
    sandbox.run(&["destroy", &set]).ok();
    sandbox.nothing_left();
}

#[test]
fn a_full_disk() {
    let sandbox = Sandbox::new();
    let farm = format!("dumps: {{source: {}}}\nwikis:\n  wiki: {{pages: 30}}\n", code(&sandbox).display());
    let set = sandbox.set("nospace", &farm);
    sandbox.run(&["create", &set]).ok();
    let small = Small::mount(&sandbox.at(&format!("data/sets/{set}/shared/dumps")), "10m");
    sandbox.run(&["start", &set]).ok();
    let dumps = Dumps { sandbox: &sandbox, set: set.clone() };
    dumps.shell("printf '[misc]\nmaxRetries=1\n' >/srv/dumps/.wikidump.conf").ok(); // it would take minutes
    dumps.dump(&["--job", "pagetable"]).ok();
    let fill = "cd /srv/dumps; dd if=/dev/zero of=fill bs=4k 2>/dev/null; truncate --size=-16k fill";
    dumps.shell(fill).ok();
    let full = dumps.dump(&[]).status(5);
    let became = told(&full).remove("wiki").expect("a wiki");
    assert!(became.len() > 1 && became["articlesmultistreamdump"] != "done", "{full}");
    assert!(full.stdout.contains("No space left on device"), "{full}");

    // With room, what was not done is.
    dumps.shell("rm /srv/dumps/fill").ok();
    let mended = told(&dumps.dump(&[]).ok()).remove("wiki").expect("a wiki");
    assert!(!mended.contains_key("pagetable") && mended["articlesmultistreamdump"] == "done", "{mended:?}");
    dumps.shell("cd /srv/dumps/public/wiki/20260101 && bzip2 -t *.bz2 && gzip -t *.gz").ok();
    sandbox.run(&["stop", &set]).ok();
    drop(small);
    sandbox.run(&["destroy", &set]).ok();
    sandbox.nothing_left();
}

#[test]
fn locks_count_as_long_as_somebody_touches_them() {
    let sandbox = Sandbox::new();
    let set = sandbox.set("locks", &format!("dumps: {{source: {{path: {}}}}}\nwikis:\n  wiki: {{}}\n", code(&sandbox).display()));
    sandbox.run(&["up", &set]).ok();
    let dumps = Dumps { sandbox: &sandbox, set: set.clone() };
    let lock = "/srv/dumps/private/wiki/lock_20260101";
    let table = ["--job", "pagetable"];
    dumps.shell(&format!("mkdir -m 777 /srv/dumps/private/wiki; printf '%s 99999' $(hostname -f) >{lock}")).ok();
    dumps.dump(&table).ok();
    dumps.shell(&format!("printf 'elsewhere 1' >{lock}; touch -d '1 minute ago' {lock}")).ok();
    dumps.dump(&table).ok();
    let mut holder = dumps.start(&format!("printf 'elsewhere 1' >{lock}; while sleep 1; do touch {lock}; done"));
    while !dumps.at("shared/dumps/private/wiki/lock_20260101").exists() {
        assert!(holder.try_wait().expect("it is ours").is_none(), "whoever holds the lock has ended");
        std::thread::yield_now();
    }
    let refused = dumps.dump(&table).status(5);
    assert!(refused.stdout.contains("wiki 20260101 is being dumped already, by elsewhere process 1"), "{refused}");

    // The host is killed in the middle of a run, and so is whoever holds its lock.
    podman(&["kill", &format!("{set}-snapshot1")]);
    let _ = holder.wait();
    sandbox.run(&["up", &set]).ok();
    let held = Held::new(&sandbox, &set, &["wiki"]);
    let mut running = sandbox.start(&["dump", &set, "--date", "20260102", "--format", "json"]);
    running.until("pagetable done");
    podman(&["kill", &format!("{set}-snapshot1")]);
    held.let_go();
    let ended = running.end().status(5);
    assert!(told(&ended)["wiki"]["articlesmultistreamdump"].starts_with("the run ended before"), "{ended}");
    sandbox.run(&["up", &set]).ok();
    let ended = sandbox.run(&["dump", &set, "--date", "20260102", "--format", "json"]).ok();
    let became = &told(&ended)["wiki"];
    assert!(!became.contains_key("pagetable") && became["articlesmultistreamdump"] == "done", "{became:?}");

    // The set is destroyed in the middle of a run.
    let _held = Held::new(&sandbox, &set, &["wiki"]);
    let mut running = sandbox.start(&["dump", &set, "--date", "20260103"]);
    running.until("pagetable done");
    sandbox.run(&["destroy", &set]).ok();
    running.end().status(5);
    sandbox.nothing_left();
}
