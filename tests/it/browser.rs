//! What a person does: opens a page by its address in a browser, edits it there, and sees the edit, until `reset`.

use crate::common::webdriver::Browser;
use crate::sandbox::Sandbox;

#[test]
fn a_page_is_edited_in_a_browser() {
    let sandbox = Sandbox::new();
    let set = sandbox.set("browser", "wikis:\n  wiki: {lang: el}\n");
    let up = sandbox.run(&["up", &set]).ok();
    let url = format!("{}index.php/Φάρος", up.stdout.trim());
    let browser = Browser::start(sandbox.path());
    browser.open(&url);
    assert!(browser.title().starts_with("Φάρος - "), "{}", browser.title());
    browser.click("#ca-edit a");
    browser.write("#wpTextbox1", "Γράφτηκε στον περιηγητή. ");
    browser.click("#wpSave");
    browser.see("#mw-content-text", "Γράφτηκε στον περιηγητή.");
    browser.open(&url);
    browser.see("#mw-content-text", "Γράφτηκε στον περιηγητή.");
    sandbox.run(&["reset", &set]).ok();
    browser.open(&url);
    browser.see("#mw-content-text", "φάρος");
    let text = browser.ask("return document.body.innerText");
    assert!(!text.as_str().expect("text").contains("περιηγητή"), "{text}");
}
