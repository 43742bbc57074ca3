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

    println!("\nOther names, each asked for the first time; in microseconds; {ROUNDS} rounds of {QUESTIONS}\n");
    println!("{:<52}{:>8}{:>10}{:>8}{:>14}{:>8}", "", "before", "installed", "ratio", "dnsmasq dead", "ratio");
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

/// What becomes of other names in each of these states is compared.
#[derive(Clone, Copy)]
enum State {
    /// Without the link that `install` puts in.
    Before,
    Installed,
    Dead,
}

impl State {
    const ALL: [Self; 3] = [Self::Before, Self::Installed, Self::Dead];

    fn enter(self) {
        root(&format!("systemctl {} podfarm-hostdns", if matches!(self, Self::Before) { "stop" } else { "start" }));
        sh(&format!("systemctl --user {} podfarm-dnsmasq", if matches!(self, Self::Dead) { "stop" } else { "start" })).status(0);
    }
}

/// The same questions in each state, in turns so short that what else the machine does is the same for all. A round's ratio
/// is that of its medians, and the one that is shown is the median of all rounds' ratios.
fn compare(what: &str, prefix: &str) {
    let round = |round: usize| {
        let mut took = [[0; 2]; 3];
        let mut states = State::ALL;
        if round % 2 == 1 {
            states.reverse(); // so that none has what comes before it to thank, or to suffer from
        }
        for state in states {
            state.enter();
            let asked = others(&format!("{prefix}{round}state{}", state as usize));
            took[state as usize] = [0, 1].map(|kind| median(asked.iter().map(|both| both[kind])));
        }
        took
    };
    let rounds: Vec<_> = (0..ROUNDS).map(round).collect();
    State::Installed.enter();
    for (name, kind) in [("", 0), (", in the router's .lan", 1)] {
        let micros = State::ALL.map(|state| median(rounds.iter().map(|took| took[state as usize][kind])));
        let ratio = |state: State| {
            // In hundredths.
            let all = rounds.iter().map(|took| took[state as usize][kind] * 100 / took[State::Before as usize][kind]);
            median(all) as f64 / 100.0
        };
        println!(
            "{:<52}{:>8}{:>10}{:>8.2}{:>14}{:>8.2}",
            format!("{what}{name}"),
            micros[0],
            micros[1],
            ratio(State::Installed),
            micros[2],
            ratio(State::Dead)
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
