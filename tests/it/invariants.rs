//! What ARCHITECTURE.md promises of the code, where a test can see it.

use std::path::{Path, PathBuf};

/// All source files, as paths below src/ and their text without their unit tests.
fn sources() -> Vec<(PathBuf, String)> {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![top.clone()];
    let mut sources = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).expect("a file");
                sources.push((path.strip_prefix(&top).expect("it lies there").to_owned(), text));
            }
        }
    }
    sources
}

/// The lines of product code with one of these words in it, in the files that are chosen.
fn found(words: &[&str], chosen: impl Fn(&Path) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    for (path, text) in sources().iter().filter(|(path, _)| chosen(path)) {
        let product = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
        let lines = product.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//"));
        let with_word = lines.filter(|(_, line)| words.iter().any(|word| line.contains(word)));
        found.extend(with_word.map(|(number, line)| format!("src/{}:{}: {}", path.display(), number + 1, line.trim())));
    }
    found
}

#[test]
fn one_file_starts_processes() {
    let words = ["Command::new", "xshell::", "Shell::new", "nix::unistd::fork", "exec::"];
    assert_eq!(found(&words, |path| path != Path::new("process.rs")), [""; 0]);
}

#[test]
fn one_file_prints() {
    let words = ["println!", "print!", "dbg!", "stdout().lock", "stderr().lock", "stdout().write", "stderr().write"];
    assert_eq!(found(&words, |path| path != Path::new("ui.rs")), [""; 0]);
}

#[test]
fn resolve_and_plan_do_no_input_or_output() {
    let words = ["std::fs", "fs::", "File::", "std::net::Tcp", "TcpListener", "std::env", "Podman", "Runner", "Instant::now"];
    let pure = |path: &Path| path.starts_with("resolve") || path == Path::new("plan.rs") || path == Path::new("podman/argv.rs");
    assert_eq!(found(&words, pure), [""; 0]);
}

#[test]
fn no_file_is_long() {
    let long = sources().into_iter().map(|(path, text)| (path, text.lines().count())).filter(|(_, lines)| *lines > 400);
    assert_eq!(long.collect::<Vec<_>>(), []);
}

#[test]
fn every_folder_of_the_map_is_there() {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let map = std::fs::read_to_string(top.join("ARCHITECTURE.md")).expect("a file");
    let rows = map.lines().filter(|line| line.starts_with("| `"));
    for name in rows.filter_map(|row| row.split('|').nth(1)).flat_map(|cell| cell.split('`').skip(1).step_by(2)) {
        // A module may be a file or a folder of that name.
        let module = name.strip_suffix(".rs").unwrap_or(name);
        let candidates = [name.to_owned(), module.to_owned(), format!("src/{name}"), format!("src/{module}")];
        assert!(candidates.iter().any(|path| top.join(path).exists()), "ARCHITECTURE.md names {name}");
    }
}
