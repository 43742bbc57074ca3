//! Making a seed: a database server that nobody else reaches, one worker for each wiki, and a clean shutdown.
//!
//! All of it happens in a folder beside the seeds, which becomes the seed by a rename. Each such folder has a lock, and so
//! has each wiki's seed: what others make is waited for, and nothing else. Whatever a killed podfarm left has a folder that
//! nobody has locked, and is removed by the next one that looks.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use nix::sys::statvfs::statvfs;

use super::recipe::{BUILDING, ID_IN_NAMES, Recipe, cores};
use super::render::{Hosts, render_for, write};
use super::seed::{ABOUT, SeedPlan, WikiSeed, folder};
use super::worker::LABEL;
use super::{Rendered, remove_tree};
use crate::builtin;
use crate::failure::{Failure, Kind, join};
use crate::image::{Image, digest};
use crate::lock::Lock;
use crate::paths::Paths;
use crate::podman::{Podman, argv, observe, orphans};
use crate::process::{Input, side_by_side};
use crate::progress::Progress;
use crate::set::Set;
use crate::source::Tree;

/// How long the server may take to be there, with making its own tables first.
const START: Duration = Duration::from_secs(120);
/// How long the podman of a killed podfarm may take to end once its container is gone.
const ORPHANS: Duration = Duration::from_secs(10);
/// A disk with less room, in bytes, is full: no table can grow on it.
const LEAST_ROOM: u64 = 4 << 20;

struct Builder<'a> {
    recipe: Recipe<'a>,
    podman: &'a Podman,
    paths: &'a Paths,
    progress: &'a dyn Progress,
}

/// Makes a farm's seed, and those of its wikis that are not there.
///
/// # Errors
/// Naming each wiki that could not be seeded and why. Seeds of wikis that could are kept; nothing half made is.
pub fn build(
    plan: &SeedPlan,
    set: &Set,
    trees: &[Tree],
    images: &BTreeMap<String, Image>,
    podman: &Podman,
    paths: &Paths,
    progress: &dyn Progress,
) -> Result<()> {
    sweep(podman, paths)?;
    let recipe = Recipe::new(plan, set, trees, images, paths);
    let _lock = Lock::take(&paths.lock(&seed_lock(&recipe.id)), "the same seed", progress)?;
    if plan.present() {
        return Ok(());
    }
    let (id, folder) = (recipe.id.clone(), recipe.folder.clone());
    remove_half(podman, &id, &folder)?;
    let made = Builder { recipe, podman, paths, progress }.make();
    made.and(remove_half(podman, &id, &folder))
}

/// Removes what killed podfarms left of seeds they were making, and nothing of those that are being made at this moment.
///
/// # Errors
/// Where podman cannot remove it.
pub fn sweep(podman: &Podman, paths: &Paths) -> Result<()> {
    for entry in fs::read_dir(folder(paths)).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let Some(id) = name.to_str().and_then(|name| name.strip_prefix(BUILDING)) else { continue };
        if let Some(_lock) = Lock::try_take(&paths.lock(&seed_lock(id)))? {
            remove_half(podman, id, &entry.path())?;
        }
    }
    Ok(())
}

/// Those of the containers in which seeds were made by podfarms that were killed.
///
/// # Errors
/// Where a lock file cannot be made.
pub fn abandoned<'a>(containers: &'a [observe::Container], paths: &Paths) -> Result<Vec<&'a observe::Container>> {
    let mut abandoned = Vec::new();
    for container in containers {
        let Some(id) = container.label(LABEL) else { continue };
        if Lock::try_take(&paths.lock(&seed_lock(id)))?.is_some() {
            abandoned.push(container);
        }
    }
    Ok(abandoned)
}

/// The lock of whoever makes the seed of this [`Recipe::id`], of which the folder's name has the beginning.
fn seed_lock(id: &str) -> String {
    format!("seed-{}", &id[..id.len().min(ID_IN_NAMES)])
}

/// Removes all containers of a seed at once; the beginning of its [`Recipe::id`] will do.
fn remove_containers(podman: &Podman, id: &str) -> Result<()> {
    let containers = podman.containers()?;
    let is_ours = |container: &&observe::Container| container.label(LABEL).is_some_and(|label| label.starts_with(id));
    let ours: Vec<_> = containers.iter().filter(is_ours).map(|container| container.id.clone()).collect();
    if ours.is_empty() { Ok(()) } else { podman.output(&argv::remove(&ours), Input::Nothing).map(drop) }
}

/// Only with its lock held. A seed's folder is there before its containers and goes after them, so that it tells of them.
fn remove_half(podman: &Podman, id: &str, folder: &Path) -> Result<()> {
    if !folder.exists() {
        return Ok(());
    }
    let ends = Instant::now() + ORPHANS;
    loop {
        // Asked before podman lists what there is: a container in the making is in no list yet.
        let more = orphans::any_with_label(&format!("{LABEL}={id}"));
        let removed = remove_containers(podman, id); // podman fails where one ends by itself at that moment
        if removed.is_ok() && !more || Instant::now() > ends {
            return removed.and_then(|()| remove_tree(podman, folder));
        }
        sleep(Duration::from_millis(50));
    }
}

impl Builder<'_> {
    fn make(&self) -> Result<()> {
        self.write_ground()?;
        let servers: Vec<_> = self.recipe.plan.servers().collect();
        side_by_side(&servers, servers.len(), |server| self.start_database(server)).into_iter().collect::<Result<()>>()?;
        let mut wikis: Vec<&WikiSeed> = self.recipe.plan.wikis.iter().collect();
        // The longest first: then the short ones fill the time in which it keeps one core busy.
        wikis.sort_by_key(|wiki| std::cmp::Reverse(self.size(wiki)));
        let results = self.watching_space(|| side_by_side(&wikis, cores(), |wiki| self.seed_wiki(wiki)))?;
        join(results.into_iter().filter_map(Result::err).collect())?;
        self.stop_databases()?;
        self.gather_files()?;
        self.finish()
    }

    /// Works while the server's log is watched: on a full disk the server waits for room, for ever, with all who wait for it;
    /// and what it could not write may be missing without anybody having been told.
    fn watching_space<R>(&self, work: impl FnOnce() -> R) -> Result<R> {
        let over = AtomicBool::new(false);
        let result = std::thread::scope(|scope| {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) && !self.is_full() {
                    sleep(Duration::from_millis(200));
                }
                if !over.load(Ordering::Relaxed) {
                    let _ = remove_containers(self.podman, &self.recipe.id);
                }
            });
            let result = work();
            over.store(true, Ordering::Relaxed);
            result
        });
        if self.is_full() { Err(self.full()) } else { Ok(result) }
    }

    fn full(&self) -> anyhow::Error {
        let folder = self.recipe.folder.parent().unwrap_or(&self.recipe.folder).display();
        Failure::new(Kind::Failed, "the disk became full while the farm was being seeded")
            .hint(format!("seeds lie in {folder}: `df -h {folder}` shows how much room there is"))
            .into()
    }

    fn is_full(&self) -> bool {
        // The log may lie on the same disk, and so say nothing.
        let room = statvfs(&self.recipe.folder).map_or(u64::MAX, |disk| disk.blocks_available() * disk.fragment_size());
        if room < LEAST_ROOM {
            return true;
        }
        let complains = |log: String| ["Errcode: 28", "error 28", "' is full", "Disk full"].iter().any(|sign| log.contains(sign));
        self.recipe.plan.servers().any(|server| complains(self.log(server)))
    }

    /// What a database server has said.
    fn log(&self, server: &str) -> String {
        let log = fs::read(self.recipe.log_folder(server).join("error.log")).unwrap_or_default();
        String::from_utf8_lossy(&log).into_owned()
    }

    /// How much there is to do for a wiki, in bytes to read.
    fn size(&self, wiki: &WikiSeed) -> u64 {
        if wiki.path.is_dir() {
            return 0;
        }
        self.recipe.set.wikis[&wiki.wiki].import.iter().filter_map(|path| fs::metadata(path).ok()).map(|about| about.len()).sum()
    }

    fn write_ground(&self) -> Result<()> {
        for path in ["result/code", "result/shared/images", "result/shared/cache"] {
            self.make_folder(path)?;
        }
        for server in self.recipe.plan.servers() {
            self.make_folder(Path::new("result").join(server))?;
            self.make_folder(self.recipe.run_folder(server))?;
            self.make_folder(self.recipe.log_folder(server))?;
        }
        let hosts = Hosts::of_seeding(self.recipe.plan.store);
        write(&self.recipe.at("farm"), &render_for(self.recipe.set, &hosts)?)?;
        write(&self.recipe.at("seed"), &program())?;
        make_executable(&self.recipe.at("seed"))
    }

    fn make_folder(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = self.recipe.at(path);
        fs::create_dir_all(&path).with_context(|| format!("{}: cannot be made", path.display()))
    }

    fn start_database(&self, server: &str) -> Result<()> {
        self.podman.output(&self.recipe.start_database(server)?, Input::Nothing)?;
        let ends = Instant::now() + START;
        let mut looks = 0_u32;
        while !self.database_is_ready(server) {
            sleep(Duration::from_millis(50));
            looks += 1;
            // Whether it is still alive costs a process, so it is asked less often.
            if Instant::now() > ends || looks % 20 == 0 && !self.database_state(server)?.starts_with("true") {
                return Err(self.database_error(server, "did not start"));
            }
        }
        Ok(())
    }

    /// What it says of itself. Its socket is there before: told to stop then, MariaDB 10.11 waits for ever for a thread of its
    /// own that has ended already.
    fn database_is_ready(&self, server: &str) -> bool {
        self.log(server).contains("ready for connections")
    }

    /// `true 0` while it runs, then `false` and its exit status.
    fn database_state(&self, server: &str) -> Result<String> {
        let inspect = argv::podman().args(["inspect", "--format", "{{.State.Running}} {{.State.ExitCode}}", "--"]);
        self.podman.output(&inspect.arg(self.recipe.database(server)?.name), Input::Nothing)
    }

    /// Seeds a wiki from its inputs, which leaves a seed of its own, or from such a seed.
    fn seed_wiki(&self, wiki: &WikiSeed) -> Result<()> {
        // By its path: other caches have seeds of their own.
        let lock = digest([wiki.path.as_os_str().as_encoded_bytes()]);
        let _lock = Lock::take(&self.paths.lock(&seed_lock(&lock)), &format!("the same wiki, {}", wiki.wiki), self.progress)?;
        if wiki.path.is_dir() {
            return self.recipe.worker(wiki)?.run(self.podman, self.progress);
        }
        let folder = self.recipe.workshop(wiki);
        for part in ["out", "images", "cache"] {
            self.make_folder(folder.join(part))?;
        }
        let worked = self.recipe.worker(wiki)?.run(self.podman, self.progress);
        worked.map_err(|error| match self.dead_database() {
            Some(server) => error.context(self.database_error(server, "has died")),
            None => error,
        })?;
        if self.is_full() {
            return Err(self.full());
        }
        let keep = || -> Result<()> {
            fs::write(folder.join(ABOUT), serde_json::to_vec_pretty(&wiki.parts)?)?;
            fs::create_dir_all(wiki.path.parent().unwrap_or(&wiki.path))?;
            Ok(fs::rename(&folder, &wiki.path)?)
        };
        keep().with_context(|| format!("{}: cannot be written", wiki.path.display()))
    }

    fn dead_database(&self) -> Option<&'static str> {
        self.recipe.plan.servers().find(|server| self.database_state(server).is_ok_and(|state| !state.starts_with("true")))
    }

    /// Ends the servers so that their files are whole, and looks that they did.
    fn stop_databases(&self) -> Result<()> {
        let Some(stop) = self.recipe.stop_databases()? else { return Ok(()) };
        let task = "seed: writing the databases down";
        self.progress.advance(task, 0, None, "");
        self.podman.output(&stop, Input::Nothing)?;
        self.progress.finish(task);
        for server in self.recipe.plan.servers() {
            if self.database_state(server)?.trim() != "false 0" {
                return Err(self.database_error(server, "did not end cleanly"));
            }
        }
        Ok(())
    }

    /// Puts the wikis' uploads, caches and code together. Seeds are never written to, so they can be the same files.
    fn gather_files(&self) -> Result<()> {
        let mut copies = self.recipe.plan.wikis.iter().flat_map(|wiki| self.recipe.gather(wiki));
        copies.try_for_each(|copy| self.podman.output(&copy, Input::Nothing).map(drop))
    }

    fn finish(&self) -> Result<()> {
        let made: BTreeMap<_, _> = self.recipe.plan.wikis.iter().map(|wiki| (&wiki.wiki, &wiki.parts)).collect();
        let place = || -> std::io::Result<()> {
            fs::write(self.recipe.at("result").join(ABOUT), serde_json::to_vec_pretty(&made)?)?;
            fs::create_dir_all(self.recipe.plan.path.parent().unwrap_or(&self.recipe.plan.path))?;
            fs::rename(self.recipe.at("result"), &self.recipe.plan.path)
        };
        place().with_context(|| format!("{}: cannot be written", self.recipe.plan.path.display()))
    }

    /// An error with what a server last complained of.
    fn database_error(&self, server: &str, what: &str) -> anyhow::Error {
        let log = self.log(server);
        let console =
            self.recipe.database(server).and_then(|database| self.podman.output(&argv::logs(&database.name, 10), Input::Nothing));
        let complaints: Vec<_> = log.lines().filter(|line| line.contains("[ERROR]")).collect();
        let last = complaints[complaints.len().saturating_sub(5)..].iter().map(|line| format!("\n  {line}"));
        let console = console.unwrap_or_default();
        let said: String = last.chain(console.lines().map(|line| format!("\n  {line}"))).collect();
        anyhow!("the database server for seeding ({server}) {what}{said}")
    }
}

/// The program that workers run.
fn program() -> BTreeMap<PathBuf, Rendered> {
    builtin::files(&builtin::SEED).into_iter().map(|(path, bytes)| (path, Rendered::File(bytes.to_vec()))).collect()
}

/// Modes are not built into the binary: what begins as a program is one.
fn make_executable(folder: &Path) -> Result<()> {
    for (path, rendered) in program() {
        if matches!(&rendered, Rendered::File(bytes) if bytes.starts_with(b"#!")) {
            let path = folder.join(path);
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755))
                .with_context(|| format!("{}: no program", path.display()))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containers_are_abandoned_when_nobody_has_their_lock() {
        let folder = tempfile::tempdir().unwrap();
        let at = |path: &str| folder.path().join(path);
        let paths = Paths { config: at("config"), data: at("data"), cache: at("cache"), locks: at("locks") };
        let id = "0123456789abcdef0123456789abcdef";
        let listed = format!(
            r#"[{{"Id": "a", "Names": ["seeding"], "State": "running", "Labels": {{"{LABEL}": "{id}"}}}},
                {{"Id": "b", "Names": ["other"], "State": "running", "Labels": null}}]"#
        );
        let containers = observe::list(&listed).unwrap();
        let names = || abandoned(&containers, &paths).unwrap().iter().map(|container| container.name()).collect::<Vec<_>>();
        assert_eq!(names(), ["seeding"]);
        let _lock = Lock::try_take(&paths.lock(&seed_lock(id))).unwrap().unwrap();
        assert!(names().is_empty());
    }
}
