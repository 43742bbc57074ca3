//! Dumps whose tree another host has, mounted over ssh: the same paths, and what happens when that host goes away.

use crate::dumps::jobs;
use crate::running::member;
use crate::sandbox::{Sandbox, podman, run};
use crate::topology::until;

const FARM: &str = "wikis:
  wiki: {}
  inner: {private: true}
members:
  snapshot: {count: 2}
  dumpsdata: {share: sshfs}
  dumpsweb: {}
";

#[test]
fn dumps_are_written_through_a_network_file_system() {
    let sandbox = Sandbox::new();
    let set = sandbox.set("share", FARM);
    sandbox.run(&["up", &set]).ok();
    let health = |name: &str| member(&sandbox.status(&set), name)["health"].as_str().expect("text").to_owned();
    let exec = |name: &str, command: &str| sandbox.run(&["exec", &set, name, "sh", "-c", command]);
    let mounted = format!("/srv/dumps is mounted from {set}-dumpsdata");
    for host in ["snapshot1", "snapshot2"] {
        assert_eq!(member(&sandbox.status(&set), host)["detail"], mounted.as_str());
        exec(host, "grep ' /srv/dumps fuse.sshfs ' /proc/mounts").ok();
    }

    let dump = |date: &str| sandbox.run(&["dump", &set, "--date", date, "--format", "json"]);
    let all_done = |date: &str| {
        let ran = dump(date).ok();
        for (wiki, jobs) in jobs(&ran) {
            assert!(jobs.len() == 31 && jobs.values().all(|status| status == "done"), "{wiki}: {jobs:?}");
        }
        assert!(["snapshot1\"", "snapshot2\""].iter().all(|host| ran.stdout.contains(host)), "{ran}");
        let folder = sandbox.at(&format!("data/sets/{set}/shared/dumps/public/wiki/{date}"));
        let files = std::fs::read_dir(&folder).expect("a folder").flatten().map(|entry| entry.file_name().into_string());
        assert!(files.flatten().any(|name| name.ends_with("sha1sums.txt")), "{}: readable here", folder.display());
    };
    all_done("20260101");
    // Links lead to the same files there.
    let latest = "cd /srv/dumps/public/wiki/latest && readlink wiki-latest-sha1sums.txt && cat wiki-latest-sha1sums.txt";
    exec("snapshot2", latest).ok().stdout_has("../20260101/").stdout_has("wiki-20260101-page.sql.gz");
    // What one host writes, the other sees at once, as the same user.
    exec("snapshot1", "su dumpsgen -c 'echo one >/srv/dumps/temp/note'").ok();
    assert_eq!(exec("snapshot2", "cat /srv/dumps/temp/note; stat -c %U /srv/dumps/temp/note").ok().stdout, "one\ndumpsgen\n");
    exec("dumpsdata", "echo two >/srv/dumps/temp/note").ok();
    assert_eq!(exec("snapshot2", "cat /srv/dumps/temp/note").ok().stdout, "two\n");
    // The key gives files, and nothing else.
    let shell = "ssh -i /run/secrets/share-key -p 2022 -o StrictHostKeyChecking=no -o BatchMode=yes dumpsgen@$0 id".to_owned();
    let shell = sandbox.run(&["exec", &set, "snapshot1", "sh", "-c", &shell, &format!("{set}-dumpsdata")]);
    assert!(shell.status != 0 && !shell.stdout.contains("uid="), "{shell}");

    // Hosts do not see each other's locks there, and respect each other all the same; one that has died is no obstacle.
    let held = "/srv/dumps/private/wiki/lock_20260103";
    exec("dumpsdata", &format!("echo {set}-snapshot2 process 7 >{held}; chown dumpsgen {held}")).ok();
    let by_hand = || exec("snapshot1", "dump-wiki wiki --date 20260103 --job pagetable");
    by_hand().status(1).stderr_has(&format!("is being dumped already, by {set}-snapshot2"));
    exec("dumpsdata", &format!("touch -d '1 minute ago' {held}")).ok();
    by_hand().ok();

    // Without the host that stores them, no dump is made, and no file is written where nobody would find it.
    // It goes when its server does: a member that shares nothing does not count as one that runs.
    let server = "for p in /proc/[0-9]*; do ! grep -q 'share/[s]shd_config' $p/cmdline || kill ${p#/proc/}; done";
    exec("dumpsdata", server);
    until("dumpsdata ends", || member(&sandbox.status(&set), "dumpsdata")["state"] == "exited");
    until("a mount that does not answer is told", || health("snapshot1").contains("does not answer"));
    let failed = dump("20260102").status(5);
    assert!(jobs(&failed).values().flat_map(|jobs| jobs.values()).all(|status| status == "failed"), "{failed}");
    sandbox.run(&["up", &set]).ok();
    until("the mount is back", || health("snapshot1") == "ready" && health("snapshot2") == "ready");
    all_done("20260102");

    // A host that was killed mounts it again, and whoever stops leaves nothing mounted.
    podman(&["kill", &format!("{set}-snapshot1")]).ok();
    sandbox.run(&["up", &set]).ok();
    assert_eq!(member(&sandbox.status(&set), "snapshot1")["detail"], mounted.as_str());
    sandbox.run(&["stop", &set]).ok();
    sandbox.run(&["start", &set]).ok();
    assert_eq!(exec("snapshot2", "cat /srv/dumps/temp/note").ok().stdout, "two\n");
    sandbox.run(&["destroy", &set]).ok();
    sandbox.nothing_left();
}

/// Two that start at the same moment, on hosts that do not see each other's locks, again and again; and what a host that died
/// left behind.
const CONTEST: &str = r#"
import multiprocessing, os, sys, time
sys.path.insert(0, sys.argv[1])
from dumps import lock

lock.is_remote = lambda path: True
lock.fcntl.flock = lambda *_: None
# Over sshfs, some of those who come too late are told this instead.
def late(*arguments, **options):
    try:
        return open(*arguments, **options)
    except FileExistsError:
        raise PermissionError(1, "Operation not permitted") if os.getpid() % 2 else FileExistsError
lock.open = late
folder, rounds, hosts = sys.argv[2], 100, 3
start, end, won = multiprocessing.Barrier(hosts), multiprocessing.Barrier(hosts), multiprocessing.Value("i", 0)

def host(number):
    lock.socket.gethostname = lambda: f"host{number}"
    for turn in range(rounds):
        path, held = f"{folder}/lock_{turn}", None
        start.wait()
        try:
            held = lock.Lock(path)
            with won.get_lock():
                won.value += 1
        except lock.Held:
            pass
        end.wait()
        if held:
            held.release()

for turn in range(0, rounds, 2):
    with open(f"{folder}/lock_{turn}", "w") as file:
        file.write("elsewhere process 7\n")
    os.utime(file.name, (0, time.time() - 60))
hosts = [multiprocessing.Process(target=host, args=[number]) for number in range(hosts)]
for one in hosts:
    one.start()
for one in hosts:
    one.join()
print(won.value, os.listdir(folder))
"#;

#[test]
fn a_lock_is_had_by_one_host() {
    let folder = tempfile::tempdir().expect("a folder");
    let code = concat!(env!("CARGO_MANIFEST_DIR"), "/containerfiles/snapshot");
    run("python3", &["-B", "-c", CONTEST, code, &folder.path().display().to_string()]).ok().stdout_has("100 []\n");
}

#[test]
fn only_known_ways_to_share() {
    let sandbox = Sandbox::new();
    let set = sandbox.set("share", "members:\n  dumpsdata: {share: nfs}\n");
    sandbox.run(&["plan", &set]).status(3).stderr_has(":2:").stderr_has("share: \"nfs\"").stderr_has("one of sshfs, volume");
}
