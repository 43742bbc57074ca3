//! A git repository at one commit. git names a commit by the hash of all that is in it, so what is checked out is what was asked for.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::{Tree, place, submodules};
use crate::failure::{Failure, Kind};
use crate::image::digest;
use crate::lock::Lock;
use crate::paths::Paths;
use crate::process::{Argv, CommandError, Input, Runner};
use crate::progress::Progress;
use crate::set::Set;

/// What fetching needs besides what is fetched.
pub(super) struct Git<'a> {
    runner: Runner,
    paths: &'a Paths,
    progress: &'a dyn Progress,
    /// What its progress is shown as.
    task: String,
}

/// Leaves the commit's files, with those of its submodules, in `<out>/tree`.
///
/// # Errors
/// [`Kind::SetFile`] where the repository has no such commit; else of the git command that failed.
pub(super) fn fetch(
    url: &str,
    commit: &str,
    tree: &Tree,
    set: &Set,
    out: &Path,
    paths: &Paths,
    progress: &dyn Progress,
) -> Result<()> {
    // Asking for a password would wait for an answer for ever.
    let runner = Runner::new().env("GIT_TERMINAL_PROMPT", "0").env("GIT_LFS_SKIP_SMUDGE", "1");
    let git = Git { runner, paths, progress, task: format!("source {}", tree.name) };
    match git.export(url, commit, &out.join("tree")) {
        Err(error) if error.downcast_ref::<NoSuchCommit>().is_some_and(|missing| missing.0 == commit) => Err(set.wrong(
            &place(tree, set),
            &format!("{url} has no commit {commit}"),
            "see `git log` in a clone of it; a commit that was never pushed, or that was rewritten, is not there",
        )),
        other => other,
    }
}

/// The repository answered, and does not have the commit.
#[derive(Debug)]
struct NoSuchCommit(String);

impl std::fmt::Display for NoSuchCommit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "there is no commit {}", self.0)
    }
}

impl std::error::Error for NoSuchCommit {}

impl Git<'_> {
    /// Writes the files of a commit and of its submodules into a folder.
    fn export(&self, url: &str, commit: &str, into: &Path) -> Result<()> {
        let cached = self.cached(url, commit)?;
        fs::create_dir_all(into).with_context(|| format!("{}: cannot be made", into.display()))?;
        let index = into.with_extension("index");
        let checkout = Argv::new("git").args(["--git-dir", &shown(&cached), "--work-tree", &shown(into)]).args([
            "-c",
            "core.autocrlf=false",
            "checkout",
            "--force",
            "--quiet",
            commit,
            "--",
            ".",
        ]);
        let runner = self.runner.clone().env("GIT_INDEX_FILE", &shown(&index));
        let result = runner.output(&checkout, Input::Nothing);
        let _ = fs::remove_file(&index);
        result?;
        let modules = self.submodules(&cached, url, commit, into)?;
        for (done, module) in modules.iter().enumerate() {
            self.progress.advance(&self.task, done as u64, Some(modules.len() as u64), "submodules");
            self.export(&module.url, &module.commit, &into.join(&module.path))
                .with_context(|| format!("submodule {} at {}", module.path, module.url))?;
        }
        Ok(())
    }

    fn submodules(&self, cached: &Path, url: &str, commit: &str, tree: &Path) -> Result<Vec<submodules::Submodule>> {
        let Ok(modules) = fs::read_to_string(tree.join(".gitmodules")) else { return Ok(Vec::new()) };
        let listing = self.git(cached, &["ls-tree", "-r", "-z", "--full-tree", commit])?;
        submodules::list(&modules, &listing, url)
    }

    /// The repository in the cache, with the commit in it.
    fn cached(&self, url: &str, commit: &str) -> Result<PathBuf> {
        let folder = cache(self.paths, url);
        let id = folder.file_name().unwrap_or_default().to_string_lossy();
        let _lock = Lock::take(&self.paths.lock(&format!("git-{id}")), url, self.progress)?;
        if !folder.join("HEAD").exists() {
            fs::create_dir_all(&folder).with_context(|| format!("{}: cannot be made", folder.display()))?;
            self.runner.output(&Argv::new("git").args(["init", "--quiet", "--bare", "--", &shown(&folder)]), Input::Nothing)?;
        }
        if self.has(&folder, commit) {
            return Ok(folder);
        }
        // Most servers give a single commit; from others all has to be fetched.
        let one = self.runner.output(&fetch_one(&folder, url, commit), Input::Nothing);
        if one.is_err() || !self.has(&folder, commit) {
            self.git(&folder, &["fetch", "--quiet", "--update-shallow", "--", url, "+refs/*:refs/fetched/*"])
                .map_err(|error| unreachable(url, error))?;
        }
        if self.has(&folder, commit) { Ok(folder) } else { Err(NoSuchCommit(commit.to_owned()).into()) }
    }

    fn has(&self, folder: &Path, commit: &str) -> bool {
        self.git(folder, &["cat-file", "-e", &format!("{commit}^{{commit}}")]).is_ok()
    }

    fn git(&self, folder: &Path, words: &[&str]) -> Result<String> {
        self.runner.output(&git(folder).args(words.to_vec()), Input::Nothing)
    }
}

/// Where what is known of a repository is kept.
pub(super) fn cache(paths: &Paths, url: &str) -> PathBuf {
    paths.cache.join("git").join(&digest([url.as_bytes()])[..16])
}

/// Fetches a commit, and nothing that came before it.
pub(super) fn fetch_one(folder: &Path, url: &str, commit: &str) -> Argv {
    git(folder).args(["fetch", "--quiet", "--depth=1", "--no-tags", "--", url, commit])
}

fn git(folder: &Path) -> Argv {
    Argv::new("git").args(["--git-dir", &shown(folder)])
}

fn unreachable(url: &str, error: anyhow::Error) -> anyhow::Error {
    let missing = error.downcast_ref::<CommandError>().is_some_and(|failed| failed.status.is_none());
    if missing {
        return error.context(Failure::new(Kind::Machine, "git is not installed").hint("sudo apt-get install git"));
    }
    error.context(
        Failure::new(Kind::Failed, format!("{url} could not be fetched"))
            .hint("`git ls-remote` with this url must work without asking anything"),
    )
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}
