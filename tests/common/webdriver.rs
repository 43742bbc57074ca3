//! A browser without a window, driven by the WebDriver protocol.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::programs::{command, which};

/// A browser of its own, ended with this value.
pub struct Browser {
    driver: Child,
    session: String,
}

impl Browser {
    /// Starts one that keeps what it keeps in a folder.
    pub fn start(folder: &Path) -> Self {
        let mut driver = command(which("chromedriver"));
        driver.arg("--port=0").env("HOME", folder).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut driver = driver.spawn().expect("chromedriver starts");
        let mut lines = BufReader::new(driver.stdout.take().expect("it is piped")).lines().map_while(Result::ok);
        let port =
            lines.find_map(|line| line.split("successfully on port ").nth(1).map(|port| port.trim_end_matches('.').to_owned()));
        std::thread::spawn(move || lines.for_each(drop)); // so that it never waits for a reader
        let mut browser = Self { driver, session: format!("http://127.0.0.1:{}/session", port.expect("a port")) };
        let profile = format!("--user-data-dir={}", folder.join("browser").display());
        let quiet = [
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--no-first-run",
            "--disable-quic",
        ];
        // Tests run in containers of many kinds, where a sandbox or a large /dev/shm may not be had.
        let arguments = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", &profile];
        let arguments = [&arguments[..], &quiet].concat();
        let options = json!({"binary": which("chromium"), "args": arguments});
        // Right after a click, an element may be on a page that is yet to come.
        let wanted = json!({"goog:chromeOptions": options, "timeouts": {"implicit": 30_000}});
        let made = browser.post("", &json!({"capabilities": {"alwaysMatch": wanted}}));
        browser.session = format!("{}/{}", browser.session, made["sessionId"].as_str().expect("a session"));
        browser
    }

    pub fn post(&self, path: &str, body: &Value) -> Value {
        answer(agent().post(format!("{}{path}", self.session)).content_type("application/json").send(body.to_string()), path)
    }

    pub fn open(&self, url: &str) {
        self.post("/url", &json!({"url": url}));
    }

    pub fn title(&self) -> String {
        answer(agent().get(format!("{}/title", self.session)).call(), "title").as_str().expect("a title").to_owned()
    }

    fn element(&self, selector: &str) -> String {
        let found = self.post("/element", &json!({"using": "css selector", "value": selector}));
        let id = found.as_object().and_then(|found| found.values().next()?.as_str().map(str::to_owned));
        format!("/element/{}", id.expect("an element"))
    }

    /// What a script in the page returns.
    pub fn ask(&self, script: &str) -> Value {
        self.post("/execute/sync", &json!({"script": script, "args": []}))
    }

    /// Makes the window as large as a screen, in CSS pixels.
    pub fn resize(&self, width: u32, height: u32) {
        self.post("/window/rect", &json!({"width": width, "height": height}));
    }

    pub fn click(&self, selector: &str) {
        self.post(&format!("{}/click", self.element(selector)), &json!({}));
    }

    pub fn write(&self, selector: &str, text: &str) {
        self.post(&format!("{}/value", self.element(selector)), &json!({"text": text}));
    }

    /// Waits until the page says this; before, it may still be the one that was left.
    pub fn see(&self, selector: &str, text: &str) {
        let script = "return document.querySelector(arguments[0])?.innerText ?? ''";
        let body = json!({"script": script, "args": [selector]}).to_string();
        let end = Instant::now() + Duration::from_secs(30);
        let mut last = String::new();
        while !last.contains(text) {
            assert!(Instant::now() < end, "{selector} does not say {text:?}, but: {last}");
            let url = format!("{}/execute/sync", self.session);
            let mut answer = agent().post(url).content_type("application/json").send(&body).expect("an answer");
            let answer: Value = serde_json::from_str(&answer.body_mut().read_to_string().expect("text")).expect("JSON");
            // While a page goes away, the answer is an error.
            last = answer["value"].as_str().unwrap_or_default().to_owned();
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = agent().delete(&self.session).call();
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

fn agent() -> ureq::Agent {
    let limit = Some(Duration::from_secs(60));
    ureq::Agent::config_builder().timeout_global(limit).http_status_as_error(false).proxy(None).build().into()
}

fn answer(answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>, what: &str) -> Value {
    let mut answer = answer.unwrap_or_else(|error| panic!("{what}: {error}"));
    let text = answer.body_mut().read_to_string().expect("text");
    assert_eq!(answer.status(), 200, "{what}: {text}");
    serde_json::from_str::<Value>(&text).expect("JSON")["value"].take()
}
