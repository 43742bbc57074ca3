//! Set files beside the commands they come to. Each case in golden/ is a set file, a line `$ podfarm …`, and what that prints.
//! `PODFARM_BLESS=1` writes down what is printed now; the difference is for a person to read.

use std::path::Path;

use serde_json::Value;

use crate::sandbox::{SMALL, Sandbox};

/// A podman that has nothing but networks with all other numbers, so that a set gets this one: no set on this machine has it, and
/// no other test, for podfarm tries the ports.
fn nothing_there(free: u8) -> String {
    let subnets: Vec<_> = (1..=254)
        .filter(|number| *number != free)
        .map(|number| format!(r#"{{"name": "n{number}", "subnets": [{{"subnet": "10.77.{number}.0/24"}}]}}"#))
        .collect();
    format!(
        "#!/bin/sh\ncase \"$1\" in\ninfo) echo '{{\"version\": {{\"Version\": \"4.3.1\"}}}}' ;;\nsecret) ;;\n\
         network) cat <<'END'\n[{}]\nEND\n;;\n*) echo '[]' ;;\nesac\n",
        subnets.join(", ")
    )
}

/// Without what is different on each machine, and with each change of an image.
fn normalised(text: &str, sandbox: &Sandbox, number: u8) -> String {
    let text = text.replace(&sandbox.path().display().to_string(), "/sandbox");
    let of_number = |number: u8| [format!(".77.{number}."), format!(":4d:{number:02x}:"), format!(".number={number}'")];
    let text = of_number(number).iter().zip(&of_number(254)).fold(text, |text, (own, one)| text.replace(own, one));
    // Whether an ordinary user may have port 22 is the machine's setting.
    let text = text
        .replace(":22:22", ":20022:22")
        .replace(":80:80", ":20080:80")
        .replace("=22:22", "=22:20022")
        .replace("=80:80", "=80:20080");
    let mut result = String::new();
    let mut digits = String::new();
    for character in text.chars().chain(['\n']) {
        if character.is_ascii_hexdigit() && !character.is_ascii_uppercase() {
            digits.push(character);
            continue;
        }
        result.push_str(if digits.len() >= 12 { "HASH" } else { &digits });
        digits.clear();
        result.push(character);
    }
    // A file that is being made is named after the process that makes it.
    let number = |piece: &str| {
        piece.trim_start_matches(|c: char| c.is_ascii_digit()).strip_prefix(".part").map(|rest| format!("N.part{rest}"))
    };
    let pieces: Vec<_> = result.split("HASH.").map(|piece| number(piece).unwrap_or_else(|| piece.to_owned())).collect();
    let result = pieces.join("HASH.");
    // One argument to a line.
    let lines = result.lines().map(|line| line.replace(" --", " \\\n    --").replace(" localhost/", " \\\n    localhost/"));
    lines.collect::<Vec<_>>().join("\n").trim_end().to_owned() + "\n"
}

fn check(name: &str, number: u8) {
    let sandbox = Sandbox::new();
    sandbox.env("PODFARM_CACHE", sandbox.at("cache"));
    sandbox.program("podman", &nothing_there(number));
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/it/golden/{name}.txt"));
    let case = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let (set, rest) = case.split_once("$ podfarm ").expect("a command");
    let (command, expected) = rest.split_once('\n').expect("what it prints");
    sandbox.write("sets/farm.yaml", set);
    sandbox.write("sets/el.xml.bz2", "BZh9");
    let printed = sandbox.run(&command.split(' ').collect::<Vec<_>>()).ok().stdout;
    let printed = normalised(&printed, &sandbox, number);
    if std::env::var_os("PODFARM_BLESS").is_some() {
        std::fs::write(&file, format!("{set}$ podfarm {command}\n{printed}")).expect("a file");
    } else if printed != expected {
        let difference = printed.lines().zip(expected.lines()).enumerate().find(|(_, (new, old))| new != old);
        panic!("{}: what is printed differs, first in {difference:#?}; all of it:\n{printed}", file.display());
    }
}

#[test]
fn the_smallest_set_planned() {
    check("smallest-plan", 251);
}

#[test]
fn the_smallest_set_up() {
    check("smallest-up", 252);
}

#[test]
fn a_farm_created() {
    check("farm-create", 253);
}

#[test]
fn a_plan_for_programs_is_the_same_plan() {
    let (sandbox, number) = (Sandbox::new(), 254);
    sandbox.env("PODFARM_CACHE", sandbox.at("cache"));
    sandbox.program("podman", &nothing_there(number));
    sandbox.write("sets/farm.yaml", SMALL);
    sandbox.write("sets/wrong.yaml", "wikies: {}\n");
    let json = |status: i32, sets: &[&str]| {
        let ran = sandbox.run(&[&["plan", "--format", "json"], sets].concat()).status(status);
        let plan: Value = serde_json::from_str(&ran.stdout).expect("JSON");
        assert_eq!(plan["version"], 1);
        plan["sets"].as_array().expect("a list").clone()
    };
    let [planned] = &json(0, &["farm"])[..] else { panic!("one set was asked for") };
    assert_eq!(planned["name"], "farm");
    let stages = planned["stages"].as_array().expect("a list");
    let steps: Vec<_> = stages.iter().flat_map(|stage| stage.as_array().expect("a list")).collect();
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let lines: Vec<_> = steps.iter().map(|step| format!("{}: {}", text(&step["what"]), text(&step["reason"]))).collect();
    let printed = sandbox.run(&["plan", "farm"]).ok().stdout;
    assert_eq!(lines, printed.lines().collect::<Vec<_>>());
    assert!(stages.len() > 2 && stages.len() < steps.len(), "{stages:#?}");

    // The commands are those of a dry run, where a secret's is followed by what it reads.
    let commands = steps.iter().flat_map(|step| step["commands"].as_array().expect("a list"));
    let quoted = |words: &Value| shell_words::join(words.as_array().expect("a list").iter().map(text));
    let dry = sandbox.run(&["up", "farm", "--dry-run"]).ok().stdout;
    let expected = dry.lines().map(|line| line.split(" < (").next().unwrap_or_default());
    let expected: Vec<_> = expected.filter(|line| !line.starts_with("# ")).collect();
    let commands: Vec<_> = commands.map(quoted).collect();
    let (commands, expected) =
        (normalised(&commands.join("\n"), &sandbox, number), normalised(&expected.join("\n"), &sandbox, number));
    let difference = commands.lines().zip(expected.lines()).find(|(new, old)| new != old);
    assert!(commands == expected, "first in {difference:#?}");

    // One that is wrong does not keep the others from being told.
    let others: Vec<_> = json(3, &["wrong", "farm"]).iter().map(|set| set["name"].clone()).collect();
    assert_eq!(others, ["farm"]);
}
