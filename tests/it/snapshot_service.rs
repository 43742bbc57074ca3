//! A snapshot service: the Debian archive of this machine's own mirror, under the name of a moment.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// Answers on loopback until the test ends.
pub struct SnapshotService {
    port: u16,
    asked: Arc<Mutex<Vec<String>>>,
}

impl SnapshotService {
    /// `mirror` is the url of the archive as it is now.
    pub fn start(mirror: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (mirror, log) = (mirror.trim_end_matches('/').to_owned(), Arc::clone(&asked));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (mirror, log) = (mirror.clone(), Arc::clone(&log));
                std::thread::spawn(move || converse(stream, &mirror, &log));
            }
        });
        Self { port, asked }
    }

    /// What to write as `archive: {mirror: …}`.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/{{snapshot}}/debian", self.port)
    }

    /// The paths that were asked for since the last time.
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().expect("no thread panics holding it"))
    }
}

/// Answers request after request, as apt sends them, until the other side has enough.
fn converse(stream: TcpStream, mirror: &str, asked: &Mutex<Vec<String>>) {
    let mut reader = BufReader::new(stream.try_clone().expect("a second handle"));
    while let Some(path) = request(&mut reader) {
        asked.lock().expect("no thread panics holding it").push(path.clone());
        let answer = path.split_once("/debian/").and_then(|(_, rest)| get(&format!("{mirror}/{rest}")));
        let (status, body) = answer.map_or(("404 Not Found", Vec::new()), |body| ("200 OK", body));
        let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n", body.len());
        let mut stream = &stream;
        if stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body)).is_err() {
            return;
        }
    }
}

/// The path of the next request.
fn request(reader: &mut impl BufRead) -> Option<String> {
    let mut first = String::new();
    reader.read_line(&mut first).ok()?;
    let path = first.split(' ').nth(1)?.to_owned();
    let mut line = String::new();
    while reader.read_line(&mut line).ok()? > 0 && line.trim_end() != "" {
        line.clear();
    }
    Some(path)
}

fn get(url: &str) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    ureq::get(url).call().ok()?.into_body().into_reader().read_to_end(&mut body).ok()?;
    Some(body)
}
