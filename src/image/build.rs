//! Building images: podman's and mmdebstrap's command lines, and running them.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Deserialize;

use super::{BASE, Image, REPOSITORY, base, extra, hash, oci, order};
use crate::failure::{Failure, Kind};
use crate::lock::Lock;
use crate::paths::Paths;
use crate::podman::{Podman, argv, observe, orphans};
use crate::process::{Argv, CommandError, Input, Runner, find_program};
use crate::progress::Progress;
use crate::role::Roles;

/// Lines of a failed build's output that its error shows.
const LAST_LINES: usize = 25;

/// What a failed build says when the archive did not answer: then it is tried once more.
const FLAKY: &[&str] = &[
    "Failed to fetch",
    "Unable to fetch",
    "Temporary failure",
    "Could not resolve",
    "Connection failed",
    "Connection timed out",
    "apt-get update --error-on=any",
    "Hash Sum mismatch",
];

struct Builder<'a> {
    images: &'a BTreeMap<String, Image>,
    roles: &'a Roles,
    podman: &'a Podman,
    paths: &'a Paths,
    progress: &'a dyn Progress,
}

/// Builds images: those that do not depend on each other at the same time, and each after the one it is built on.
///
/// # Errors
/// Of the first image that could not be built, with the last lines of its output; [`Kind::Machine`] where mmdebstrap is missing.
pub fn build_all(
    missing: &[&Image],
    images: &BTreeMap<String, Image>,
    roles: &Roles,
    podman: &Podman,
    paths: &Paths,
    progress: &dyn Progress,
) -> Result<()> {
    if missing.is_empty() {
        return Ok(());
    }
    let _lock = Lock::take(&paths.lock("images"), "images", progress)?;
    let builder = Builder { images, roles, podman, paths, progress };
    orphans::IMAGES.wait(|| progress.say("podman is still building for a podfarm that was killed: waiting for it"));
    builder.remove_leftovers()?;
    // Whoever had the lock may have built some of them.
    let existing = podman.images()?;
    let exists = |image: &Image| existing.iter().any(|other| other.names.contains(&image.tag));
    let still: Vec<&Image> = missing.iter().copied().filter(|image| !exists(image)).collect();
    order::build(&still, cores() + 1, |image| builder.build(image))
}

/// The commands that build an image, as they are run.
pub fn commands(image: &Image, images: &BTreeMap<String, Image>, paths: &Paths) -> Vec<Argv> {
    let stage = stage_folder(image, paths);
    let Some(parent) = image.parent.as_ref().and_then(|parent| images.get(parent)) else {
        return match &image.origin.registry {
            Some(registry) => vec![podman_build(image, registry, &stage)],
            None => base_commands(image, paths),
        };
    };
    vec![podman_build(image, &parent.tag, &stage)]
}

fn base_commands(image: &Image, paths: &Paths) -> Vec<Argv> {
    let archive = stage_folder(image, paths).with_extension("tar");
    vec![
        base::mmdebstrap(&image.origin.archive, &base_part(image, paths)),
        pack(image, paths),
        argv::podman().args(["load", "--quiet", "--input"]).arg(archive.display().to_string()),
    ]
}

/// podman names an image it loads as the layout says only where that is in an archive.
fn pack(image: &Image, paths: &Paths) -> Argv {
    let stage = stage_folder(image, paths);
    let archive = stage.with_extension("tar").display().to_string();
    Argv::new("tar").args(["--create", "--file", &archive, "--directory", &stage.display().to_string(), "."])
}

fn podman_build(image: &Image, base: &str, context: &Path) -> Argv {
    let pull = if image.parent.is_some() { "never" } else { "missing" };
    let mut build = argv::podman().args(["build", "--format=oci", "--identity-label=false", "--layers=false", "--force-rm"]);
    build = build.arg(format!("--pull={pull}")).arg(format!("--timestamp={}", base::epoch(&image.origin.archive)));
    // The host's network is there without a network, too, and reaches a mirror on this machine.
    build = build.args(["--network=host", "--build-arg", &format!("BASE={base}")]);
    let archive = &image.origin.archive;
    for folder in base::local_mirror(archive).into_iter().chain(extra::local(archive)) {
        build = build.args(["--volume", &format!("{folder}:{folder}:ro")]);
    }
    build.args(argv::label_options(&image.labels())).args(["--tag", &image.tag]).arg(context.display().to_string())
}

/// Where Debian lies between being bootstrapped and being loaded, and afterwards, for podman may lose its images.
fn base_tar(image: &Image, paths: &Paths) -> PathBuf {
    paths.cache.join("bases").join(format!("{}.tar", image.hash))
}

/// Where it is written until it is whole. A killed podfarm's mmdebstrap goes on, so each has a file of its own.
fn base_part(image: &Image, paths: &Paths) -> PathBuf {
    paths.cache.join("bases").join(format!("{}.{}.part", image.hash, std::process::id()))
}

fn stage_folder(image: &Image, paths: &Paths) -> PathBuf {
    paths.cache.join("build").join(format!("{}-{}", image.name, &image.hash[..16]))
}

impl Builder<'_> {
    fn build(&self, image: &Image) -> Result<()> {
        let stage = stage_folder(image, self.paths);
        let built = self.attempt(image, &stage).or_else(|error| {
            if !is_flaky(&error) {
                return Err(error);
            }
            self.progress.say(&format!("image {}: the archive did not answer well, trying once more", image.name));
            self.attempt(image, &stage)
        });
        self.progress.finish(&task(image));
        remove_stage(&stage)?;
        built.with_context(|| format!("image {} could not be built", image.name))
    }

    fn attempt(&self, image: &Image, stage: &Path) -> Result<()> {
        remove_stage(stage)?;
        if image.parent.is_none() && image.origin.registry.is_none() {
            return self.bootstrap(image, stage);
        }
        if image.parent.is_none() {
            write_file(&stage.join("Containerfile"), b"ARG BASE\nFROM ${BASE}\n", false)?;
        } else {
            write_context(image, self.roles, stage)?;
        }
        let command = commands(image, self.images, self.paths).remove(0);
        self.run(image, &command)
    }

    fn bootstrap(&self, image: &Image, stage: &Path) -> Result<()> {
        let tar = base_tar(image, self.paths);
        let [mmdebstrap, pack, load] = base_commands(image, self.paths).try_into().expect("a base takes three commands");
        if !tar.exists() {
            if find_program("mmdebstrap").is_none() {
                return Err(Failure::new(Kind::Machine, "mmdebstrap is not installed, and images begin with it")
                    .hint("sudo apt-get install mmdebstrap")
                    .into());
            }
            let bases = tar.parent().expect("it lies in bases/");
            fs::create_dir_all(bases).with_context(|| format!("{}: cannot be made", bases.display()))?;
            remove_parts(bases)?;
            self.run(image, &mmdebstrap)?;
            fs::rename(base_part(image, self.paths), &tar).with_context(|| format!("{}: cannot be written", tar.display()))?;
        }
        let labels = image.labels();
        let created = base::created(&image.origin.archive);
        let description =
            oci::Description { tag: &image.tag, architecture: base::architecture(), created: &created, labels: &labels };
        oci::write(stage, &tar, &description)?;
        self.run(image, &pack)?;
        self.run(image, &load)
    }

    /// Runs a command of a build, showing how far it is; its error has the last lines of all it said.
    fn run(&self, image: &Image, command: &Argv) -> Result<()> {
        let mut said = Vec::new();
        let runner = Runner::new();
        let result = runner.stream(command, Input::Nothing, |line| {
            if let Some((done, total)) = step(line) {
                self.progress.advance(&task(image), done, Some(total), "steps");
            }
            said.push(line.to_owned());
        });
        result.map_err(|error| match error.downcast::<CommandError>() {
            Ok(error) => {
                said.extend(error.stderr.lines().map(str::to_owned));
                let last = said[said.len().saturating_sub(LAST_LINES)..].join("\n");
                CommandError { stderr: last, ..error }.into()
            }
            Err(error) => error,
        })
    }

    /// Removes what a killed build left behind. Only called with the lock held: then no build of ours is running.
    fn remove_leftovers(&self) -> Result<()> {
        remove_stage(&self.paths.cache.join("build"))?;
        let list = argv::podman().args(["ps", "--all", "--external", "--format", "json"]);
        let all: Vec<External> = observe::list(&self.podman.ask(&list)?)?;
        let ours: Vec<String> = all.into_iter().filter(External::is_ours).map(|container| container.id).collect();
        if !ours.is_empty() {
            self.podman.output(&argv::podman().args(["rm", "--force", "--"]).args(ours), Input::Nothing)?;
        }
        Ok(())
    }
}

/// A container as `podman ps --external` lists it: those that builds work in have the state "storage" and the command
/// "buildah". One that another podfarm is creating at this moment has the same state, and another command.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct External {
    id: String,
    #[serde(default)]
    image: String,
    #[serde(default)]
    state: String,
    #[serde(default)]
    command: Option<Vec<String>>,
}

impl External {
    fn is_ours(&self) -> bool {
        let in_build = self.command.as_deref().is_some_and(|command| command == ["buildah"]);
        in_build && self.state.eq_ignore_ascii_case("storage") && self.image.starts_with(REPOSITORY)
    }
}

/// Puts a build context together: the folder's files and, under base/, those that all images share.
fn write_context(image: &Image, roles: &Roles, stage: &Path) -> Result<()> {
    let shared = hash::files(BASE, roles).map(|(path, file)| (stage.join(BASE).join(path), file));
    let own = hash::files(&image.name, roles).map(|(path, file)| (stage.join(path), file));
    shared.chain(own).try_for_each(|(path, file)| write_file(&path, &file.bytes, file.executable))
}

/// Writes a file so that its modes and its folders' are the same whatever the umask.
fn write_file(path: &Path, bytes: &[u8], executable: bool) -> Result<()> {
    let write = || -> std::io::Result<()> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
            fs::set_permissions(folder, fs::Permissions::from_mode(0o755))?;
        }
        fs::write(path, bytes)?;
        fs::set_permissions(path, fs::Permissions::from_mode(if executable { 0o755 } else { 0o644 }))
    };
    write().with_context(|| format!("{}: cannot be written", path.display()))
}

fn remove_stage(stage: &Path) -> Result<()> {
    let removed = match fs::remove_dir_all(stage) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    };
    let _ = fs::remove_file(stage.with_extension("tar"));
    removed.with_context(|| format!("{}: cannot be removed", stage.display()))
}

/// Removes what killed bootstraps left.
fn remove_parts(bases: &Path) -> Result<()> {
    for entry in fs::read_dir(bases)?.flatten() {
        if entry.path().extension().is_some_and(|extension| extension == "part") {
            let _ = fs::remove_file(entry.path());
        }
    }
    Ok(())
}

fn task(image: &Image) -> String {
    format!("image {}", image.name)
}

/// How far a build says it is: `STEP 2/5: RUN …`.
fn step(line: &str) -> Option<(u64, u64)> {
    let (done, total) = line.strip_prefix("STEP ")?.split(':').next()?.split_once('/')?;
    Some((done.parse().ok()?, total.parse().ok()?))
}

fn is_flaky(error: &anyhow::Error) -> bool {
    let failed = error.chain().find_map(|cause| cause.downcast_ref::<CommandError>());
    failed.is_some_and(|failed| FLAKY.iter().any(|sign| failed.stderr.contains(sign)))
}

/// One more than this is begun at a time, for a build waits for the archive half of its time.
fn cores() -> usize {
    std::thread::available_parallelism().map_or(2, std::num::NonZero::get)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::set::Archive;
    use std::collections::BTreeSet;

    fn paths() -> Paths {
        Paths { config: "/config".into(), data: "/data".into(), cache: "/cache".into(), locks: "/locks".into() }
    }

    fn images(archive: &Archive, registry: Option<&str>) -> BTreeMap<String, Image> {
        let containerfile = crate::role::ContextFile { bytes: b"ARG BASE\n".to_vec(), executable: false };
        let folders = BTreeMap::from([("mariadb".to_owned(), BTreeMap::from([("Containerfile".into(), containerfile)]))]);
        let roles = Roles { folders, ..Roles::default() };
        super::super::desired(&roles, &BTreeSet::from(["mariadb".to_owned()]), archive, registry).unwrap()
    }

    #[test]
    fn a_role_is_built_on_its_base_by_tag() {
        let images = images(&Archive::default(), None);
        let [command] = commands(&images["mariadb"], &images, &paths()).try_into().unwrap();
        let words = command.words();
        assert_eq!(words[..2], ["podman", "build"]);
        assert!(words.contains(&format!("BASE={}", images["base"].tag)), "{command}");
        assert!(words.contains(&images["mariadb"].tag) && words.contains(&"--pull=never".to_owned()), "{command}");
        assert!(words.last().unwrap().starts_with("/cache/build/mariadb-"), "{command}");
    }

    #[test]
    fn a_base_is_bootstrapped_packed_and_loaded() {
        let images = images(&Archive::default(), None);
        let programs: Vec<_> =
            commands(&images["base"], &images, &paths()).iter().map(|command| command.words()[0].clone()).collect();
        assert_eq!(programs, ["env", "tar", "podman"]);
    }

    #[test]
    fn a_registry_image_is_pulled_by_digest() {
        let images = images(&Archive::default(), Some("registry.example/debian@sha256:00"));
        let [command] = commands(&images["base"], &images, &paths()).try_into().unwrap();
        assert!(command.words().contains(&"BASE=registry.example/debian@sha256:00".to_owned()), "{command}");
    }

    #[test]
    fn a_mirror_on_this_machine_is_there_during_builds() {
        let images = images(&Archive { mirror: Some("file:///srv/debian".to_owned()), ..Archive::default() }, None);
        let [command] = commands(&images["mariadb"], &images, &paths()).try_into().unwrap();
        assert!(command.words().contains(&"/srv/debian:/srv/debian:ro".to_owned()), "{command}");
    }

    #[test]
    fn progress_is_read_from_the_steps() {
        assert_eq!(step("STEP 2/5: RUN apt-get update"), Some((2, 5)));
        assert_eq!(step("STEP by step"), None);
    }

    #[test]
    fn leftovers_are_told_from_members_and_from_others() {
        let all: Vec<External> = observe::list(
            r#"[{"Id": "1", "Image": "localhost/podfarm/base:00", "State": "storage", "Command": ["buildah"]},
                {"Id": "2", "Image": "localhost/podfarm/base:00", "State": "running", "Command": null},
                {"Id": "3", "Image": "localhost/other:latest", "State": "storage", "Command": ["buildah"]},
                {"Id": "4", "Image": "localhost/podfarm/base:00", "State": "storage", "Command": ["storage"]}]"#,
        )
        .unwrap();
        assert_eq!(
            all.iter().filter(|container| container.is_ours()).map(|container| container.id.as_str()).collect::<Vec<_>>(),
            ["1"]
        );
    }
}
