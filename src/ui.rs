//! The only place that prints: results on stdout, talk on stderr; progress as bars on a terminal, else as a line now and then.

use std::collections::HashMap;
use std::io::{IsTerminal, Write};
use std::os::fd::AsFd;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::{HumanDuration, MultiProgress, ProgressBar, ProgressState, ProgressStyle};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::failure;
use crate::progress::Progress;

/// Between two lines about a task where there is no terminal to draw a bar on.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// Owns both streams.
pub struct Ui {
    bars: MultiProgress,
    tasks: Mutex<HashMap<String, ProgressBar>>,
    lines: Mutex<HashMap<String, TaskLines>>,
    terminal: bool,
    colour: bool,
    quiet: bool,
}

impl Ui {
    pub fn new(quiet: bool) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let colour = terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self { bars: MultiProgress::new(), tasks: Mutex::default(), lines: Mutex::default(), terminal, colour, quiet }
    }

    /// Prints a result. A reader that has gone away is not an error worth words.
    pub fn result(&self, text: &str) {
        let mut stdout = std::io::stdout().lock();
        let _ = writeln!(stdout, "{}", text.trim_end_matches('\n'));
    }

    /// Whether whoever read the results has gone away, as `head` does when it has seen enough.
    pub fn reader_is_gone(&self) -> bool {
        let stdout = std::io::stdout();
        // Nothing is asked for, so that only an error or a hangup is told.
        let mut asked = [PollFd::new(stdout.as_fd(), PollFlags::empty())];
        poll(&mut asked, PollTimeout::ZERO).is_ok() && asked[0].any().unwrap_or(true)
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
        let mut stderr = std::io::stderr().lock();
        let _ = write!(stderr, "{question} [y/N] ").and_then(|()| stderr.flush());
        let mut answer = String::new();
        std::io::stdin().read_line(&mut answer).is_ok() && matches!(answer.trim(), "y" | "Y" | "yes")
    }

    fn talk(&self, text: &str) {
        if self.terminal {
            // Bars are drawn below it, and those who draw them leave out tabs.
            let _ = self.bars.println(text.replace('\t', "    "));
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
        if self.quiet {
            return;
        }
        if !self.terminal {
            let mut tasks = self.lines.lock().expect("no thread panics holding it");
            let lines = tasks.entry(task.to_owned()).or_insert_with(|| TaskLines::new(Instant::now()));
            if let Some(line) = lines.line(Instant::now(), task, done, total, unit) {
                self.talk(&line);
            }
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
                "{prefix:28!} {wide_bar} {pos}/{len} {msg}{rate}"
            }
            None => "{prefix:28!} {spinner} {msg} {elapsed}",
        };
        bar.set_style(ProgressStyle::with_template(style).expect("a good template").with_key("rate", write_rate));
        bar.set_message(unit.to_owned());
        bar.set_position(done);
    }

    fn finish(&self, task: &str) {
        self.lines.lock().expect("no thread panics holding it").remove(task);
        if let Some(bar) = self.tasks.lock().expect("no thread panics holding it").remove(task) {
            bar.finish_and_clear();
            self.bars.remove(&bar);
        }
    }
}

/// How fast it goes and how long it will take, once that can be told.
fn write_rate(state: &ProgressState, out: &mut dyn std::fmt::Write) {
    if state.pos() > 0 && state.per_sec() >= 1.0 {
        let _ = write!(out, ", {:.0}/s, {:#} left", state.per_sec(), HumanDuration(state.eta()));
    }
}

/// When a task began and was last told of.
struct TaskLines {
    began: Instant,
    told: Instant,
}

impl TaskLines {
    fn new(now: Instant) -> Self {
        Self { began: now, told: now }
    }

    /// How far a task has got, if it is time to tell.
    fn line(&mut self, now: Instant, task: &str, done: u64, total: Option<u64>, unit: &str) -> Option<String> {
        if now - self.told < LINE_EVERY {
            return None;
        }
        self.told = now;
        let of = total.map_or_else(String::new, |total| format!(" of {total}"));
        let rate = done / (now - self.began).as_secs().max(1);
        let rate = if rate > 0 { format!(", {rate}/s") } else { String::new() };
        Some(format!("{task}: {done}{of} {unit}{rate}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_terminal_a_long_task_is_told_of_now_and_then() {
        let start = Instant::now();
        let mut lines = TaskLines::new(start);
        let mut at =
            |seconds, done| lines.line(start + Duration::from_secs(seconds), "wiki elvoy: import", done, Some(2040), "pages");
        assert_eq!(at(9, 300), None);
        assert_eq!(at(12, 420).as_deref(), Some("wiki elvoy: import: 420 of 2040 pages, 35/s"));
        assert_eq!(at(20, 700), None);
        assert_eq!(at(23, 3).as_deref(), Some("wiki elvoy: import: 3 of 2040 pages"));
    }
}
