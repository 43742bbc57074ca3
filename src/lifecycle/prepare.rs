//! What a set needs before it can be created, and what other sets need as well: images, sources, seeds.

use std::collections::BTreeMap;

use anyhow::Result;

use super::{Report, Session};
use crate::farm::{self, SeedPlan};
use crate::image::{self, Image};
use crate::plan::{Stage, Step, Work};
use crate::podman::Inventory;
use crate::process::side_by_side;
use crate::resolve;
use crate::role::Roles;
use crate::set::{self, Set, SetName};
use crate::source::{self, Contents, Tree};

/// A set with the identities of everything it is made from.
pub(super) struct Ingredients {
    pub set: Set,
    /// Whether it has a server for the text of revisions.
    pub store: bool,
    /// Roles, with what the set adds to their images.
    pub roles: Roles,
    pub images: BTreeMap<String, Image>,
    /// The MediaWikis of its wikis.
    pub trees: Vec<Tree>,
    /// The code that makes dumps.
    pub dumps: Option<Tree>,
}

/// How far to prepare.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Until {
    Built,
    Seeded,
}

impl Ingredients {
    /// Reads a set and works out what it is made from, looking at its input files alone.
    pub(super) fn load(session: &Session<'_>, name: &SetName) -> Result<Self> {
        let set = set::load(name, &session.paths)?;
        let mut roles = resolve::roles_of(&set, session.roles()?)?;
        if !set.wikis.is_empty() {
            roles.extend(farm::ROLES.iter().map(|role| (*role).to_owned()));
        }
        let all = session.roles()?.with_shared(image::extra_files(&set)?);
        let images = image::desired(&all, &roles, &set.archive, set.base.as_deref())?;
        let used = |name: &&set::SourceName| set.wikis.values().any(|wiki| wiki.mediawiki == **name);
        let tree = |name: &set::SourceName, contents: Contents| {
            source::desired(name, contents, &set.sources[name], &set.archive, &session.paths)
        };
        let trees: Vec<_> = set.sources.keys().filter(used).map(|name| tree(name, Contents::MediaWiki)).collect();
        let dumps = set.dumps.as_ref().map(|dumps| tree(&dumps.source, Contents::Dumps));
        for tree in trees.iter().chain(&dumps) {
            source::check(tree, &set)?;
        }
        farm::check(&set)?;
        let store = resolve::provides(&set, session.roles()?, "db-store")?;
        Ok(Self { set, store, roles: all, images, trees, dumps })
    }

    /// All its sources.
    fn sources(&self) -> impl Iterator<Item = &Tree> {
        self.trees.iter().chain(&self.dumps)
    }

    /// Image tag by role.
    pub(super) fn tags(&self) -> BTreeMap<String, String> {
        self.images.iter().map(|(name, image)| (name.clone(), image.tag.clone())).collect()
    }

    /// The farm's seed, which there may be already.
    pub(super) fn seed(&self, session: &Session<'_>) -> Result<SeedPlan> {
        farm::desired(&self.set, self.store, &self.trees, &self.images, &session.paths)
    }
}

/// Builds the images and fetches the sources of a set.
///
/// # Errors
/// Where something cannot be built or fetched.
pub fn build(session: &Session<'_>, name: &SetName) -> Result<Report> {
    let _lock = session.lock_set(name)?;
    let ingredients = Ingredients::load(session, name)?;
    let mut report = Report::default();
    prepare(session, &ingredients, &session.podman.inventory()?, Until::Built, &mut report)?;
    Ok(report)
}

/// Whether there is nothing for [`prepare`] to do.
pub(super) fn is_prepared(session: &Session<'_>, ingredients: &Ingredients, inventory: &Inventory, until: Until) -> Result<bool> {
    Ok(ingredients.images.values().all(|image| inventory.has_image(&image.tag))
        && ingredients.sources().all(Tree::present)
        && (until == Until::Built || ingredients.seed(session)?.present()))
}

/// Makes whatever is missing of a set's images, sources and seed.
pub(super) fn prepare(
    session: &Session<'_>,
    ingredients: &Ingredients,
    inventory: &Inventory,
    until: Until,
    report: &mut Report,
) -> Result<()> {
    let missing = image::missing(&ingredients.images, &inventory.images);
    let trees: Vec<&Tree> = ingredients.sources().filter(|tree| !tree.present()).collect();
    let base_missing = missing.iter().filter(|image| image.parent.is_none()).copied().collect::<Vec<_>>();
    let others = missing.iter().filter(|image| image.parent.is_some()).copied().collect::<Vec<_>>();
    if !is_prepared(session, ingredients, inventory, until)? {
        if let Some(warning) = session.podman.check()? {
            session.progress.say(&warning);
        }
    }
    let step = |image: &&Image| image_step(session, ingredients, image, inventory);
    // Sources that are Debian packages are fetched in a container of the base image, so that comes first.
    let bases: Stage = base_missing.iter().map(step).collect();
    announce(session, report, bases);
    if !session.dry_run {
        image::build_all(
            &base_missing,
            &ingredients.images,
            &ingredients.roles,
            &session.podman,
            &session.paths,
            session.progress,
        )?;
    }
    let rest: Stage = others.iter().map(step).chain(trees.iter().map(|tree| source_step(session, ingredients, tree))).collect();
    announce(session, report, rest);
    if !session.dry_run {
        std::thread::scope(|scope| {
            let images = scope.spawn(|| {
                image::build_all(
                    &others,
                    &ingredients.images,
                    &ingredients.roles,
                    &session.podman,
                    &session.paths,
                    session.progress,
                )
            });
            let fetched = side_by_side(&trees, trees.len(), |tree| {
                source::prepare(tree, base_tag(ingredients), &ingredients.set, &session.podman, &session.paths, session.progress)
            });
            images.join().expect("building does not panic").and(fetched.into_iter().collect::<Result<()>>())
        })?;
    }
    if until == Until::Seeded {
        seed(session, ingredients, report)?;
    }
    Ok(())
}

fn seed(session: &Session<'_>, ingredients: &Ingredients, report: &mut Report) -> Result<()> {
    let plan = ingredients.seed(session)?;
    if plan.present() {
        return Ok(());
    }
    let (set, trees, images) = (&ingredients.set, &ingredients.trees, &ingredients.images);
    let wikis =
        plan.wikis.iter().map(|wiki| Step::new(format!("seed wiki {}", wiki.wiki), wiki.why.clone(), Work::Prepare(Vec::new())));
    let commands = farm::commands(&plan, set, trees, images, &session.paths)?;
    let farm = Step::new("put the farm's seed together", "no farm of these wikis was made", Work::Prepare(commands));
    announce(session, report, wikis.chain([farm]).collect());
    if session.dry_run {
        return Ok(());
    }
    farm::build(&plan, set, trees, images, &session.podman, &session.paths, session.progress)
}

/// Says what a stage does and why, and puts it into the report.
fn announce(session: &Session<'_>, report: &mut Report, stage: Stage) {
    if stage.is_empty() {
        return;
    }
    if !session.dry_run {
        for step in &stage {
            session.progress.say(&format!("{} ({})", step.what, step.reason));
        }
    }
    report.stages.push(stage);
}

fn image_step(session: &Session<'_>, ingredients: &Ingredients, image: &Image, inventory: &Inventory) -> Step {
    let commands = image::commands(image, &ingredients.images, &session.paths);
    Step::new(format!("build image {}", image.name), image::reason(image, &inventory.images), Work::Prepare(commands))
}

fn source_step(session: &Session<'_>, ingredients: &Ingredients, tree: &Tree) -> Step {
    let commands = source::commands(tree, base_tag(ingredients), &ingredients.set, &session.paths);
    Step::new(format!("fetch source {}", tree.name), "it is not in the cache", Work::Prepare(commands))
}

/// The tag of the image that Debian packages are fetched in.
fn base_tag(ingredients: &Ingredients) -> &str {
    ingredients.images.get("base").map_or("", |image| image.tag.as_str())
}
