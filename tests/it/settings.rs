//! The user's own settings.

use crate::sandbox::{SMALL, Sandbox, TINY};

#[test]
fn wrong_settings_are_refused_before_anything_is_touched() {
    let sandbox = Sandbox::new();
    let set = sandbox.set("demo", SMALL);
    for (text, line, what) in [
        ("adresses: {}\n", 1, "unknown field `adresses`"),
        ("addresses:\n  inside: 10.78.0.0/24\n", 2, "is no range such as 10.78.0.0/16"),
        ("addresses:\n  published: 10.78.0.0/16\n", 2, "is not a range of loopback addresses"),
    ] {
        sandbox.write("config/config.yaml", text);
        for verb in ["plan", "up", "doctor"] {
            let words: &[&str] = if verb == "doctor" { &[verb] } else { &[verb, &set] };
            let ran = sandbox.run(words).status(3);
            ran.stderr_has(&format!("config/config.yaml:{line}:")).stderr_has(what).stderr_has("hint:");
        }
    }
    // What takes a set down needs no settings.
    sandbox.run(&["destroy", &set]).ok();
    sandbox.nothing_left();
}

#[test]
fn a_folder_named_by_a_relative_path_is_refused() {
    for variable in ["PODFARM_CONFIG", "PODFARM_DATA", "PODFARM_CACHE"] {
        let sandbox = Sandbox::new();
        sandbox.env(variable, "./x");
        let ran = sandbox.run(&["list"]).status(2).stderr_has(&format!("{variable} is ./x, which is no absolute path"));
        ran.stderr_has(&format!("hint: write the whole path, such as {variable}={}", sandbox.at("x").display()));
        // A variable that is empty is as good as none.
        sandbox.env(variable, "");
        sandbox.run(&["list"]).ok();
    }
}

#[test]
fn a_set_has_addresses_of_the_range_it_was_made_in() {
    let sandbox = Sandbox::new();
    let set = sandbox.set("range", TINY);
    let config = sandbox.write("config/config.yaml", "addresses: {inside: 10.201.0.0/16, published: 127.201.0.0/16}\n");
    sandbox.run(&["up", &set]).ok();
    let addresses = || {
        let member = sandbox.status(&set)["members"][0].clone();
        let text = |key: &str| member[key].as_str().expect("an address").to_owned();
        assert_eq!(member["health"], "ready");
        (text("address"), text("published"))
    };
    let (inside, published) = addresses();
    assert!(inside.starts_with("10.201.") && published.starts_with("127.201."), "{inside} {published}");
    std::fs::remove_file(config).expect("it is there");
    let again = sandbox.run(&["up", &set]).ok();
    assert!(!again.stderr.contains("create"), "{again}");
    assert_eq!(addresses(), (inside.clone(), published.clone()));
    sandbox.run(&["reset", &set]).ok();
    assert_eq!(addresses(), (inside.clone(), published.clone()));
    sandbox.run(&["destroy", &set]).ok();
    sandbox.nothing_left();
}
