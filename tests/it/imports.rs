//! Import files: all packings, and those that are not whole or not what they seem.

use crate::sandbox::{Sandbox, podman};

const XML: &[u8] = include_bytes!("data/a.xml");
const BZ2: &[u8] = include_bytes!("data/b.xml.bz2");
const GZ: &[u8] = include_bytes!("data/c.xml.gz");
const SEVEN: &[u8] = include_bytes!("data/d.xml.7z");

/// A database server and the image that imports: no web.
fn set(sandbox: &Sandbox, wikis: &str) -> String {
    sandbox.private_seeds();
    sandbox.set("import", &format!("wikis:\n{wikis}members:\n  mw: {{count: 0}}\n  php: {{count: 0}}\n"))
}

#[test]
fn all_packings_become_one_wiki() {
    let sandbox = Sandbox::new();
    for (name, bytes) in [("a.xml", XML), ("b.xml.bz2", BZ2), ("c.xml.gz", GZ), ("d.xml.7z", SEVEN)] {
        sandbox.write(&format!("sets/{name}"), bytes);
    }
    let set = set(&sandbox, "  packed: {import: [a.xml, b.xml.bz2, c.xml.gz, d.xml.7z]}\n");
    sandbox.run(&["up", &set]).ok();
    let query = "SELECT page_title FROM packed.page WHERE page_namespace = 0 ORDER BY page_title";
    let pages = sandbox.run(&["exec", &set, "dbprimary", "mariadb", "--skip-column-names", "--batch", "--execute", query]).ok();
    for page in ["Page_A", "Page_B", "Page_C", "Page_D"] {
        assert!(pages.stdout.contains(page), "{pages}");
    }
}

#[test]
fn files_that_are_not_whole() {
    let sandbox = Sandbox::new();
    for (name, bytes) in [("a.xml", XML), ("b.xml.bz2", BZ2), ("c.xml.gz", GZ), ("d.xml.7z", SEVEN)] {
        sandbox.write(&format!("sets/{name}"), &bytes[..bytes.len() * 2 / 3]);
    }
    sandbox.write("sets/stub.xml", "<html><body>Not found</body></html>\n");
    let set = set(
        &sandbox,
        "  a: {import: a.xml}\n  b: {import: b.xml.bz2}\n  c: {import: c.xml.gz}\n  d: {import: d.xml.7z}\n  e: {import: stub.xml}\n  good: {}\n",
    );
    let ran = sandbox.run(&["up", &set]).status(1);
    let expected =
        ["a.xml: it is cut off", "b.xml.bz2: it is cut off", "c.xml.gz: it is cut off", "d.xml.7z: it is cut off or damaged"];
    for text in expected {
        assert!(ran.stderr.contains(text), "no {text:?} in {ran}");
    }
    assert!(ran.stderr.contains("stub.xml: it is XML, but not an export of MediaWiki"), "{ran}");
    // No seed that is half of what was asked for; the good wiki's work is kept.
    let seeds = |kind: &str| std::fs::read_dir(sandbox.at("cache/seeds").join(kind)).map(Iterator::count).unwrap_or(0);
    assert_eq!((seeds("farm"), seeds("wiki")), (0, 1));
    sandbox.nothing_left();
}

#[test]
fn files_that_are_not_what_their_names_say() {
    let sandbox = Sandbox::new();
    let cases: [(&str, &[u8], &str); 7] = [
        ("a.xml.bz2", GZ, "it is packed as .gz"),
        ("a.xml.gz", XML, "it is not packed"),
        ("a.xml", BZ2, "it is packed as .bz2"),
        ("b.xml", b"hello", "it is no XML"),
        ("a.xml.7z", b"", "it is empty"),
        ("a.pdf", XML, "its name does not say what it is"),
        ("2026-11-01T00:00,full.xml", XML, "podman cannot mount a path with both a comma and a colon in it"),
    ];
    for (name, bytes, expected) in cases {
        sandbox.write(&format!("sets/{name}"), bytes);
        let set = sandbox.set("import", &format!("wikis:\n  a:\n    import: {name}\n"));
        let ran = sandbox.run(&["plan", &set]).status(3).stderr_has(expected);
        ran.stderr_has(&format!("sets/{set}.yaml:3:")).stderr_has(name).stderr_has("hint:");
    }
}

#[test]
fn a_missing_file_is_found_before_anything_is_made() {
    let sandbox = Sandbox::new();
    // A cache without sources: were the file looked at when its turn comes, hundreds of megabytes would come first.
    sandbox.env("PODFARM_CACHE", sandbox.at("cache"));
    let set = sandbox.set("import", "wikis:\n  a: {import: nowhere.xml.bz2}\n");
    for verb in ["up", "create", "build"] {
        sandbox.run(&[verb, &set]).status(3).stderr_has("nowhere.xml.bz2: there is no such file").stderr_has(":2:");
    }
    assert!(!sandbox.at("cache").exists());
}

#[test]
fn a_disk_that_fills_up_while_importing() {
    let sandbox = Sandbox::new();
    let page = |number: u32| {
        // A megabyte that no page compression makes small, from a simple generator.
        let mut state = number.wrapping_mul(2_654_435_761).wrapping_add(1);
        let mut text = String::with_capacity(1 << 20);
        while text.len() < 1 << 20 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            text.push_str(&format!("{state:08x} "));
        }
        format!(
            "<page><title>Page {number}</title><ns>0</ns><id>{number}</id><revision><id>{number}</id>\
             <timestamp>2026-11-01T00:00:00Z</timestamp><contributor><ip>127.0.0.1</ip></contributor>\
             <model>wikitext</model><format>text/x-wiki</format><text bytes=\"{}\">{text}</text></revision></page>\n",
            text.len()
        )
    };
    let pages: String = (1..=80).map(page).collect();
    sandbox.write("sets/big.xml", format!("<mediawiki version=\"0.11\" xml:lang=\"en\">\n{pages}</mediawiki>\n"));
    let set = set(&sandbox, "  big: {import: big.xml}\n");
    // A small file system, in the mount name space that all of this user's podman containers come from. podfarm has to be
    // in there as well, to see the same files.
    let seeds = sandbox.at("cache/seeds");
    std::fs::create_dir_all(&seeds).expect("a folder");
    let script = "mount -t tmpfs -o size=150m podfarm-test \"$1\" || exit 99; shift; \"$@\"; status=$?; \
                  df -k \"$0\" >&2; find \"$0\" -mindepth 1 >&2; umount --lazy \"$0\"; exit $status";
    let seeds = seeds.display().to_string();
    let podfarm = env!("CARGO_BIN_EXE_podfarm");
    let data = sandbox.at("data");
    let variables = [("PODFARM_DATA", data), ("PODFARM_CACHE", sandbox.at("cache")), ("PODFARM_CONFIG", sandbox.at("config"))];
    let variables: Vec<_> = variables.iter().map(|(key, path)| format!("{key}={}", path.display())).collect();
    let here = format!("--chdir={}", sandbox.path().display());
    let mut arguments = vec!["unshare", "sh", "-c", script, &seeds, &seeds, "env", &here];
    arguments.extend(variables.iter().map(String::as_str));
    arguments.extend([podfarm, "create", &set]);
    let ran = podman(&arguments).status(1).stderr_has("the disk became full").stderr_has("hint:").stderr_has("`df -h ");
    ran.stderr_has_not(".building").stderr_has_not("seeds/farm/").stderr_has_not("seeds/wiki/");
    sandbox.nothing_left();
}
