//! Readiness is asked, not slept for: each member is asked through its published ports, or by what it reports, side by side,
//! until all answer.

use std::collections::BTreeMap;
use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use crate::desired::{PublishedPort, label, parse_ports_label};
use crate::hostdns;
use crate::podman::observe::Container;
use crate::role::Probe;
use crate::set::full_name;

/// Between two questions to a member that was not ready.
const PAUSE: Duration = Duration::from_millis(10);
/// How long one question may take. A first page of a wiki is slow on a cold cache.
const QUESTION: Duration = Duration::from_secs(20);
/// A member writes its report every second; one that has not for so long says nothing any more.
const STALE: Duration = Duration::from_secs(15);

/// What stands for each wiki in turn in a probe's path.
pub const WIKI: &str = "{wiki}";

/// One question to one member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The member's host name.
    pub host: String,
    pub ask: Ask,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Connect, and wait for the server's greeting.
    Banner(SocketAddr),
    /// GET this URL, and see 200 after redirections.
    Http(String),
    /// Read what the member has reported of itself since then.
    Report(PathBuf, SystemTime),
}

impl Question {
    fn is_to_server(&self) -> bool {
        matches!(self.ask, Ask::Banner(_))
    }
}

/// Where a member can be reached on this host, and how to ask it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// The member's host name.
    pub host: String,
    pub full_name: String,
    /// Its name within the set.
    pub member: String,
    pub published: Ipv4Addr,
    pub ports: Vec<PublishedPort>,
    pub probe: Probe,
    /// The wikis it serves.
    pub wikis: Vec<String>,
    /// When it was started, or is about to be: what it reported before that says nothing.
    pub since: SystemTime,
}

impl Endpoint {
    /// What a container's labels say; `None` where they do not say enough.
    pub fn of(container: &Container) -> Option<Self> {
        let text = |key| container.label(key).unwrap_or_default();
        let set = text(label::SET).parse().ok()?;
        Some(Self {
            host: container.name().to_owned(),
            full_name: full_name(&set, container.name()),
            member: text(label::MEMBER).to_owned(),
            published: container.label(label::PUBLISHED)?.parse().ok()?,
            ports: parse_ports_label(text(label::PORTS)),
            probe: serde_json::from_str(text(label::PROBE)).unwrap_or_default(),
            wikis: text(label::WIKIS).split(',').filter(|wiki| !wiki.is_empty()).map(str::to_owned).collect(),
            since: container.started().unwrap_or_else(SystemTime::now),
        })
    }

    /// The same, of a member that runs.
    #[must_use]
    pub fn since_start(self, containers: &[Container]) -> Self {
        let started = containers.iter().find(|container| container.name() == self.host).and_then(Container::started);
        Self { since: started.unwrap_or(self.since), ..self }
    }

    /// Where a port of the container is on the host.
    pub fn on_host(&self, port: u16) -> Option<u16> {
        self.ports.iter().find(|known| known.port == port).map(|known| known.published)
    }

    /// Where its web server is, by a name or address of this host.
    fn web(&self, host: &str) -> Option<String> {
        let http = self.ports.iter().find(|port| port.name == "http")?;
        Some(base_url(host, http.published))
    }

    /// The url of each wiki it serves, by the name, where names work on this host, else the address, and the port that it is
    /// at; the url of a web server without wikis by the member's name.
    pub fn urls(&self) -> BTreeMap<String, String> {
        if !self.ports.iter().any(|port| port.name == "http") {
            return BTreeMap::new();
        }
        let by_name = hostdns::works(&self.full_name, self.published);
        let host = if by_name { self.full_name.clone() } else { self.published.to_string() };
        let Some(base) = self.web(&host) else { return BTreeMap::new() };
        if self.wikis.is_empty() {
            return BTreeMap::from([(self.member.clone(), format!("{base}/"))]);
        }
        self.wikis.iter().map(|wiki| (wiki.clone(), format!("{base}/{wiki}/mw/"))).collect()
    }

    /// The questions that tell whether it is ready.
    pub fn questions(&self) -> Vec<Question> {
        let asks = match &self.probe {
            Probe::Banner(port) => {
                self.on_host(*port).map(|port| Ask::Banner((self.published, port).into())).into_iter().collect()
            }
            Probe::Http(path) => {
                self.web(&self.published.to_string()).map(|base| http_asks(&base, path, &self.wikis)).unwrap_or_default()
            }
            Probe::Report(file) => vec![Ask::Report(file.clone(), self.since)],
        };
        asks.into_iter().map(|ask| Question { host: self.host.clone(), ask }).collect()
    }
}

fn http_asks(base: &str, path: &str, wikis: &[String]) -> Vec<Ask> {
    if !path.contains(WIKI) {
        return vec![Ask::Http(format!("{base}{path}"))];
    }
    wikis.iter().map(|wiki| Ask::Http(format!("{base}{}", path.replace(WIKI, wiki)))).collect()
}

/// `http://host` or `http://host:port`.
pub fn base_url(host: &str, port: u16) -> String {
    if port == 80 { format!("http://{host}") } else { format!("http://{host}:{port}") }
}

/// Asks once. A member that is ready may have something to say of how it fares.
///
/// # Errors
/// Why the member is not ready.
pub fn ask(ask: &Ask, limit: Duration) -> Result<Option<String>, String> {
    match ask {
        Ask::Banner(address) => banner(*address, limit).map(|()| None),
        Ask::Http(url) => http(url, limit).map(|()| None),
        Ask::Report(file, since) => report(file, *since).map(Some),
    }
}

fn report(file: &Path, since: SystemTime) -> Result<String, String> {
    let modified = std::fs::metadata(file).and_then(|about| about.modified());
    let Some(then) = modified.ok().filter(|then| *then >= since) else { return Err("it has not said anything yet".to_owned()) };
    let age = then.elapsed().unwrap_or_default();
    if age > STALE {
        return Err(format!("it has not said anything for {} seconds", age.as_secs()));
    }
    let text = std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    match text.trim().split_once(' ').unwrap_or((text.trim(), "")) {
        ("ready", how) => Ok(how.to_owned()),
        (_, why) => Err(why.to_owned()),
    }
}

/// A published port accepts connections whether or not anybody listens inside, so only what the server says counts.
fn banner(address: SocketAddr, limit: Duration) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("{address}: {error}");
    let mut stream = TcpStream::connect_timeout(&address, limit).map_err(failed)?;
    stream.set_read_timeout(Some(limit)).map_err(failed)?;
    match stream.read(&mut [0; 1]).map_err(failed)? {
        0 => Err(format!("{address}: nobody listens inside yet")),
        _ => Ok(()),
    }
}

fn http(url: &str, limit: Duration) -> Result<(), String> {
    let agent: ureq::Agent = ureq::Agent::config_builder().timeout_global(Some(limit)).proxy(None).build().into();
    match agent.get(url).call() {
        Ok(response) if response.status() == 200 => Ok(()),
        Ok(response) => Err(format!("{url} answers {}", response.status())),
        Err(error) => Err(format!("{url}: {error}")),
    }
}

/// A question that was not answered in time, and why.
pub type Unanswered = (Question, String);

/// Asks all questions side by side, each again and again, until all are answered, the time is over, or `give_up`,
/// which is called now and then, says why there is no use in waiting.
pub fn wait(questions: &[Question], timeout: Duration, give_up: impl Fn() -> bool + Sync) -> Vec<Unanswered> {
    let end = Instant::now() + timeout;
    let over = std::sync::atomic::AtomicBool::new(false);
    // Wikis need everything else: asked before, they would only fail, keep the processor busy and fill the logs.
    let servers = std::sync::atomic::AtomicUsize::new(questions.iter().filter(|question| question.is_to_server()).count());
    let answers = std::thread::scope(|scope| {
        let threads: Vec<_> = questions.iter().map(|question| scope.spawn(|| wait_for(question, end, &over, &servers))).collect();
        let mut next_look = Instant::now() + Duration::from_secs(3);
        while threads.iter().any(|thread| !thread.is_finished()) {
            std::thread::sleep(Duration::from_millis(5));
            if Instant::now() > next_look {
                if give_up() {
                    over.store(true, std::sync::atomic::Ordering::Relaxed);
                }
                next_look = Instant::now() + Duration::from_secs(2);
            }
        }
        threads.into_iter().map(|thread| thread.join().expect("asking does not panic")).collect::<Vec<_>>()
    });
    questions.iter().cloned().zip(answers).filter_map(|(question, answer)| Some((question, answer.err()?))).collect()
}

fn wait_for(
    question: &Question,
    end: Instant,
    over: &std::sync::atomic::AtomicBool,
    servers: &std::sync::atomic::AtomicUsize,
) -> Result<(), String> {
    use std::sync::atomic::Ordering::Relaxed;
    while !question.is_to_server() && servers.load(Relaxed) > 0 && Instant::now() < end && !over.load(Relaxed) {
        std::thread::sleep(PAUSE);
    }
    loop {
        let left = end.saturating_duration_since(Instant::now());
        let answer = ask(&question.ask, QUESTION.min(left.max(PAUSE)));
        if answer.is_ok() || left.is_zero() || over.load(Relaxed) {
            if answer.is_ok() && question.is_to_server() {
                servers.fetch_sub(1, Relaxed);
            }
            return answer.map(drop);
        }
        std::thread::sleep(PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_says_how_a_member_fares() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("replication");
        let report = |since| report(&file, since);
        let long_ago = SystemTime::now() - Duration::from_secs(3600);
        assert_eq!(report(long_ago).unwrap_err(), "it has not said anything yet");
        std::fs::write(&file, "ready 3 s behind\n").unwrap();
        assert_eq!(report(long_ago).unwrap(), "3 s behind");
        let restarted = SystemTime::now() + Duration::from_secs(1);
        assert_eq!(report(restarted).unwrap_err(), "it has not said anything yet");
        std::fs::write(&file, "broken it has stopped: no such table\n").unwrap();
        assert_eq!(report(long_ago).unwrap_err(), "it has stopped: no such table");
        let old = SystemTime::now() - Duration::from_secs(60);
        std::fs::File::open(&file).unwrap().set_modified(old).unwrap();
        assert_eq!(report(long_ago).unwrap_err(), "it has not said anything for 60 seconds");
    }
}
