//! The only place that prints: results on stdout, talk on stderr, progress on a terminal alone.

use std::collections::HashMap;
use std::io::{IsTerminal, Write};
use std::sync::Mutex;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::failure;
use crate::progress::Progress;

/// Owns both streams.
pub struct Ui {
    bars: MultiProgress,
    tasks: Mutex<HashMap<String, ProgressBar>>,
    terminal: bool,
    colour: bool,
    quiet: bool,
}

impl Ui {
    pub fn new(quiet: bool) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let colour = terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self { bars: MultiProgress::new(), tasks: Mutex::new(HashMap::new()), terminal, colour, quiet }
    }

    /// Prints a result. A reader that has gone away is not an error worth words.
    pub fn result(&self, text: &str) {
        let mut stdout = std::io::stdout().lock();
        let _ = writeln!(stdout, "{}", text.trim_end_matches('\n'));
    }

    /// Prints an error with its causes and hints.
    pub fn error(&self, error: &anyhow::Error) {
        let mut lines = Vec::new();
        for cause in error.chain() {
            let text = cause.to_string();
            // A cause that its context already tells in full is not told twice.
            if !lines.last().is_some_and(|last: &String| last.contains(&text)) {
                lines.push(text);
            }
        }
        let mut text = format!("{} {}", self.paint("31;1", "error:"), lines.join("\n  because "));
        for hint in failure::hints(error) {
            text.push_str(&format!("\n{} {hint}", self.paint("36", "hint:")));
        }
        self.talk(&text);
    }

    /// A table with a header, columns as wide as their widest cell.
    pub fn table(&self, header: &[&str], rows: &[Vec<String>]) {
        let width = |column: usize| {
            let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
            cells.chain([header[column].len()]).max().unwrap_or(0)
        };
        let widths: Vec<_> = (0..header.len()).map(width).collect();
        let line = |cells: &[String]| {
            let padded: Vec<_> = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
            padded.join("  ").trim_end().to_owned()
        };
        let mut lines = vec![line(&header.iter().map(|cell| cell.to_uppercase()).collect::<Vec<_>>())];
        lines.extend(rows.iter().map(|row| line(row)));
        self.result(&lines.join("\n"));
    }

    /// Asks and waits for yes; anything else, or no terminal to ask on, is no.
    pub fn confirm(&self, question: &str) -> bool {
        if !std::io::stdin().is_terminal() {
            return false;
        }
        self.talk(&format!("{question} [y/N]"));
        let mut answer = String::new();
        std::io::stdin().read_line(&mut answer).is_ok() && matches!(answer.trim(), "y" | "Y" | "yes")
    }

    fn talk(&self, text: &str) {
        if self.terminal {
            let _ = self.bars.println(text);
        } else {
            let _ = writeln!(std::io::stderr().lock(), "{text}");
        }
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

impl Progress for Ui {
    fn say(&self, line: &str) {
        if !self.quiet {
            self.talk(line);
        }
    }

    fn advance(&self, task: &str, done: u64, total: Option<u64>, unit: &str) {
        if !self.terminal || self.quiet {
            return;
        }
        let mut tasks = self.tasks.lock().expect("no thread panics holding it");
        let bar = tasks.entry(task.to_owned()).or_insert_with(|| {
            let bar = self.bars.add(ProgressBar::new(0));
            bar.set_prefix(task.to_owned());
            bar.enable_steady_tick(Duration::from_millis(200));
            bar
        });
        let style = match total {
            Some(total) => {
                bar.set_length(total);
                "{prefix:24!} {bar:24} {pos}/{len} {msg} {per_sec} {eta}"
            }
            None => "{prefix:24!} {spinner} {pos} {msg} {elapsed}",
        };
        bar.set_style(ProgressStyle::with_template(style).expect("a good template"));
        bar.set_message(unit.to_owned());
        bar.set_position(done);
    }

    fn finish(&self, task: &str) {
        if let Some(bar) = self.tasks.lock().expect("no thread panics holding it").remove(task) {
            bar.finish_and_clear();
            self.bars.remove(&bar);
        }
    }
}
