//! How fast names are: podfarm's own, and all others with and without podfarm's beside them. Like the tests beside it, it
//! boots a Debian and runs in there. scripts/bench-names calls it; docs/bench.md has what it came to.

#[path = "../common/mod.rs"]
mod common;
#[allow(dead_code)] // the tests use the rest of it
mod dns;
#[allow(dead_code)] // likewise
mod machine;
mod router;

use std::fs;
use std::time::{Duration, Instant};

use dns::Kind;
use machine::{home, podfarm, root, sh};

const ROUNDS: usize = 40;
const QUESTIONS: usize = 20;
const WARM_UP: usize = 10;
const TINY: &str = "members:\n  mw: {count: 0}\n  php: {count: 0}\n  snapshot: {count: 0}\n";
const NAME: &str = "tiny-dbprimary.tiny.lan";

fn main() {
    if machine::is_inside() {
        return measure();
    }
    let suite = std::env::args().skip(1).find(|word| !word.starts_with('-')).unwrap_or_else(|| "trixie".to_owned());
    let ended = machine::boot(&suite, &[]);
    std::process::exit(ended.code().unwrap_or(1));
}

fn measure() {
    println!("{}", sh("systemctl --version | head -n 1").stdout.trim());
    router::play();
    fs::create_dir_all("sets").expect("a folder");
    fs::write("sets/tiny.yaml", TINY).expect("a file");
    podfarm(&["build", "tiny"]).status(0);

    println!("\nOther names, each asked for the first time; medians of {ROUNDS} times {QUESTIONS}, in microseconds\n");
    println!("{:<34}{:>8}{:>10}{:>8}{:>14}{:>8}", "", "before", "installed", "ratio", "dnsmasq dead", "ratio");
    podfarm(&["hostdns", "install", "--yes", "--no-ports", "--no-ssh"]).status(0);
    compare("no set", "n");
    podfarm(&["up", "tiny"]).status(0);
    compare("1 set", "o");
    hundred_sets();
    compare("100 sets of 12 members and 1", "p");

    println!("\nA name of podfarm's, in microseconds: median, slowest of {}", ROUNDS * QUESTIONS);
    no_sets();
    own("1 set", NAME);
    hundred_sets();
    own("100 sets of 12 members and 1", NAME);
    own("another of these sets", "s99-m11.s99.lan");

    println!("\nFrom a set's url being printed to its name being resolved, and from its file being there, in milliseconds");
    appear("101 sets");
    no_sets();
    appear("1 set");
}

/// The same questions without the link that `install` puts in, with it, and with dnsmasq dead, in turns so short that what
/// else the machine does is the same for all.
fn compare(what: &str, prefix: &str) {
    let [mut before, mut installed, mut dead] = [const { Vec::new() }; 3];
    for round in 0..ROUNDS {
        root("systemctl stop podfarm-hostdns");
        before.extend(others(&format!("{prefix}{round}before")));
        root("systemctl start podfarm-hostdns");
        installed.extend(others(&format!("{prefix}{round}installed")));
        sh("systemctl --user stop podfarm-dnsmasq").status(0);
        dead.extend(others(&format!("{prefix}{round}dead")));
        sh("systemctl --user start podfarm-dnsmasq").status(0);
    }
    for (kind, place) in [("", 0), (", in the router's .lan", 1)] {
        let [before, installed, dead] = [&before, &installed, &dead].map(|all| median(all.iter().map(|both| both[place])));
        println!(
            "{:<34}{:>8}{:>10}{:>8.2}{:>14}{:>8.2}",
            format!("{what}{kind}"),
            before,
            installed,
            installed as f64 / before as f64,
            dead,
            dead as f64 / before as f64
        );
    }
}

/// How long names nobody has asked for before take: outside ones, and ones the router does not know in its own domain.
fn others(label: &str) -> Vec<[u128; 2]> {
    let ask = |name: String| dns::ask(dns::resolver(), &name, Kind::A).expect("an answer").took.as_micros();
    let question = |number| [ask(format!("{label}{number}.outside.example")), ask(format!("{label}{number}.lan"))];
    // The first ones after a link has come or gone are another matter.
    (0..QUESTIONS + WARM_UP).map(question).skip(WARM_UP).collect()
}

fn own(what: &str, name: &str) {
    machine::until(name, || match dns::address(name).count {
        1 => Ok(()),
        _ => Err(router::state()),
    });
    let all: Vec<_> = (0..ROUNDS * QUESTIONS).map(|_| dns::address(name).took.as_micros()).collect();
    println!("{:<34}{:>8}{:>10}", what, median(all.iter().copied()), all.iter().max().expect("some"));
}

fn appear(what: &str) {
    let wait = |name: &str| {
        let began = Instant::now();
        while dns::address(name).count == 0 {
            std::thread::sleep(Duration::from_millis(1));
        }
        began.elapsed().as_millis()
    };
    let of_a_set = |_| {
        podfarm(&["destroy", "tiny"]).status(0);
        podfarm(&["up", "tiny"]).status(0);
        wait(NAME)
    };
    let of_a_file = |round: usize| {
        fs::write(names().join(format!("new{round}")), format!("127.77.250.{} a.new{round}.lan\n", round + 1)).expect("a file");
        let took = wait(&format!("a.new{round}.lan"));
        fs::remove_file(names().join(format!("new{round}"))).expect("it is there");
        took
    };
    let list = |all: Vec<u128>| all.iter().map(u128::to_string).collect::<Vec<_>>().join(" ");
    println!("{what:<34}{:>20}   {}", list((0..5).map(of_a_set).collect()), list((0..10).map(of_a_file).collect()));
}

fn names() -> std::path::PathBuf {
    home().join(".local/share/podfarm/names")
}

fn hundred_sets() {
    for set in 0..100 {
        let members = (0..12).map(|member| format!("127.77.{}.{} s{set}-m{member}.s{set}.lan\n", set + 100, member + 2));
        fs::write(names().join(format!("s{set}")), members.collect::<String>()).expect("a file");
    }
}

fn no_sets() {
    for set in 0..100 {
        let _ = fs::remove_file(names().join(format!("s{set}")));
    }
}

fn median(all: impl Iterator<Item = u128>) -> u128 {
    let mut all: Vec<_> = all.collect();
    all.sort_unstable();
    all[all.len() / 2]
}
