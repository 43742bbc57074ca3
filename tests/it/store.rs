//! The text of revisions in a server of its own: where it is, who may read it, and that dumps find it.

use crate::history;
use crate::running::http;
use crate::sandbox::{Sandbox, TINY};

const FARM: &str = "sources:
  mediawiki: {deb: mediawiki}
  newer: {deb: mediawiki, suite: trixie}
wikis:
  wiki: {pages: 20}
  newer: {mediawiki: newer, import: old.sql}
members:
  dbstore: {count: 2}
";

fn edit(base: &str, text: &str) {
    let form = [("action", "edit"), ("title", "Stored"), ("text", text), ("token", "+\\"), ("format", "json")];
    let (_, answer) = http(&format!("{base}api.php"), Some(&form));
    assert!(answer.contains("\"result\":\"Success\""), "{answer}");
}

#[test]
fn new_and_imported_text_is_in_the_store() {
    let sandbox = Sandbox::new();
    sandbox.private_seeds();
    // What another wiki's database has, with its text beside it.
    let donor = sandbox.set("donor", "wikis:\n  newer: {pages: 5}\nmembers:\n  mw: {count: 0}\n  php: {count: 0}\n");
    sandbox.run(&["up", &donor]).ok();
    let dump = ["mariadb-dump", "--defaults-file=/etc/mysql/dumps.cnf", "--single-transaction", "--hex-blob", "newer"];
    let dump = sandbox.run(&[&["exec", &donor, "snapshot1"], &dump[..]].concat()).ok();
    sandbox.write("sets/old.sql", dump.stdout);
    sandbox.run(&["destroy", &donor]).ok();

    let set = sandbox.set("store", FARM);
    sandbox.run(&["up", &set]).ok();
    let sql = |member: &str, query: &str| {
        sandbox.run(&["exec", &set, member, "mariadb", "-N", "-e", query]).ok().stdout.trim().to_owned()
    };
    let status = sandbox.status(&set);
    for store in ["dbstore1", "dbstore2"] {
        let member = crate::running::member(&status, store);
        assert_eq!((&member["health"], &member["state"]), (&"ready".into(), &"running".into()), "{status}");
    }
    for wiki in ["wiki", "newer"] {
        let base = status["urls"][wiki].as_str().expect("a url");
        let page = format!("{base}index.php?title=Stored&action=raw");
        // Older MediaWikis have a row in `text` with the address, newer ones have it among the contents.
        let elsewhere = || {
            sql(
                "dbprimary",
                &format!(
                    "SELECT IFNULL(old_text, content_address) AS address FROM {wiki}.content LEFT JOIN {wiki}.text \
                     ON content_address = CONCAT('tt:', old_id) HAVING address NOT REGEXP '^(es:)?DB://seed/'"
                ),
            )
        };
        assert_eq!(elsewhere(), "", "{wiki}: what was imported is in the store");
        let seeded: u32 = sql("dbstore1", &format!("SELECT COUNT(*) FROM {wiki}.blobs")).parse().expect("a number");
        assert!(seeded > 10, "{wiki}: {seeded} texts");
        // New text goes to one store or the other.
        for number in 0..20 {
            edit(base, &format!("Text number {number}"));
        }
        let addresses = elsewhere();
        assert_eq!(addresses.lines().count(), 20, "{addresses}");
        for store in ["dbstore1", "dbstore2"] {
            let count = addresses.lines().filter(|address| address.contains(&format!("DB://{set}-{store}/"))).count();
            let new = format!("SELECT COUNT(*) FROM {wiki}.blobs WHERE blob_text LIKE 'Text number%'");
            assert_eq!(sql(store, &new), count.to_string(), "{wiki} in {store}: {addresses}");
            assert!(count > 0, "{addresses}");
        }
        assert_eq!(http(&page, None), (200, "Text number 19".to_owned()));

        let date = ["dump", &set, wiki, "--date", "20260101", "--job", "metahistorybz2dump"];
        sandbox.run(&date).ok();
        let file = format!("/srv/dumps/public/{wiki}/20260101/{wiki}-20260101-pages-meta-history.xml.bz2");
        let stored = history::stored(&sandbox, &set, wiki);
        assert!(stored.len() > 30, "{wiki}: {stored:?}");
        assert_eq!(history::dumped(&sandbox, &set, &file), stored);
    }

    // The dumps' user may read, from the hosts that dump, and nothing else.
    let dumper = |query: &str| {
        let client = ["mariadb", "--defaults-file=/etc/mysql/dumps.cnf", "-N", "-e", query];
        sandbox.run(&[&["exec", &set, "snapshot1"], &client[..], &["--host", &format!("{set}-dbstore1")]].concat())
    };
    dumper("SELECT COUNT(*) > 0 FROM wiki.blobs").ok().stdout_has("1");
    dumper("DELETE FROM wiki.blobs").status(1).stderr_has("denied");
    dumper("SELECT * FROM mysql.global_priv").status(1).stderr_has("denied");

    sandbox.run(&["reset", &set]).ok();
    for store in ["dbstore1", "dbstore2"] {
        assert_eq!(sql(store, "SELECT COUNT(*) FROM wiki.blobs WHERE blob_text LIKE 'Text number%'"), "0");
    }
    let base = sandbox.status(&set)["urls"]["wiki"].as_str().expect("a url").to_owned();
    assert_eq!(http(&format!("{base}index.php?title=Stored&action=raw"), None).0, 404);
    sandbox.run(&["destroy", &set]).ok();
    sandbox.nothing_left();
}

#[test]
fn a_set_that_exists_gets_no_store() {
    let sandbox = Sandbox::new();
    let set = sandbox.set("late", TINY);
    sandbox.run(&["up", &set]).ok();
    sandbox.write(&format!("sets/{set}.yaml"), format!("{TINY}  dbstore: {{}}\n"));
    sandbox.run(&["up", &set]).status(1).stderr_has("made without a server for the text").stderr_has("podfarm reset");
    sandbox.run(&["reset", &set]).ok();
    assert_eq!(sandbox.status(&set)["state"], "running");
    sandbox.write(&format!("sets/{set}.yaml"), TINY);
    sandbox.run(&["up", &set]).status(1).stderr_has("made with a server for the text");
}
