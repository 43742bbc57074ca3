//! A set that runs: getting at it, changing it, taking it back; and what must not be seen of it.

use std::time::Duration;

use crate::ran::Ran;
use crate::sandbox::{SMALL, Sandbox, TINY, listed, podman, run};

/// GET or POST, with the status that came of it.
pub fn http(url: &str, form: Option<&[(&str, &str)]>) -> (u16, String) {
    let limit = Some(Duration::from_secs(60));
    let agent: ureq::Agent =
        ureq::Agent::config_builder().timeout_global(limit).http_status_as_error(false).proxy(None).build().into();
    let answer = match form {
        None => agent.get(url).call(),
        Some(form) => agent.post(url).send_form(form.iter().copied()),
    };
    let mut answer = answer.unwrap_or_else(|error| panic!("{url}: {error}"));
    (answer.status().as_u16(), answer.body_mut().read_to_string().expect("text"))
}

/// The url of a set's wiki, without the slash at its end.
pub fn wiki(status: &serde_json::Value) -> String {
    status["urls"]["wiki"].as_str().expect("a url").trim_end_matches('/').to_owned()
}

pub fn member<'a>(status: &'a serde_json::Value, name: &str) -> &'a serde_json::Value {
    let members = status["members"].as_array().expect("a list");
    members.iter().find(|member| member["name"] == name).unwrap_or_else(|| panic!("no {name} in {status}"))
}

const MEMBERS: [&str; 4] = ["dbprimary", "mw", "php", "snapshot1"];

#[test]
fn edits_are_undone() {
    let sandbox = Sandbox::new();
    let set = sandbox.set("edits", SMALL);
    let up = sandbox.run(&["up", &set]).ok();
    let url = wiki(&sandbox.status(&set));
    assert_eq!(up.stdout.trim(), format!("{url}/"));
    let (status, page) = http(&format!("{url}/"), None);
    assert!(status == 200 && page.contains("mw-content-text"), "{status} {page}");

    let raw = format!("{url}/index.php?title=Podfarm_test&action=raw");
    let edit = || {
        let form = [("action", "edit"), ("title", "Podfarm test"), ("text", "Edited"), ("token", "+\\"), ("format", "json")];
        let (_, answer) = http(&format!("{url}/api.php"), Some(&form));
        assert!(answer.contains("\"result\":\"Success\""), "{answer}");
        assert_eq!(http(&raw, None), (200, "Edited".to_owned()));
    };
    edit();
    // `stop` and `start` keep it, and the same addresses.
    sandbox.run(&["stop", &set]).ok();
    sandbox.run(&["start", &set]).ok();
    assert_eq!(http(&raw, None), (200, "Edited".to_owned()));
    sandbox.run(&["reset", &set]).ok();
    assert_eq!(http(&raw, None).0, 404);
    assert_eq!(wiki(&sandbox.status(&set)), url);
    edit();
    sandbox.run(&["destroy", &set]).ok();
    sandbox.nothing_left();
    sandbox.run(&["create", &set]).ok();
    assert_eq!(sandbox.status(&set)["state"], "created");
    sandbox.run(&["start", &set]).ok();
    let raw = format!("{}/index.php?title=Podfarm_test&action=raw", wiki(&sandbox.status(&set)));
    assert_eq!(http(&raw, None).0, 404);
    // A set that only exists is reset without being started.
    sandbox.run(&["stop", &set]).ok();
    sandbox.run(&["reset", &set]).ok();
    assert_eq!(sandbox.status(&set)["state"], "created");
}

#[test]
fn a_set_stops_cleanly_and_all_at_once() {
    let sandbox = Sandbox::new();
    let set = sandbox.set("stop", SMALL);
    sandbox.run(&["up", &set]).ok();
    // A page, so that nothing is idle by chance.
    http(&wiki(&sandbox.status(&set)), None);
    let watched = sandbox.watch_podman();
    sandbox.run(&["stop", &set]).ok();
    let stops: Vec<_> = watched.take().into_iter().filter(|call| call.starts_with("stop ")).collect();
    assert_eq!(stops.len(), 1, "one podman stops all, and all have one grace period: {stops:#?}");
    assert!(MEMBERS.iter().all(|name| stops[0].contains(&format!("{set}-{name}"))), "{stops:#?}");
    for name in MEMBERS {
        let ended = podman(&["inspect", "--format", "{{.State.ExitCode}}", &format!("{set}-{name}")]).ok();
        assert_ne!(ended.stdout.trim(), "137", "{name} had to be killed");
    }
    let log = std::fs::read_to_string(sandbox.at(&format!("data/sets/{set}/dbprimary/log/error.log"))).expect("a log");
    let after = log.rsplit("ready for connections").next().unwrap_or_default();
    assert!(after.contains("Normal shutdown") && after.contains("Shutdown complete"), "{log}");

    let status = sandbox.status(&set);
    assert_eq!((&status["state"], &member(&status, "mw")["health"]), (&"stopped".into(), &"not running".into()));
    // What has ended is no place to work in.
    sandbox.run(&["exec", &set, "mw", "true"]).status(1).stderr_has("not running").stderr_has(&format!("podfarm start {set}"));
    sandbox.run(&["stop", &set]).ok();
    sandbox.run(&["destroy", &set]).ok();
    sandbox.run(&["destroy", &set]).ok();
    sandbox.run(&["start", &set]).status(1).stderr_has("was not created").stderr_has(&format!("podfarm create {set}"));
    sandbox.run(&["reset", &set]).status(1).stderr_has("does not exist");
}

#[test]
fn members_can_be_reached() {
    let sandbox = Sandbox::new();
    let set = sandbox.set("reach", SMALL);
    sandbox.run(&["up", &set]).ok();
    commands_end_as_inside(&sandbox, &set);
    files_go_in_and_out(&sandbox, &set);
    ssh_asks_nothing(&sandbox, &set);
    logs_are_in_reach(&sandbox, &set);
    names_that_are_wrong_are_refused(&sandbox, &set);
}

fn commands_end_as_inside(sandbox: &Sandbox, set: &str) {
    sandbox.run(&["exec", set, "mw", "sh", "-c", "exit 42"]).status(42);
    let echo = sandbox.run(&["exec", set, "mw", "--", "printf", "%s|", "a b", "$HOME", "--help"]).ok();
    assert_eq!(echo.stdout.trim_end(), "a b|$HOME|--help|");
    let who = sandbox.run(&["exec", "--user", "www-data", set, "php", "id", "-un"]).ok();
    assert_eq!(who.stdout.trim(), "www-data");
    assert_ne!(sandbox.run(&["exec", set, "mw", "no-such-command"]).status, 0);
    let shell = sandbox.run_with_input(&["shell", set], "hostname; exit 7\n").status(7);
    assert_eq!(shell.stdout.trim(), format!("{set}-snapshot1"));
    let shell = sandbox.run_with_input(&["shell", set, "dbprimary"], "hostname --fqdn\n").ok();
    assert_eq!(shell.stdout.trim(), format!("{set}-dbprimary.{set}.lan"));
    let input = sandbox.run_with_input(&["exec", set, "mw", "cat"], "through a pipe\n").ok();
    assert_eq!(input.stdout, "through a pipe\n");
}

fn files_go_in_and_out(sandbox: &Sandbox, set: &str) {
    sandbox.write("in/file", "content\n");
    sandbox.run(&["cp", set, "in/file", "snapshot1:/srv/dumps/file"]).ok();
    sandbox.run(&["cp", set, "snapshot1:/srv/dumps/file", "out"]).ok();
    assert_eq!(std::fs::read_to_string(sandbox.at("out")).expect("a file"), "content\n");
    sandbox.run(&["cp", set, "in", "mw:/tmp/"]).ok();
    sandbox.run(&["exec", set, "mw", "cat", "/tmp/in/file"]).ok().stdout_has("content");
    sandbox.run(&["cp", set, "in/.", "mw:/tmp/"]).ok();
    sandbox.run(&["exec", set, "mw", "cat", "/tmp/file"]).ok().stdout_has("content");
    sandbox.run(&["cp", set, "mw:/tmp/in/.", "."]).ok();
    assert!(sandbox.at("file").exists());
    sandbox.write("a:b", "");
    sandbox.run(&["cp", set, "./a:b", "mw:/tmp/"]).ok();
    for empty in ["mw:", ""] {
        sandbox.run(&["cp", set, "in/file", empty]).status(2).stderr_has("a path is empty").stderr_has("hint: write MEMBER:PATH");
    }
    sandbox.run(&["cp", set, "in/file", "out"]).status(2).stderr_has("neither path is inside of a member");
    sandbox.run(&["cp", set, "nowhere", "mw:/tmp/"]).status(1).stderr_has("nowhere");
}

fn ssh_asks_nothing(sandbox: &Sandbox, set: &str) {
    let config = sandbox.run(&["ssh-config", set]).ok().stdout;
    let config = sandbox.write("ssh_config", config).display().to_string();
    let file = sandbox.write("to-copy", "by ssh\n").display().to_string();
    for name in MEMBERS {
        let host = format!("{set}-{name}");
        let options = ["-F", &config, "-o", "BatchMode=yes"];
        let ssh = |host: &str, command: &str| run("ssh", &[&options[..], &[host, command]].concat());
        let inside = ssh(&host, "hostname; id -un").ok();
        assert_eq!(inside.stdout, format!("{host}\nroot\n"));
        assert_eq!(inside.stderr, "", "ssh had something to say");
        ssh(&format!("{host}.{set}.lan"), "exit 5").status(5);
        run("scp", &[&options[..], &["-q", &file, &format!("{host}:/tmp/by-scp")]].concat()).ok();
        let shell = format!("ssh -F {config} -o BatchMode=yes");
        run("rsync", &["-a", "-e", &shell, &file, &format!("{host}:/tmp/by-rsync")]).ok();
        assert_eq!(ssh(&host, "cat /tmp/by-scp /tmp/by-rsync").ok().stdout, "by ssh\nby ssh\n");
        // By the key alone.
        let password = ["-o", "PubkeyAuthentication=no", "-o", "PreferredAuthentications=password,keyboard-interactive"];
        let refused = run("ssh", &[&options[..], &password, &[&host, "true"]].concat());
        assert!(refused.status == 255 && refused.stderr.contains("Permission denied (publickey)"), "{refused}");
    }
}

fn logs_are_in_reach(sandbox: &Sandbox, set: &str) {
    let url = wiki(&sandbox.status(set));
    http(&format!("{url}/index.php?title=Looked_for_in_the_log"), None);
    sandbox.run(&["logs", set, "mw", "access"]).ok().stdout_has("Looked_for_in_the_log");
    sandbox.run(&["logs", set, "dbprimary", "error"]).ok().stdout_has("ready for connections");
    sandbox.run(&["logs", set]).ok().stdout_has(&format!("{set}-mw access: "));
    sandbox.run(&["logs", set, "mw", "nolog"]).status(2).stderr_has("there is no log \"nolog\"").stderr_has("access");
    for log in ["mw/log/access.log", "dbprimary/log/error.log", "php/log/error.log"] {
        std::fs::File::open(sandbox.at(&format!("data/sets/{set}/{log}"))).unwrap_or_else(|error| panic!("{log}: {error}"));
    }
}

fn names_that_are_wrong_are_refused(sandbox: &Sandbox, set: &str) {
    sandbox.run(&["open", set, "nowiki"]).status(2).stderr_has("no wiki nowiki").stderr_has("its wikis: wiki");
    sandbox.run(&["exec", set, "nomember", "true"]).status(2).stderr_has("no member nomember").stderr_has("snapshot1");
}

#[test]
fn nothing_is_seen_that_is_secret() {
    let sandbox = Sandbox::new();
    let set = sandbox.set("secret", SMALL);
    sandbox.run(&["up", &set]).ok();
    let status = sandbox.status(&set);
    status_is_as_documented(&set, &status);
    secrets_are_nowhere_else(&sandbox, &set, &MEMBERS, &["db-dump", "db-wiki", "ssh-host-key"]);
    capabilities_are_the_roles_own(&set, &status);
    php_answers_the_web_server_only(&sandbox, &set, &status);
    only_loopback_is_listened_on(&set);
}

fn status_is_as_documented(set: &str, status: &serde_json::Value) {
    assert_eq!((&status["name"], &status["state"]), (&set.into(), &"running".into()));
    let names: Vec<_> = status["members"].as_array().expect("a list").iter().map(|member| member["name"].as_str()).collect();
    assert_eq!(names, MEMBERS.map(Some));
    for (name, role) in MEMBERS.into_iter().zip(["mariadb", "httpd", "php-fpm", "snapshot"]) {
        let member = member(status, name);
        let text = |key: &str| member[key].as_str().unwrap_or_else(|| panic!("{key} of {member}")).to_owned();
        assert_eq!((text("role"), text("state"), text("health")), (role.to_owned(), "running".to_owned(), "ready".to_owned()));
        assert_eq!(text("host"), format!("{set}-{name}.{set}.lan"));
        let (address, published) = (text("address"), text("published"));
        assert_eq!(address.strip_prefix("10.77."), published.strip_prefix("127.77."), "{address} {published}");
        let hexadecimal = |text: String| text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        assert!(hexadecimal(text("image")) && hexadecimal(text("hash")), "{member}");
        for port in member["ports"].as_array().expect("a list") {
            assert!(port["name"].is_string() && port["port"].is_u64() && port["published"].is_u64(), "{port}");
        }
        assert_eq!(member["urls"].as_array().expect("a list").len(), usize::from(name == "mw"));
    }
}

/// The value of each of a set's secrets, as a member that has it can read it.
fn secrets(set: &str, members: &[&str]) -> Vec<(String, String)> {
    let mut secrets = Vec::new();
    for member in members {
        let host = format!("{set}-{member}");
        for name in podman(&["exec", &host, "ls", "/run/secrets"]).ok().stdout.lines() {
            let value = podman(&["exec", &host, "cat", &format!("/run/secrets/{name}")]).ok().stdout;
            let mode = podman(&["exec", &host, "stat", "--format", "%a", &format!("/run/secrets/{name}")]).ok().stdout;
            assert_eq!(mode.trim(), "400", "{host} {name}");
            // Of a key, a line in its middle.
            let line = if value.lines().count() > 2 { value.lines().nth(2) } else { value.lines().next() };
            let line = line.unwrap_or_default().to_owned();
            assert!(line.len() >= 32, "{name} is no secret: {value:?}");
            secrets.push((name.to_owned(), line));
        }
    }
    secrets.sort();
    secrets.dedup();
    secrets
}

pub fn secrets_are_nowhere_else(sandbox: &Sandbox, set: &str, members: &[&str], expected: &[&str]) {
    let secrets = secrets(set, members);
    let names: Vec<_> = secrets.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, expected, "each once, the same for all members");

    let hosts: Vec<_> = members.iter().map(|member| format!("{set}-{member}")).collect();
    let mut seen: Vec<(String, Ran)> = Vec::new();
    for host in &hosts {
        seen.push((format!("inspect {host}"), podman(&["inspect", host]).ok()));
        seen.push((format!("console of {host}"), podman(&["logs", host]).ok()));
        seen.push((
            format!("processes in {host}"),
            podman(&["exec", host, "sh", "-c", "cat /proc/[0-9]*/cmdline /proc/1/environ"]),
        ));
        let image = podman(&["inspect", "--format", "{{.Image}}", host]).ok().stdout;
        seen.push((format!("image of {host}"), podman(&["inspect", image.trim()]).ok()));
    }
    seen.push(("pod".to_owned(), podman(&["pod", "inspect", set]).ok()));
    seen.push(("network".to_owned(), podman(&["network", "inspect", set]).ok()));
    seen.push(("processes here".to_owned(), run("sh", &["-c", "cat /proc/[0-9]*/cmdline 2>/dev/null; true"])));
    for arguments in [&["status", set, "--format", "json"][..], &["logs", set], &["ssh-config", set], &["up", set, "--dry-run"]] {
        seen.push((arguments.join(" "), sandbox.run(arguments).ok()));
    }
    let folder = sandbox.at(&format!("data/sets/{set}")).display().to_string();
    let files = "find \"$0\" -type f ! -path '*/primary/*' -exec cat {} +";
    seen.push(("the set's folder".to_owned(), podman(&["unshare", "sh", "-c", files, &folder]).ok()));
    for (name, value) in &secrets {
        for (place, ran) in &seen {
            assert!(!ran.stdout.contains(value) && !ran.stderr.contains(value), "{name} is in {place}");
        }
    }
}

/// The capabilities that a role's file lists.
fn capabilities(role: &str) -> Vec<String> {
    let file = format!("{}/containerfiles/{role}/role.yaml", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{file}: {error}"));
    let line = text.lines().find_map(|line| line.strip_prefix("capabilities: [")).expect("a list");
    line.trim_end_matches(']').split(", ").map(|name| format!("CAP_{name}")).collect()
}

fn capabilities_are_the_roles_own(set: &str, status: &serde_json::Value) {
    for name in MEMBERS {
        let host = format!("{set}-{name}");
        let role = member(status, name)["role"].as_str().expect("text");
        let has = podman(&["inspect", "--format", "{{range .BoundingCaps}}{{.}} {{end}}", &host]).ok().stdout;
        let mut has: Vec<_> = has.split_whitespace().map(str::to_owned).collect();
        has.sort();
        assert_eq!(has, capabilities(role), "{host}");
        let process = podman(&["exec", &host, "cat", "/proc/1/status"]).ok();
        let line = |key: &str| process.stdout.lines().find_map(|line| line.strip_prefix(key)).expect("a line").trim().to_owned();
        assert_eq!(line("NoNewPrivs:"), "1", "{host}");
        let bounding = u64::from_str_radix(&line("CapBnd:"), 16).expect("a number");
        assert_eq!(bounding.count_ones() as usize, capabilities(role).len(), "{host}");
    }
}

fn php_answers_the_web_server_only(sandbox: &Sandbox, set: &str, status: &serde_json::Value) {
    let php = member(status, "php");
    // FastCGI's question for values, which php-fpm answers with a record of its own.
    let ask = |address: &str, port: u64| {
        format!(
            "exec 3<>/dev/tcp/{address}/{port} && printf '\\1\\11\\0\\0\\0\\0\\0\\0' >&3 && timeout 5 head -c 2 <&3 | od -An -tx1"
        )
    };
    let inside = ask(php["address"].as_str().expect("text"), 9000);
    let from = |member: &str| sandbox.run(&["exec", set, member, "bash", "-c", &inside]).stdout.trim().to_owned();
    assert_eq!(from("mw"), "01 0a");
    for other in ["snapshot1", "dbprimary"] {
        assert_eq!(from(other), "", "{other} had an answer from php-fpm");
    }
    let port = &php["ports"].as_array().expect("a list").iter().find(|port| port["port"] == 9000).expect("a port")["published"];
    let outside = ask(php["published"].as_str().expect("text"), port.as_u64().expect("a number"));
    assert_eq!(run("bash", &["-c", &outside]).stdout.trim(), "", "this host had an answer from php-fpm");
}

fn only_loopback_is_listened_on(set: &str) {
    for name in MEMBERS {
        let ports = podman(&["port", &format!("{set}-{name}")]).ok().stdout;
        assert!(ports.lines().count() > 0, "{name} publishes nothing");
        assert!(ports.lines().all(|line| line.contains("-> 127.77.")), "{name}: {ports}");
    }
}

#[test]
fn a_dry_run_changes_nothing() {
    let sandbox = Sandbox::new();
    let set = sandbox.set("dry", TINY);
    let planned = sandbox.run(&["plan", &set]).ok();
    planned.stdout_has(&format!("create and start {set}-dbprimary: it is not there"));
    let dry = sandbox.run(&["up", &set, "--dry-run"]).ok();
    let dry = dry.stdout_has("podman network create ").stdout_has(&format!("--name {set} "));
    assert!(dry.stdout.lines().any(|line| line.starts_with("podman run --detach ")), "{dry}");
    sandbox.nothing_left();
    assert!(!sandbox.at("data").exists(), "a dry run has made podfarm's folder");

    sandbox.run(&["up", &set]).ok();
    sandbox.run(&["plan", &set]).ok().stdout_has("there is nothing to do");
    let before = sandbox.status(&set);
    for verb in ["stop", "destroy", "reset", "remove", "up", "create", "start", "build", "down"] {
        let ran = sandbox.run(&[verb, &set, "--dry-run"]).ok();
        let expected: &[&str] = match verb {
            "stop" => &["podman stop"],
            "reset" => &["podman kill", "podman pod rm --force", "podman pod create", "podman run --detach"],
            "destroy" | "remove" | "down" => &["podman kill", "podman pod rm --force", "podman network rm"],
            _ => &[],
        };
        assert!(expected.iter().all(|command| ran.stdout.contains(command)), "{ran}");
        assert_eq!(expected.is_empty(), !ran.stdout.contains("podman"), "{ran}");
        assert_eq!(sandbox.status(&set), before, "`{verb} --dry-run` changed something");
    }

    // The reasons, as a set file changes.
    let file = sandbox.at(&format!("sets/{set}.yaml"));
    std::fs::write(
        &file,
        format!("{TINY}  mw: {{count: 0}}\n").replace("snapshot: {count: 0}\n  mw: {count: 0}\n", "snapshot: {count: 1}\n"),
    )
    .expect("a file");
    sandbox.run(&["plan", &set]).ok().stdout_has(&format!("create and start {set}-snapshot1: it is not there"));
    sandbox.run(&["up", &set]).ok();
    std::fs::write(&file, TINY).expect("a file");
    let planned = sandbox.run(&["plan", &set]).ok();
    planned.stdout_has(&format!("remove container {set}-snapshot1: the set does not have this member any more"));
    sandbox.run(&["up", &set]).ok();
    assert_eq!(sandbox.status(&set)["members"].as_array().expect("a list").len(), 1);
}

#[test]
fn remove_takes_the_images_that_nobody_else_uses() {
    let sandbox = Sandbox::new();
    let role = "containerfiles/probe";
    sandbox.write(&format!("{role}/Containerfile"), format!("ARG BASE\nFROM ${{BASE}}\nRUN echo {} >/mark\n", sandbox.id()));
    sandbox.write(&format!("{role}/role.yaml"), "description: A role to be removed\nkinds:\n  probe: {}\n");
    let other = sandbox.set("other", TINY);
    sandbox.run(&["create", &other]).ok();
    let set = sandbox.set("probe", &format!("{TINY}  probe: {{}}\n"));
    sandbox.run(&["create", &set]).ok();
    let images = || {
        let tags = listed(&["images", "--format", "{{.Repository}}:{{.Tag}}"]).ok().stdout;
        tags.lines().filter(|tag| tag.starts_with("localhost/podfarm/")).map(str::to_owned).collect::<Vec<_>>()
    };
    let image_of = |host: &str| podman(&["inspect", "--format", "{{.ImageName}}", host]).ok().stdout.trim().to_owned();
    let probe = image_of(&format!("{set}-probe"));
    let mariadb = image_of(&format!("{other}-dbprimary"));
    // Of a role that neither set knows. Other tests make and remove images at the same time, so only this test's are looked at.
    let foreign = format!("localhost/podfarm/foreign-{}:0123456789abcdef", sandbox.id());
    podman(&["tag", &mariadb, &foreign]).ok();
    sandbox.run(&["remove", &set]).ok();
    let left = images();
    podman(&["rmi", &foreign]).ok();
    assert!(left.contains(&foreign), "not this set's to remove: {left:#?}");
    assert!(!left.contains(&probe), "{left:#?}");
    assert!(left.contains(&mariadb), "another set uses it: {left:#?}");
    assert!(left.iter().any(|tag| tag.starts_with("localhost/podfarm/base:")), "other images are built on it: {left:#?}");
}
