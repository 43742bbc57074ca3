//! Desired × observed → steps with reasons. Pure: the printed plan is what is applied.

use std::collections::{BTreeMap, BTreeSet};

use crate::desired::{Desired, Member, label, secret_prefix};
use crate::failure::{Failure, Kind};
use crate::podman::{Inventory, argv, observe::Container};
use crate::process::Argv;
use crate::set::SetName;

/// One thing to do.
#[derive(Clone, Debug)]
pub struct Step {
    /// What it does, for people: `create network demo`.
    pub what: String,
    pub reason: String,
    pub work: Work,
}

/// How a step is done.
#[derive(Clone, Debug)]
pub enum Work {
    Command(Argv),
    /// A command that may fail: what it is for is done without it too, later or more slowly.
    Attempt(Argv),
    /// A podman secret of that name, from fresh random bytes or a fresh key on standard input.
    Secret(String),
    /// The set's folder with the files that members mount.
    Files,
    /// Shared folders filled from the seed.
    Seeded,
    /// A folder to remove with everything in it.
    RemoveFolder(std::path::PathBuf),
    /// An image, a source or a seed, which `prepare` makes; the commands that it runs for it, where they are known.
    Prepare(Vec<Argv>),
}

/// Steps that may be done at the same time.
pub type Stage = Vec<Step>;

/// How far a set is to be brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    /// Containers are there, and not started.
    Created,
    /// Containers run.
    Running,
}

impl Step {
    pub fn new(what: impl Into<String>, reason: impl Into<String>, work: Work) -> Self {
        Self { what: what.into(), reason: reason.into(), work }
    }
}

/// The containers of a set.
pub fn containers_of<'a>(containers: &'a [Container], set: &SetName) -> Vec<&'a Container> {
    let mut members: Vec<_> = containers.iter().filter(|container| is_of(set, &container.labels)).collect();
    // podman lists them as they were made, which they are at the same time.
    members.sort_by_key(|container| container.name());
    members
}

/// Whether everything desired is there and runs, as far as `podman ps` alone can tell.
pub fn is_up(desired: &Desired, containers: &[Container]) -> bool {
    let existing = containers_of(containers, &desired.set);
    existing.len() == desired.members.len()
        && desired.members.iter().all(|member| {
            let same = |container: &&&Container| container.name() == member.host;
            existing
                .iter()
                .find(same)
                .is_some_and(|container| container.running() && container.label(label::HASH) == Some(&member.hash))
        })
}

/// Refuses names that something else already uses: what is not podfarm's is never touched.
///
/// # Errors
/// Names the container, pod or network in the way.
pub fn check_foreign(set: &SetName, hosts: &[String], containers: &[Container], inventory: &Inventory) -> Result<(), Failure> {
    let foreign = |labels: &BTreeMap<String, String>| !is_of(set, labels);
    let in_the_way = |what: &str, name: &str, remove: &str| {
        Failure::new(Kind::Failed, format!("there is a {what} named {name} that is not podfarm's")).hint(format!(
            "podfarm never touches it: give the set another name, or, if nobody needs it, `podman {remove} {name}`"
        ))
    };
    // Containers and pods share one name space.
    let taken = |name: &str| hosts.iter().any(|host| host == name) || name == set.as_str();
    if let Some(container) = containers.iter().find(|container| taken(container.name()) && foreign(&container.labels)) {
        return Err(in_the_way("container", container.name(), "rm"));
    }
    if let Some(pod) = inventory.pods.iter().find(|pod| taken(&pod.name) && foreign(&pod.labels)) {
        return Err(in_the_way("pod", &pod.name, "pod rm"));
    }
    if let Some(network) = inventory.networks.iter().find(|network| network.name == set.as_str() && foreign(&network.labels)) {
        return Err(in_the_way("network", &network.name, "network rm"));
    }
    Ok(())
}

/// What brings a set to a goal, from whatever state it is in: what members stand on, and then the members.
pub fn bring_up(desired: &Desired, goal: Goal, containers: &[Container], inventory: &Inventory) -> (Vec<Stage>, Vec<Stage>) {
    let existing = containers_of(containers, &desired.set);
    let mut ground = Stage::new();
    let name = desired.set.as_str();
    if !inventory.networks.iter().any(|network| network.name == name) {
        let create = argv::network_create(name, &desired.subnet, &desired.labels);
        ground.push(Step::new(format!("create network {name}"), "it is not there", Work::Command(create)));
    }
    if !inventory.pods.iter().any(|pod| pod.name == name) {
        ground.push(Step::new(
            format!("create pod {name}"),
            "it is not there",
            Work::Command(argv::pod_create(name, &desired.labels)),
        ));
    }
    for secret in desired.secrets.iter().filter(|secret| !inventory.secrets.contains(secret)) {
        ground.push(Step::new(format!("create secret {secret}"), "it is not there", Work::Secret(secret.clone())));
    }
    if existing.is_empty() {
        ground.push(Step::new("copy the seed's files", "the set is new", Work::Seeded));
    }
    ground.push(Step::new("write the set's configuration", "members mount it", Work::Files));

    let mut outdated = Vec::new();
    let mut members = Stage::new();
    for member in &desired.members {
        let container = existing.iter().find(|container| container.name() == member.host);
        let (remove, step) = member_step(member, container.copied(), goal);
        outdated.extend(remove);
        members.extend(step);
    }
    let wanted: BTreeSet<&str> = desired.members.iter().map(|member| member.host.as_str()).collect();
    let extra = existing.iter().filter(|container| !wanted.contains(container.name()));
    outdated
        .extend(extra.map(|container| (container.name().to_owned(), "the set does not have this member any more".to_owned())));

    let removals = outdated.into_iter().map(|(name, reason)| {
        let remove = argv::remove(std::slice::from_ref(&name));
        Step::new(format!("remove container {name}"), reason, Work::Command(remove))
    });
    (nonempty(vec![removals.collect(), ground]), nonempty(vec![members]))
}

/// What keeps a set apart from others, once members have been started: nothing, where none was.
pub fn keep_apart(set: &SetName, range: &str, started: &[Stage]) -> Vec<Stage> {
    let keep = Step::new(format!("keep {set} apart from other sets"), "it runs", Work::Command(argv::keep_apart(range)));
    if started.is_empty() { Vec::new() } else { vec![vec![keep]] }
}

/// What a member needs: the container to remove first, with the reason, and the step that makes it or starts it.
fn member_step(member: &Member, container: Option<&Container>, goal: Goal) -> (Option<(String, String)>, Option<Step>) {
    let make = |reason: &str| match goal {
        Goal::Created => Step::new(format!("create {}", member.host), reason, Work::Command(member.create())),
        Goal::Running => Step::new(format!("create and start {}", member.host), reason, Work::Command(member.run())),
    };
    let Some(container) = container else { return (None, Some(make("it is not there"))) };
    let again = |reason: &str| (Some((member.host.clone(), reason.to_owned())), Some(make(reason)));
    if container.label(label::HASH) != Some(&member.hash) {
        let image_changed = container.label(label::IMAGE) != Some(&member.image);
        return again(if image_changed { "its image changed" } else { "its settings changed" });
    }
    match (container.state.as_str(), goal) {
        ("running", _) | ("created" | "exited" | "stopped" | "configured", Goal::Created) => (None, None),
        ("created" | "exited" | "stopped" | "configured", Goal::Running) => {
            let start = argv::start(std::slice::from_ref(&member.host));
            let reason = format!("it is {}", container.state);
            (None, Some(Step::new(format!("start {}", member.host), reason, Work::Command(start))))
        }
        (state, _) => again(&format!("it is {state}, which nothing but a new one leads out of")),
    }
}

/// What starts a set that was created.
pub fn start(set: &SetName, containers: &[Container]) -> Vec<Stage> {
    let waiting: Vec<_> = containers_of(containers, set).into_iter().filter(|container| !container.running()).collect();
    let steps = waiting.iter().map(|container| {
        let start = argv::start(&[container.name().to_owned()]);
        Step::new(format!("start {}", container.name()), format!("it is {}", container.state), Work::Command(start))
    });
    nonempty(vec![steps.collect()])
}

/// What stops a set: one podman for all members, so that they share one grace period.
pub fn stop(set: &SetName, containers: &[Container]) -> Vec<Stage> {
    let running = running(set, containers);
    if running.is_empty() {
        return Vec::new();
    }
    vec![vec![Step::new(format!("stop {}", running.join(", ")), "they run", Work::Command(argv::stop(&running)))]]
}

/// Whether all of a set's containers are in a pod, which can be no other than the set's.
pub fn are_in_pod(set: &SetName, containers: &[Container]) -> bool {
    let members = containers_of(containers, set);
    !members.is_empty() && members.iter().all(|container| !container.pod.is_empty())
}

/// What leaves nothing of a set's containers, nor of the pod they are in: the first part of destroying it.
pub fn destroy_members(set: &SetName, containers: &[Container]) -> Vec<Stage> {
    if !are_in_pod(set, containers) {
        return remove_containers(set, containers);
    }
    let names: Vec<_> = containers_of(containers, set).iter().map(|container| container.name()).collect();
    let what = format!("remove pod {set} with {}", names.join(", "));
    let remove = Step::new(what, "they belong to the set", Work::Command(argv::pod_remove(&[set.to_string()])));
    nonempty(vec![kill(set, containers), vec![remove]])
}

/// What ends a set's members at once, data and all: podman removes the members of a pod one after the other, and would wait for
/// each to end.
fn kill(set: &SetName, containers: &[Container]) -> Stage {
    let running = running(set, containers);
    if running.is_empty() {
        return Stage::new();
    }
    let what = format!("kill {}", running.join(", "));
    vec![Step::new(what, "they are to be removed", Work::Attempt(argv::kill(&running)))]
}

fn running(set: &SetName, containers: &[Container]) -> Vec<String> {
    let members = containers_of(containers, set);
    members.iter().filter(|container| container.running()).map(|container| container.name().to_owned()).collect()
}

/// What leaves nothing of the rest of a set, once its containers are gone. Secrets too stay until then: those that are left
/// by somebody who kills us would not fit new ones.
pub fn destroy_rest(set: &SetName, inventory: &Inventory, folder: Option<std::path::PathBuf>) -> Vec<Stage> {
    let reason = "it belongs to the set";
    let mut rest = Stage::from_iter(remove_pod(set, inventory));
    if inventory.networks.iter().any(|network| network.name == set.as_str() && is_of(set, &network.labels)) {
        let remove = argv::network_remove(&[set.to_string()]);
        rest.push(Step::new(format!("remove network {set}"), reason, Work::Command(remove)));
    }
    let prefix = secret_prefix(set);
    let secrets: Vec<_> = inventory.secrets.iter().filter(|name| name.starts_with(&prefix)).cloned().collect();
    if !secrets.is_empty() {
        rest.push(Step::new(
            format!("remove secrets {}", secrets.join(", ")),
            "they belong to the set",
            Work::Command(argv::secret_remove(&secrets)),
        ));
    }
    if let Some(folder) = folder {
        rest.push(Step::new(format!("remove folder {}", folder.display()), reason, Work::RemoveFolder(folder)));
    }
    nonempty(vec![rest])
}

/// What throws a set's members away with what they have written, and leaves what they stand on. The pod goes too, for its labels
/// say what they were made from.
pub fn discard(
    set: &SetName,
    containers: &[Container],
    inventory: &Inventory,
    folders: Vec<std::path::PathBuf>,
    reason: &str,
) -> Vec<Stage> {
    let mut stages = destroy_members(set, containers);
    let pod = remove_pod(set, inventory).filter(|_| !are_in_pod(set, containers));
    let remove =
        |folder: std::path::PathBuf| Step::new(format!("remove {}", folder.display()), reason, Work::RemoveFolder(folder));
    stages.push(pod.into_iter().chain(folders.into_iter().map(remove)).collect());
    nonempty(stages)
}

/// Takes a set's members and its pod for gone, which in a dry run they would be.
pub fn forget_members(set: &SetName, containers: &mut Vec<Container>, inventory: &mut Inventory) {
    containers.retain(|container| !is_of(set, &container.labels));
    inventory.pods.retain(|pod| !is_of(set, &pod.labels));
}

/// What removes a set's pod, if there is one.
fn remove_pod(set: &SetName, inventory: &Inventory) -> Option<Step> {
    inventory.pods.iter().find(|pod| pod.name == set.as_str() && is_of(set, &pod.labels))?;
    let remove = argv::pod_remove(&[set.to_string()]);
    Some(Step::new(format!("remove pod {set}"), "it belongs to the set", Work::Command(remove)))
}

/// Whether something is a set's, by its labels.
pub fn is_of(set: &SetName, labels: &BTreeMap<String, String>) -> bool {
    labels.get(label::SET).map(String::as_str) == Some(set.as_str())
}

/// What removes all of a set's containers and leaves the rest.
fn remove_containers(set: &SetName, containers: &[Container]) -> Vec<Stage> {
    let names: Vec<_> = containers_of(containers, set).iter().map(|container| container.name().to_owned()).collect();
    if names.is_empty() {
        return Vec::new();
    }
    let remove = Step::new(format!("remove {}", names.join(", ")), "they belong to the set", Work::Command(argv::remove(&names)));
    nonempty(vec![kill(set, containers), vec![remove]])
}

fn nonempty(stages: Vec<Stage>) -> Vec<Stage> {
    stages.into_iter().filter(|stage| !stage.is_empty()).collect()
}
