//! The built-in set `farm`, whole: every job of every wiki, twice, held against the databases; and what the web server shows.

use std::collections::BTreeMap;

use crate::common::webdriver::Browser;
use crate::dumps::{get, jobs};
use crate::history;
use crate::sandbox::Sandbox;

const FARM: &str = include_str!("../../sets/farm.yaml");
const WIKIS: &[(&str, &str)] =
    &[("commons", "commonswiki"), ("el", "elwiki"), ("en", "enwiki"), ("he", "hewiki"), ("office", "officewiki")];
const PRIVATE: &str = "officewiki";

#[test]
fn the_farm_is_dumped_and_published() {
    let sandbox = Sandbox::new();
    let set = sandbox.set("whole", FARM);
    sandbox.run(&["up", &set]).ok();
    let status = sandbox.status(&set);
    assert_eq!(status["members"].as_array().map(Vec::len), Some(11), "{status}");
    for date in ["20260101", "20260102"] {
        let ran = sandbox.run(&["dump", &set, "--date", date, "--format", "json"]).ok();
        let told = jobs(&ran);
        assert_eq!(told.keys().map(String::as_str).collect::<Vec<_>>(), WIKIS.iter().map(|(wiki, _)| *wiki).collect::<Vec<_>>());
        for (wiki, jobs) in told {
            assert!(jobs.len() == 31 && jobs.values().all(|status| status == "done"), "{wiki}: {jobs:?}");
        }
    }

    for (_, db) in WIKIS {
        let tree = if *db == PRIVATE { "private" } else { "public" };
        let sums = |date: &str| -> BTreeMap<String, String> {
            let file = sandbox.at(&format!("data/sets/{set}/shared/dumps/{tree}/{db}/{date}/{db}-{date}-sha1sums.txt"));
            let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
            let line = |line: &str| {
                let (sum, name) = line.split_once("  ").expect("a sum and a name");
                (name.replace(date, "DATE"), sum.to_owned())
            };
            text.lines().map(line).filter(|(name, _)| name.contains(".xml.") && !name.ends_with(".7z")).collect()
        };
        let first = sums("20260101");
        assert_eq!(first.len(), 8, "{first:?}");
        assert_eq!(first, sums("20260102"), "{db}: two runs have the same bytes");
        let file = format!("/srv/dumps/{tree}/{db}/20260101/{db}-20260101-pages-meta-history.xml.bz2");
        let stored = history::stored(&sandbox, &set, db);
        assert!(!stored.is_empty() && history::dumped(&sandbox, &set, &file) == stored, "{db}: what is dumped is what is stored");
    }

    // Nothing of the private wiki can be had, and the rest is there for people.
    let web = status["urls"]["dumpsweb"].as_str().expect("a url").to_owned();
    for path in [PRIVATE.to_owned(), format!("{PRIVATE}/20260101/"), format!("private/{PRIVATE}/20260101/")] {
        assert_eq!(get(&format!("{web}{path}")).0, 404, "{path}");
    }
    let browser = Browser::start(sandbox.path());
    browser.open(&web);
    browser.see("body", "enwiki/");
    let text = browser.ask("return document.body.innerText");
    assert!(!text.as_str().expect("text").contains("office"), "{text}");
    browser.click("a[href='elwiki/']");
    browser.see("body", "latest/");
    browser.click("a[href='20260102/']");
    browser.see("body", "elwiki-20260102-pages-articles.xml.bz2");
    assert!(browser.title().contains("/elwiki/20260102/"), "{}", browser.title());
    sandbox.run(&["destroy", &set]).ok();
    sandbox.nothing_left();
}
