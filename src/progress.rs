//! What long work tells of itself. The core reports here; only `ui` prints.

/// Something that wants to know how work goes on. Called from several threads.
pub trait Progress: Sync {
    /// A line worth reading, such as why something is done.
    fn say(&self, line: &str);

    /// A task has got so far; `total` where it is known. `task` and `unit` are words to show.
    fn advance(&self, task: &str, done: u64, total: Option<u64>, unit: &str);

    /// A task is over and need not be shown any more.
    fn finish(&self, task: &str);
}
