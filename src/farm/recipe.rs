//! What is run to make a seed: command lines, as pure functions of the plan.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::seed::{self, SeedPlan, WikiSeed};
use super::worker::{Container, Worker, import_mount};
use crate::image::{Image, digest};
use crate::paths::Paths;
use crate::podman::argv;
use crate::podman::mount::Mounted;
use crate::process::Argv;
use crate::set::Set;
use crate::source::Tree;

/// The roles whose images seeding uses, whether or not the set has members of them.
pub const ROLES: [&str; 2] = [DATABASE, WORKER];
const DATABASE: &str = "mariadb";
const WORKER: &str = "snapshot";

/// What MariaDB's entrypoint needs: giving files to its user, and becoming it.
const DATABASE_CAPABILITIES: &[&str] = &["CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID"];
/// How long the server may take to write everything down, in seconds.
const STOP_SECONDS: &str = "600";
/// How the folders begin in which seeds are made.
pub(super) const BUILDING: &str = ".building-";
/// So many letters of an id are enough to tell seeds apart.
pub(super) const ID_IN_NAMES: usize = 16;

pub(super) struct Recipe<'a> {
    pub plan: &'a SeedPlan,
    pub set: &'a Set,
    trees: &'a [Tree],
    images: &'a BTreeMap<String, Image>,
    /// What names and labels of its containers tell: which seed, in which cache. Two caches can get the same seed at once.
    pub id: String,
    /// Where everything is until it is whole.
    pub folder: PathBuf,
}

/// The commands that make a seed, in the order in which they are begun.
///
/// # Errors
/// Where the set lacks an image that seeding needs, or a path cannot be mounted.
pub fn commands(
    plan: &SeedPlan,
    set: &Set,
    trees: &[Tree],
    images: &BTreeMap<String, Image>,
    paths: &Paths,
) -> Result<Vec<Argv>> {
    let recipe = Recipe::new(plan, set, trees, images, paths);
    let mut commands = Vec::new();
    for server in plan.servers() {
        commands.push(recipe.start_database(server)?);
    }
    for wiki in &plan.wikis {
        commands.push(recipe.worker(wiki)?.command()?);
    }
    commands.extend(recipe.stop_databases()?);
    commands.extend(plan.wikis.iter().flat_map(|wiki| recipe.gather(wiki)));
    Ok(commands)
}

impl<'a> Recipe<'a> {
    pub(super) fn new(
        plan: &'a SeedPlan,
        set: &'a Set,
        trees: &'a [Tree],
        images: &'a BTreeMap<String, Image>,
        paths: &Paths,
    ) -> Self {
        let id = digest([paths.cache.as_os_str().as_encoded_bytes(), plan.key.as_bytes()]);
        let folder = seed::folder(paths).join(format!("{BUILDING}{}", &id[..ID_IN_NAMES]));
        Self { plan, set, trees, images, id, folder }
    }

    pub(super) fn at(&self, path: impl AsRef<Path>) -> PathBuf {
        self.folder.join(path)
    }

    /// Where a wiki's seed is made.
    pub(super) fn workshop(&self, wiki: &WikiSeed) -> PathBuf {
        self.at("wikis").join(wiki.wiki.as_str())
    }

    fn image(&self, role: &str) -> Result<&str> {
        let image = self
            .images
            .get(role)
            .with_context(|| format!("seeding needs the image of role {role}, which the set does not have"))?;
        Ok(&image.tag)
    }

    fn container(&self, name: &str, role: &str, mounts: Vec<Mounted>) -> Result<Container<'_>> {
        let name = format!("podfarm-seed-{}-{name}", &self.id[..12]);
        Ok(Container { name, key: &self.id, image: self.image(role)?, mounts })
    }

    /// A database server that is filled.
    ///
    /// # Errors
    /// Where the set lacks an image that seeding needs.
    pub(super) fn database(&self, server: &str) -> Result<Container<'_>> {
        let mounts = vec![
            Mounted::new(self.at("result").join(server), "/var/lib/mysql"),
            Mounted::new(self.run_folder(server), "/run/mysqld"),
            Mounted::new(self.log_folder(server), "/var/log/mysql"),
        ];
        self.container(&format!("db-{server}"), DATABASE, mounts)
    }

    /// Where a server's socket is.
    pub(super) fn run_folder(&self, server: &str) -> PathBuf {
        self.at("run").join(server)
    }

    /// Where a server's log is.
    pub(super) fn log_folder(&self, server: &str) -> PathBuf {
        self.at("log").join(server)
    }

    /// # Errors
    /// As [`Recipe::database`].
    pub(super) fn start_database(&self, server: &str) -> Result<Argv> {
        let run = self.database(server)?.run(&["--detach"], DATABASE_CAPABILITIES)?;
        Ok(run.args(["MODE=seed", "SERVER_ID=1"]))
    }

    /// # Errors
    /// As [`Recipe::database`].
    pub(super) fn stop_databases(&self) -> Result<Option<Argv>> {
        let names = self.plan.servers().map(|server| Ok(self.database(server)?.name)).collect::<Result<Vec<_>>>()?;
        let stop = argv::podman().args(["stop", "--time", STOP_SECONDS, "--"]);
        Ok((!names.is_empty()).then(|| stop.args(names)))
    }

    /// One wiki's work: from its own seed where there is one, else from its inputs.
    ///
    /// # Errors
    /// As [`Recipe::database`].
    pub(super) fn worker<'w>(&'w self, wiki: &'w WikiSeed) -> Result<Worker<'w>> {
        let restore = wiki.path.is_dir();
        let folder = if restore { wiki.path.clone() } else { self.workshop(wiki) };
        let mut mounts =
            vec![Mounted::read_only(self.at("farm"), "/srv/farm"), Mounted::read_only(self.at("seed"), "/run/podfarm/seed")];
        mounts.extend(self.plan.servers().map(|server| Mounted::new(self.run_folder(server), format!("/run/mysqld/{server}"))));
        mounts.extend(self.trees.iter().map(|tree| Mounted::read_only(&tree.path, format!("/srv/mediawiki/{}", tree.name))));
        if restore {
            mounts.push(Mounted::read_only(folder.join("out"), "/out"));
        } else {
            mounts.extend(
                [("out", "/out"), ("images", "/srv/images"), ("cache", "/srv/cache")]
                    .map(|(part, at)| Mounted::new(folder.join(part), at)),
            );
            let imports = &self.set.wikis[&wiki.wiki].import;
            mounts.extend(imports.iter().enumerate().map(|(index, path)| import_mount(index, path)));
        }
        let container = self.container(&format!("wiki-{}", wiki.wiki), WORKER, mounts)?;
        Ok(Worker { container, wiki: wiki.wiki.as_str(), restore, jobs: cores() })
    }

    /// Adds a wiki's uploads and caches, and its compiled code, to the farm's. Seeds are never written to, so they can be
    /// the same files.
    pub(super) fn gather(&self, wiki: &WikiSeed) -> [Argv; 2] {
        [("result/shared", &["images", "cache"][..]), ("result", &["out/code"])].map(|(to, parts)| {
            let copy = argv::podman().args(["unshare", "cp", "--archive", "--link", "--force", "--target-directory"]);
            let from = parts.iter().map(|part| wiki.path.join(part).display().to_string());
            copy.arg(self.at(to).display().to_string()).arg("--").args(from)
        })
    }
}

/// Processes that may be busy at the same time.
pub(super) fn cores() -> usize {
    std::thread::available_parallelism().map_or(2, std::num::NonZero::get)
}
