//! Set files that are wrong: each is refused before anything is touched, with file, line, what is wrong and what would be right.

use serde_json::{Value, json};

use crate::sandbox::Sandbox;

/// `plan` on a set file must end with status 3 and say all of `expected`.
#[track_caller]
fn refused(yaml: &str, expected: &[&str]) {
    let sandbox = Sandbox::new();
    let set = sandbox.set("wrong", yaml);
    let ran = sandbox.run(&["plan", &set]).status(3);
    assert!(ran.stderr.contains("hint:"), "no hint: {}", ran.stderr);
    let mut ran = ran.stderr_has(&format!("sets/{set}.yaml"));
    for text in expected {
        ran = ran.stderr_has(text);
    }
}

#[test]
fn yaml_that_is_no_yaml() {
    refused("wikis: {wiki: [}", &[":1:"]);
}

#[test]
fn a_list_where_a_map_belongs() {
    refused("- wiki\n", &["invalid type", ":1:"]);
}

#[test]
fn an_unknown_key() {
    refused("wikis: {}\nwikies: {}\n", &["unknown field `wikies`", ":2:"]);
}

#[test]
fn an_unknown_key_of_a_wiki() {
    refused("wikis:\n  a: {language: el}\n", &["unknown field `language`", ":2:"]);
}

#[test]
fn an_unknown_role() {
    refused("wikis: {a: {}}\nmembers:\n  cache: {role: memcached}\n", &["memcached", "known roles", ":3:"]);
}

#[test]
fn a_member_no_role_has() {
    refused("wikis: {a: {}}\nmembers:\n  frobnicator: {}\n", &["frobnicator", "dbprimary", ":3:"]);
}

#[test]
fn an_unknown_source() {
    refused("wikis:\n  a: {mediawiki: mw-x}\n", &["no source named mw-x", ":2:"]);
}

#[test]
fn an_option_no_member_of_that_kind_has() {
    refused("members:\n  snapshot: {colour: red}\n", &["\"colour\" is no key of snapshot", ":2:"]);
}

#[test]
fn two_wikis_with_one_database() {
    refused("wikis:\n  a: {db: same}\n  b: {db: same}\n", &["same database, same", ":3:"]);
}

#[test]
fn two_commons() {
    refused("wikis:\n  a: {commons: true}\n  b: {commons: true}\n", &["both the farm's commons", ":3:"]);
}

#[test]
fn a_key_that_is_there_twice() {
    refused("wikis:\n  a: {}\n  a: {}\n", &["a is there twice"]);
}

#[test]
fn bad_names_of_wikis() {
    let long = "a".repeat(64);
    for name in ["Demo", "'my wiki'", "'..'", long.as_str(), "'; rm -rf'", "-a", "'a/b'"] {
        refused(&format!("wikis:\n  {name}: {{}}\n"), &["cannot be the name of a wiki"]);
    }
}

#[test]
fn bad_names_of_members_sources_and_databases() {
    let long = "a".repeat(64);
    for name in ["Demo", "'my member'", "'..'", long.as_str(), "'; rm -rf'"] {
        refused(&format!("members:\n  {name}: {{role: snapshot}}\n"), &["cannot be the name of a member"]);
        refused(&format!("sources:\n  {name}: {{deb: mediawiki}}\n"), &["cannot be the name of a source"]);
    }
    let longer = "a".repeat(65);
    for name in ["Demo", "'my wiki'", "'..'", longer.as_str(), "'; rm -rf'", "mysql"] {
        refused(&format!("wikis:\n  a: {{db: {name}}}\n"), &["cannot be the name of a database", ":2:"]);
    }
}

#[test]
fn a_host_name_that_is_too_long() {
    // Both names are good, and both together are no DNS label.
    let member = "m".repeat(60);
    refused(&format!("members:\n  {member}: {{role: snapshot}}\n"), &["and 63 is the most", ":1:"]);
}

#[test]
fn a_source_that_is_two_things() {
    refused("sources:\n  x: {deb: mediawiki, path: /x}\n", &["one of three things", ":2:"]);
}

#[test]
fn a_commit_that_is_a_branch() {
    refused("sources:\n  x: {git: 'https://example.org/x', commit: master}\n", &["no full commit", ":2:"]);
}

#[test]
fn a_snapshot_that_is_a_date() {
    refused("archive: {snapshot: 2026-11-01}\n", &["no moment of the archive", "20261101T000000Z"]);
}

#[test]
fn too_many_members() {
    refused("members:\n  snapshot: {count: 1000}\n", &["would not fit", ":2:"]);
}

#[test]
fn an_import_that_is_not_there() {
    refused("wikis:\n  a: {import: nowhere.xml}\n", &["nowhere.xml", ":2:"]);
}

#[test]
fn a_path_without_mediawiki() {
    refused("sources:\n  x: {path: .}\nwikis:\n  a: {mediawiki: x}\n", &["MediaWiki", ":2:"]);
}

#[test]
fn bad_names_of_sets() {
    let long = "a".repeat(64);
    for name in ["Demo", "my set", "..", long.as_str(), "; rm -rf", "../demo"] {
        Sandbox::new().run(&["plan", name]).status(2).stderr_has("cannot be the name of a set");
    }
}

#[test]
fn a_set_that_is_not_there() {
    Sandbox::new().run(&["plan", "nowhere"]).status(2).stderr_has("there is no set named nowhere").stderr_has("demo");
}

#[test]
fn pages_that_are_made_up_and_imported() {
    refused("wikis:\n  a: {pages: 5, import: x.xml}\n", &["both import and pages", ":2:"]);
}

#[test]
fn no_number_of_pages() {
    refused("wikis:\n  a: {pages: 0}\n", &["no number of pages", ":2:"]);
    refused("wikis:\n  a: {pages: 1000000}\n", &["no number of pages", ":2:"]);
    refused("wikis:\n  a: {pages: many}\n", &["invalid type", ":2:"]);
}

#[test]
fn a_source_of_dumps_that_is_not_operations_dumps() {
    let lacks = "is no operations-dumps: it has no xmldumps-backup/worker.py";
    refused("wikis: {a: {}}\nsources:\n  dumps: {path: .}\n", &[lacks, ":3:", "top folder of a checkout"]);
    refused("dumps: {source: code}\nsources:\n  code: {path: /usr}\n", &[lacks, ":3:"]);
    refused("wikis: {a: {}}\ndumps: {source: /usr}\n", &[lacks, ":2:"]);
    refused("dumps:\n  source: {path: /nowhere}\n", &["there is no folder /nowhere", ":2:", "operations-dumps"]);
}

#[test]
fn a_source_of_dumps_that_is_none() {
    refused("dumps: {source: nowhere}\n", &["no source named nowhere", ":1:", "{path: FOLDER}"]);
    refused("dumps: {source: mediawiki}\n", &["comes as none", ":1:", "{git: URL"]);
    refused("dumps: {source: /usr}\nsources:\n  dumps: {path: /usr}\n", &["a source named dumps as well", ":1:"]);
    refused("dumps: {source: {git: 'https://example.org/x'}}\n", &["one of three things", ":1:"]);
    refused("dumps: {}\n", &["missing field `source`", ":1:"]);
    refused("dumps: {source: 5}\n", &["the name of a source, a folder, or"]);
}

#[test]
fn extra_archives_that_are_none() {
    let extra = |rest: &str| format!("archive:\n  extra:\n    - {{{rest}}}\n");
    refused(&extra("uri: nowhere, suite: x, key: none"), &["is no archive", ":2:", "http://"]);
    refused(&extra("uri: 'http://x/', suite: '-x', key: none"), &["no suite and no component", ":2:"]);
    refused(&extra("uri: 'http://x/', suite: x, key: nowhere.asc"), &["nowhere.asc cannot be an archive's key", ":2:"]);
    refused(&extra("uri: 'http://x/', suite: x"), &["missing field `key`"]);
}

#[test]
fn a_list_says_which_set_file_is_wrong() {
    let sandbox = Sandbox::new();
    let good = sandbox.set("good", "description: A good one\n");
    let wrong = sandbox.set("wrong", "wikies: {}\n");
    let ran = sandbox.run(&["list", "--format", "json"]).ok();
    let said: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    assert_eq!(said["version"], 1);
    let listed = |name: &str| said["sets"].as_array().expect("a list").iter().find(|set| set["name"] == name).expect("listed");
    let file = sandbox.at(&format!("sets/{good}.yaml")).display().to_string();
    let expected = json!({"name": good, "state": "absent", "file": file, "description": "A good one", "wrong": null});
    assert_eq!(*listed(&good), expected);
    assert_eq!(listed(&wrong)["description"], "");
    let why = listed(&wrong)["wrong"].as_str().expect("text");
    assert!(why.contains(&format!("sets/{wrong}.yaml:1:")) && why.contains("unknown field `wikies`"), "{said:#}");
    assert!(listed("demo")["file"].is_null(), "it is built in: {said:#}");
    sandbox.run(&["list"]).ok().stdout_has(&format!("(wrong: {why})")).stdout_has("A good one");
}

/// Each kind of a set that cannot come up, and where that is said.
#[test]
fn members_without_those_they_need() {
    let wiki = "wikis:\n  a: {}\nmembers:\n";
    let one = "provides db-primary";
    refused(&format!("{wiki}  dbprimary: {{count: 0}}\n"), &[":4: members.dbprimary: wikis cannot work without", one]);
    refused(&format!("{wiki}  dbprimary: {{count: 2}}\n"), &[":4: members.dbprimary:", one, "dbprimary1, dbprimary2"]);
    refused(&format!("{wiki}  second: {{role: dbprimary}}\n"), &[":4: members.second:", "dbprimary, second"]);
    refused(&format!("{wiki}  php: {{count: 0}}\n"), &[":4: members.php: mw cannot work without", "provides fcgi", "(php)"]);
    let replica = "members:\n  dbreplica: {}\n  dbprimary: {count: 0}\n";
    refused(replica, &[":3: members.dbprimary: dbreplica1 cannot work without"]);
}

#[test]
fn members_that_need_nobody() {
    let sandbox = Sandbox::new();
    let none = "members:\n  mw: {count: 0}\n  php: {count: 0}\n  snapshot: {count: 0}\n";
    let php_alone = "wikis: {a: {}}\nmembers:\n  mw: {count: 0}\n";
    for yaml in [&format!("{none}  dbprimary: {{count: 0}}\n"), &format!("{none}  dbprimary: {{count: 2}}\n"), php_alone] {
        sandbox.run(&["plan", &sandbox.set("fine", yaml)]).ok();
    }
}

#[test]
fn services_count_and_not_the_names_of_roles() {
    let sandbox = Sandbox::new();
    let file = |name: &str, content: &str| sandbox.write(&format!("containerfiles/own/{name}"), content);
    file("Containerfile", "ARG BASE\nFROM ${BASE}\n");
    let own = |kind: &str| file("role.yaml", &format!("description: A server\nkinds:\n  own: {{{kind}}}\n"));
    let set = sandbox.set("own", "wikis: {a: {}}\nmembers:\n  php: {count: 0}\n  own: {}\n");
    own("provides: [fcgi]");
    sandbox.run(&["plan", &set]).ok();
    own("provides: [fcgi], needs: [luck]");
    sandbox.run(&["plan", &set]).status(3).stderr_has("own cannot work without a member that provides luck");
}

#[test]
fn a_set_file_that_cannot_be_read() {
    let sandbox = Sandbox::new();
    let binary = sandbox.set("binary", "");
    sandbox.write(&format!("sets/{binary}.yaml"), b"\xff\xfe\x00");
    let folder = sandbox.set("folder", "");
    let path = sandbox.at(&format!("sets/{folder}.yaml"));
    std::fs::remove_file(&path).expect("a file");
    std::fs::create_dir(&path).expect("a folder");
    for (set, why) in [(binary, "did not contain valid UTF-8"), (folder, "Is a directory")] {
        let ran = sandbox.run(&["plan", &set]).status(3).stderr_has(&format!("sets/{set}.yaml: cannot be read: "));
        ran.stderr_has(why).stderr_has("hint: a set file is a text in YAML");
    }
}

#[test]
fn a_set_file_with_another_suffix() {
    let sandbox = Sandbox::new();
    sandbox.write("sets/mine.yml", "wikis: {a: {}}\n");
    let ran = sandbox.run(&["plan", "mine"]).status(2);
    ran.stderr_has("there is no set named mine").stderr_has("hint: sets/mine.yml has to be called mine.yaml");
}

#[test]
fn of_several_sets_each_is_told_what_to_do() {
    let sandbox = Sandbox::new();
    let wrong = sandbox.set("wrong", "wikis:\n  a: {mediawiki: mw-x}\n");
    let ran = sandbox.run(&["plan", &wrong, "nosuchset", "demo"]).status(2);
    let ran = ran.stderr_has(&format!("error: set {wrong}\n  because ")).stderr_has("hint: add it under sources:");
    ran.stderr_has("error: set nosuchset\n  because there is no set named nosuchset").stderr_has("hint: known sets: demo");
}
