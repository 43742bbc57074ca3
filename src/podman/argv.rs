//! podman's command lines, as pure functions.

use std::time::SystemTime;

use crate::process::{Argv, PARENT};

/// `podman`, to be continued with a verb.
pub fn podman() -> Argv {
    Argv::new("podman")
}

pub fn ps() -> Argv {
    podman().args(["ps", "--all", "--format", "json"])
}

pub fn pods() -> Argv {
    podman().args(["pod", "ps", "--format", "json"])
}

/// podfarm's own images. podman adds up the size of each one it lists, so that asking for all would take long where there are many.
pub fn images() -> Argv {
    podman().args(["images", "--filter", "reference=localhost/podfarm/*", "--format", "json"])
}

pub fn networks() -> Argv {
    podman().args(["network", "ls", "--format", "json"])
}

pub fn secrets() -> Argv {
    podman().args(["secret", "ls", "--format", "{{.Name}}"])
}

pub fn info() -> Argv {
    podman().args(["info", "--format", "json"])
}

/// The set's network. Names are answered by the hosts file that every member has, so podman's DNS server,
/// which has died in the field after network changes, is not needed. Isolated networks do not reach each other,
/// for the time being: [`keep_apart`].
pub fn network_create(name: &str, subnet: &str, labels: &[(String, String)]) -> Argv {
    podman()
        .args(["network", "create", "--disable-dns", "--opt", "isolate=true", "--subnet", subnet])
        .args(label_options(labels))
        .arg(name)
}

/// Keeps sets apart that have addresses of a range, as long as any member runs: what comes from one is not led into another.
///
/// netavark's rules for isolated networks do not last where it works with iptables, as in Debian 12 and Ubuntu 24.04: whenever
/// one of these networks goes, the jump to the rules of all of them goes too, until a container is started.
pub fn keep_apart(range: &str) -> Argv {
    podman().args(["unshare", "--rootless-netns", "sh", "-c", KEEP_APART, "sh", range])
}

/// This host's own programs, which publish ports, have addresses of the range too. The rules go with the namespace, thus with the
/// last container in it; they may be there already.
const KEEP_APART: &str = "for rule in 'priority 100 iif lo lookup main' \"priority 101 from $1 to $1 prohibit\"; do \
    said=$(ip rule add $rule 2>&1) || case $said in *'File exists'*) ;; *) echo \"$said\" >&2; exit 1 ;; esac; done";

pub fn network_remove(names: &[String]) -> Argv {
    podman().args(["network", "rm", "--"]).args(names.to_vec())
}

/// The set's pod. Its members share nothing, so it needs no infrastructure container, which would cost a start and a stop.
pub fn pod_create(name: &str, labels: &[(String, String)]) -> Argv {
    podman().args(["pod", "create", "--infra=false", "--name", name]).args(label_options(labels))
}

/// Kills several containers, all before the first is waited for.
pub fn kill(names: &[String]) -> Argv {
    podman().args(["kill", "--"]).args(names.to_vec())
}

/// Kills and removes all containers of a pod and the pod, as [`remove`] does.
pub fn pod_remove(names: &[String]) -> Argv {
    podman().args(["pod", "rm", "--force", "--time", "0", "--"]).args(names.to_vec())
}

/// A secret that is read from standard input.
pub fn secret_create(name: &str) -> Argv {
    podman().args(["secret", "create", name, "-"])
}

pub fn secret_remove(names: &[String]) -> Argv {
    podman().args(["secret", "rm", "--"]).args(names.to_vec())
}

pub fn start(names: &[String]) -> Argv {
    podman().args(["start", "--"]).args(names.to_vec())
}

/// Stops several containers at the same time, each within its own grace period.
pub fn stop(names: &[String]) -> Argv {
    podman().args(["stop", "--"]).args(names.to_vec())
}

/// Kills and removes several containers: their data is not wanted any more, or lies outside of them.
pub fn remove(names: &[String]) -> Argv {
    podman().args(["rm", "--force", "--time", "0", "--volumes", "--"]).args(names.to_vec())
}

/// Removes a folder in which files may belong to the user's subordinate ids.
pub fn remove_tree(path: &str) -> Argv {
    podman().args(["unshare", "rm", "-rf", "--", path])
}

pub fn label_options(labels: &[(String, String)]) -> impl Iterator<Item = String> + '_ {
    labels.iter().flat_map(|(key, value)| ["--label".to_owned(), format!("{key}={value}")])
}

pub fn image_remove(tags: &[String]) -> Argv {
    podman().args(["rmi", "--"]).args(tags.to_vec())
}

/// The last lines of what a container's main process said, both its streams on one.
pub fn logs(name: &str, lines: usize) -> Argv {
    let logs = podman().args(["logs", "--tail", &lines.to_string(), "--", name]);
    Argv::new("sh").args(["-c", ON_ONE_STREAM, "sh"]).args(logs.words().to_vec())
}

/// What a container's main process says from now on, or since a moment before it was started: podman 4.3, where it has logs in
/// the journal, stops at once for a later one. It ends with the podfarm that asks, however that ends.
pub fn logs_follow(name: &str, since: Option<SystemTime>) -> Argv {
    let since = since.map(|since| since.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default());
    let since = since.map(|since| format!("--since={}.{:09}", since.as_secs(), since.subsec_nanos()));
    let from = since.unwrap_or_else(|| "--tail=0".to_owned());
    // A parent that ended before setpriv began sends no signal any more.
    let as_its_child = format!("[ \"$PPID\" = \"${PARENT}\" ] && {ON_ONE_STREAM}");
    Argv::new("setpriv")
        .args(["--pdeathsig", "TERM", "--", "sh", "-c", &as_its_child, "sh"])
        .args(podman().args(["logs", "--follow", &from, "--", name]).words().to_vec())
}

/// podman gives what a container said on its stderr back on its own: what has a shell put both together.
const ON_ONE_STREAM: &str = "exec \"$@\" 2>&1";

/// A command in a container; on a terminal, with one inside as well.
pub fn exec(name: &str, user: Option<&str>, terminal: bool, command: &[String]) -> Argv {
    let user = user.map(|user| ["--user".to_owned(), user.to_owned()]);
    let terminal = if terminal { "--interactive --tty" } else { "--interactive" };
    podman().arg("exec").args(terminal.split(' ')).args(user.into_iter().flatten()).arg(name).args(command.to_vec())
}

/// Copies a file or folder between the host and a container, written `container:path`.
pub fn copy(from: &str, to: &str) -> Argv {
    podman().args(["cp", "--", from, to])
}
