//! Everything podfarm knows of podman: command lines (pure), what podman answers (pure parsers), and running the one to get the other.

pub mod argv;
mod machine;
pub mod mount;
pub mod observe;
pub mod orphans;
pub mod subids;

use anyhow::Result;

use crate::failure::{Failure, Kind};
use crate::process::{Argv, CommandError, Input, Runner, find_program};

/// The lowest podman that is supported, what Debian 12 has: before it `keep-id` options, `:O,upperdir=` and others are missing.
pub const LOWEST: (u32, u32) = (4, 3);

/// The podman of this user.
#[derive(Clone, Debug, Default)]
pub struct Podman {
    runner: Runner,
}

/// All that podman has, asked for where something is missing and more than `podman ps` is needed.
#[derive(Clone, Debug, Default)]
pub struct Inventory {
    pub pods: Vec<observe::Pod>,
    pub images: Vec<observe::Image>,
    pub networks: Vec<observe::Network>,
    pub secrets: Vec<String>,
}

/// What to ask for besides networks. Each question is a podman process.
#[derive(Clone, Copy, Debug)]
pub struct Parts {
    pub pods: bool,
    pub images: bool,
    pub secrets: bool,
}

impl Parts {
    pub const ALL: Self = Self { pods: true, images: true, secrets: true };
}

impl Inventory {
    pub fn has_image(&self, tag: &str) -> bool {
        self.images.iter().any(|image| image.names.iter().any(|name| name == tag))
    }
}

impl Podman {
    pub fn new() -> Self {
        // A podman that lives for 50 ms spends a seventh of them on collecting garbage; this puts it off (Go's own variable).
        Self { runner: Runner::new().env("GOGC", "400") }
    }

    /// Runs a podman command and returns what it printed.
    ///
    /// # Errors
    /// A [`CommandError`] where it fails; [`Kind::Machine`] where there is no podman.
    pub fn output(&self, argv: &Argv, input: Input<'_>) -> Result<String> {
        // podman rewrites the list of all secrets in place: interrupted then, it loses them, others' too.
        self.runner.clone().apart().output(argv, input).map_err(explain)
    }

    /// Runs a podman command, handing its lines over as they come.
    ///
    /// # Errors
    /// As [`Podman::output`].
    pub fn stream(&self, argv: &Argv, on_line: impl FnMut(&str)) -> Result<()> {
        self.runner.stream(argv, Input::Nothing, on_line).map_err(explain)
    }

    /// As [`Podman::stream`], with a standard input that ends when this podfarm does.
    ///
    /// # Errors
    /// As [`Podman::output`].
    pub fn attend(&self, argv: &Argv, on_line: impl FnMut(&str)) -> Result<()> {
        // Ctrl-C does not reach podman: one that died while its program talks would not always pass the end on.
        self.runner.clone().apart().stream(argv, Input::Open, on_line).map_err(explain)
    }

    /// All containers, running or not, podfarm's and others'.
    ///
    /// # Errors
    /// As [`Podman::output`].
    pub fn containers(&self) -> Result<Vec<observe::Container>> {
        self.understood(observe::list(&self.ask(&argv::ps())?))
    }

    /// All pods, images, networks and secrets; the questions are asked at the same time.
    ///
    /// # Errors
    /// As [`Podman::output`].
    pub fn inventory(&self) -> Result<Inventory> {
        self.inventory_of(Parts::ALL)
    }

    /// All networks, and what else is wanted; the questions are asked at the same time.
    ///
    /// # Errors
    /// As [`Podman::output`].
    pub fn inventory_of(&self, parts: Parts) -> Result<Inventory> {
        self.understood(std::thread::scope(|scope| {
            let pods = parts.pods.then(|| scope.spawn(|| observe::list(&self.ask(&argv::pods())?)));
            let images = parts.images.then(|| scope.spawn(|| self.images()));
            let secrets = parts.secrets.then(|| scope.spawn(|| Ok(observe::secrets(&self.ask(&argv::secrets())?))));
            let networks = observe::list(&self.ask(&argv::networks())?)?;
            Ok(Inventory { pods: answer(pods)?, images: answer(images)?, networks, secrets: answer(secrets)? })
        }))
    }

    /// All containers, and at the same time the rest.
    ///
    /// # Errors
    /// As [`Podman::output`].
    pub fn containers_and(&self, parts: Parts) -> Result<(Vec<observe::Container>, Inventory)> {
        std::thread::scope(|scope| {
            let containers = scope.spawn(|| self.containers());
            let inventory = self.inventory_of(parts);
            Ok((answer(Some(containers))?, inventory?))
        })
    }

    /// All images.
    ///
    /// # Errors
    /// As [`Podman::output`].
    pub fn images(&self) -> Result<Vec<observe::Image>> {
        observe::list(&self.ask(&argv::images())?)
    }

    /// Asks for a list. While somebody changes what is listed, podman can fail to list it: then it is asked again.
    ///
    /// # Errors
    /// As [`Podman::output`].
    pub fn ask(&self, argv: &Argv) -> Result<String> {
        let mut tries = 0;
        loop {
            tries += 1;
            match self.output(argv, Input::Nothing) {
                Err(error) if tries < 5 && passes(&error) => {}
                answer => return answer,
            }
        }
    }

    /// Refuses a podman older than [`LOWEST`], or none, or a user it cannot work for; returns what is worth a warning.
    ///
    /// # Errors
    /// [`Kind::Machine`], with what to do.
    pub fn check(&self) -> Result<Option<String>> {
        let machine = machine::parse(&self.output(&argv::info(), Input::Nothing)?)?;
        machine.check(&user())?;
        Ok(machine.warning())
    }

    /// An answer that was not understood may be an old podman's.
    fn understood<T>(&self, answer: Result<T>) -> Result<T> {
        answer.or_else(|error| self.check().and(Err(error)))
    }
}

/// What podman says when something was removed, or a file of its own rewritten, while it was reading.
const PASSING: &[&str] = &["image not known", "container not known", "unexpected end of JSON input"];

/// Whether asking again may do.
fn passes(error: &anyhow::Error) -> bool {
    let text = format!("{error:#}");
    PASSING.iter().any(|sign| text.contains(sign))
}

pub fn user() -> String {
    nix::unistd::User::from_uid(nix::unistd::getuid()).ok().flatten().map_or("$USER".to_owned(), |user| user.name)
}

/// Turns what podman says of a machine that is not ready into what to do about it.
fn explain(error: anyhow::Error) -> anyhow::Error {
    let Some(failed) = error.downcast_ref::<CommandError>() else { return error };
    if failed.status.is_none() && find_program("podman").is_none() {
        return error.context(Failure::new(Kind::Machine, "podman is not installed").hint("sudo apt-get install podman"));
    }
    let said = |needle: &str| failed.stderr.contains(needle);
    let mapper = ["newuidmap", "newgidmap"].into_iter().find(|program| said(program));
    if let Some(program) = mapper.filter(|_| !said("not allowed")) {
        return error.context(machine::no_mapper(program));
    }
    if mapper.is_some() || said("no subuid ranges") || said("insufficient UIDs or GIDs") || said("/etc/subuid") {
        return error.context(machine::no_subordinate_ids(&user()));
    }
    error
}

/// What a question that was asked in a thread of its own was answered; nothing, where it was not asked.
fn answer<T: Default>(question: Option<std::thread::ScopedJoinHandle<'_, Result<T>>>) -> Result<T> {
    question.map_or_else(|| Ok(T::default()), |question| question.join().expect("asking does not panic"))
}
