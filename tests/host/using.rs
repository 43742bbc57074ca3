//! What names are for: programs connect by them.

use std::fs;

use serde_json::Value;

use crate::common::webdriver::Browser;
use crate::machine::{home, sh};
use crate::story::SET;

/// A page of MediaWiki is there.
#[track_caller]
pub fn is_a_wiki(url: &str) {
    sh(&format!("curl --silent --show-error --fail --location {url}")).ok().stdout_has("name=\"generator\" content=\"MediaWiki");
}

/// curl, ssh, scp, rsync and the mariadb client.
pub fn programs() {
    is_a_wiki(&format!("http://{SET}-mw.{SET}.lan/wiki/mw/"));
    is_a_wiki(&format!("http://{}-MW.{SET}.lan/wiki/mw/", SET.to_uppercase()));
    let snapshot = format!("{SET}-snapshot1.{SET}.lan");
    // The machine's own sshd listens on port 22 of every address.
    sh("ss -ltn | grep -q '0.0.0.0:22 '").ok();
    for host in [&snapshot, &format!("{SET}-snapshot1")] {
        let ran = sh(&format!("ssh -o BatchMode=yes {host} hostname --fqdn")).ok();
        assert_eq!(ran.stdout.trim(), snapshot, "{ran}");
    }
    fs::write("sent", "by name\n").expect("a file");
    sh(&format!("scp -q -o BatchMode=yes sent {snapshot}:/tmp/by-scp && rsync --archive sent {snapshot}:/tmp/by-rsync")).ok();
    sh(&format!("scp -q {snapshot}:/tmp/by-scp {snapshot}:/tmp/by-rsync .")).ok();
    assert_eq!(fs::read_to_string("by-scp").expect("a file"), "by name\n");
    assert_eq!(fs::read_to_string("by-rsync").expect("a file"), "by name\n");
    // Newer clients insist on TLS, which a server on this very machine does not have.
    let ask = "SELECT CONCAT(CURRENT_USER(), ' ', COUNT(*) > 0) FROM wiki.page";
    let ran = sh(&format!(
        "MYSQL_PWD=$(podfarm exec {SET} php cat /run/secrets/db-wiki) \
         mariadb --skip-ssl --host {SET}-dbprimary.{SET}.lan --user wikiuser --skip-column-names --execute \"{ask}\""
    ));
    let ran = ran.ok();
    assert!(ran.stdout.starts_with("wikiuser@10.77.1.") && ran.stdout.ends_with(" 1\n"), "{ran}");
}

/// Chromium opens the wiki and the set's page, by name.
pub fn browser() {
    let folder = home().join("browser");
    fs::create_dir_all(&folder).expect("a folder");
    let browser = Browser::start(&folder);
    let host = format!("{SET}-mw.{SET}.lan");
    browser.open(&format!("http://{host}/wiki/mw/"));
    browser.see("#firstHeading", "Main Page");
    // It is drawn with its style, and with a picture that came by the name as well.
    let drawn = "const box = document.querySelector('#firstHeading').getBoundingClientRect();
        return [location.host, box.width > 100 && box.height > 10, document.styleSheets.length > 0,
            getComputedStyle(document.querySelector('#mw-panel')).position,
            performance.getEntriesByType('resource').filter(each => new URL(each.name).host !== location.host).length]";
    assert_eq!(browser.ask(drawn), serde_json::json!([host, true, true, "absolute", 0]));

    browser.open(&format!("http://{host}/"));
    browser.see("h1", SET);
    browser.see("body", &format!("{SET}-dbprimary.{SET}.lan"));
    assert_eq!(browser.ask("return document.querySelector('a').href"), format!("http://{host}/wiki/mw/"));
    // On a phone nothing is cut off or has to be moved about.
    browser.resize(390, 844);
    let too_wide = "return [innerWidth, [...document.querySelectorAll('body *')]
        .filter(each => each.getBoundingClientRect().right > innerWidth).map(each => each.outerHTML)]";
    let asked = browser.ask(too_wide);
    assert!(asked[0].as_u64().is_some_and(|width| width < 600), "{asked}");
    assert_eq!(asked[1], Value::Array(Vec::new()));
    browser.click("a");
    browser.see("#firstHeading", "Main Page");
}
