//! Images from an archive as it was at a moment.

use std::fs;

use crate::sandbox::{Sandbox, listed, podman};
use crate::snapshot_service::SnapshotService;

const MOMENT: &str = "20261101T000000Z";

/// A set of one member that does nothing but let people in.
fn plain_set(sandbox: &Sandbox, name: &str, archive: &str) -> String {
    let role = format!("plain-{}", sandbox.id()); // another role than any other test's: its images are this test's own
    let file = |name: &str, content: &str| sandbox.write(&format!("containerfiles/{role}/{name}"), content);
    file(
        "Containerfile",
        "ARG BASE\nFROM ${BASE}\nCOPY base role.conf /usr/local/lib/podfarm/\n\
         RUN /usr/local/lib/podfarm/install-packages openssh-server && /usr/local/lib/podfarm/clean-image\n\
         ENTRYPOINT [\"/usr/local/lib/podfarm/entrypoint\"]\n",
    );
    file("role.conf", "");
    let kinds = format!("kinds: {{{role}: {{}}}}\n");
    file("role.yaml", &format!("description: A host\n{kinds}capabilities: [NET_BIND_SERVICE, SETGID, SETUID, SYS_CHROOT]\n"));
    let none = ["dbprimary", "mw", "php", "snapshot"].map(|member| format!("  {member}: {{count: 0}}\n")).concat();
    sandbox.set(name, &format!("{archive}members:\n{none}  host: {{role: {role}}}\n"))
}

fn image_of(sandbox: &Sandbox) -> (String, String) {
    let name = format!("localhost/podfarm/plain-{}", sandbox.id());
    let listed = listed(&["images", "--no-trunc", "--format", "{{.Id}} {{.Repository}}:{{.Tag}}", &name]).ok().stdout;
    let (id, tag) = listed.lines().next().and_then(|line| line.split_once(' ')).expect("the image was built");
    (id.to_owned(), tag.to_owned())
}

/// The first archive that an image was made of.
fn mirror_of(sandbox: &Sandbox, image: &str) -> String {
    let sources = sandbox.said_in(image, &["cat", "/etc/apt/sources.list"]).stdout;
    sources.split_whitespace().nth(1).expect("deb URL …").to_owned()
}

#[test]
fn images_are_made_of_the_archive_as_it_was_and_are_the_same_when_made_again() {
    let sandbox = Sandbox::new();
    let today = plain_set(&sandbox, "today", "");
    sandbox.run(&["build", &today]).ok();
    let service = SnapshotService::start(&mirror_of(&sandbox, &image_of(&sandbox).1));
    sandbox.run(&["remove", &today]).ok();

    // Bases and all that is fetched are this test's own from here on.
    sandbox.env("PODFARM_CACHE", sandbox.at("cache"));
    let pin = |moment: &str| format!("archive: {{snapshot: {moment}, mirror: \"{}\"}}\n", service.url());
    let pinned = plain_set(&sandbox, "pinned", &pin(MOMENT));
    sandbox.run(&["up", &pinned]).ok();
    let asked = service.take();
    assert!(asked.iter().all(|path| path.starts_with(&format!("/{MOMENT}/debian/"))), "{asked:?}");
    for part in ["/base-files_", "/openssh-server_"] {
        assert!(asked.iter().any(|path| path.contains(part)), "{part} was not fetched from the pinned archive: {asked:?}");
    }
    let (first, tag) = image_of(&sandbox);
    assert_eq!(
        mirror_of(&sandbox, &tag),
        service.url().replace("{snapshot}", MOMENT),
        "whoever installs more gets the same versions"
    );
    sandbox.run(&["exec", &pinned, "host", "--", "true"]).ok();

    // Once more, from nothing.
    sandbox.run(&["remove", &pinned]).ok();
    fs::remove_dir_all(sandbox.at("cache")).expect("the cache is ours");
    sandbox.run(&["build", &pinned]).ok();
    assert!(!service.take().is_empty(), "it was not made anew");
    assert_eq!(image_of(&sandbox), (first, tag), "the same inputs have made another image");

    // Another moment is another image, and says so.
    plain_set(&sandbox, "pinned", &pin("20261102T000000Z"));
    let planned = sandbox.run(&["plan", &pinned]).ok();
    planned.stdout_has("the archive's snapshot");
    sandbox.run(&["remove", &pinned]).ok();
    remove_bases(&service.url());
}

/// Bases stay as long as there are others; nobody else will want this test's.
fn remove_bases(mirror: &str) {
    let format = "{{.Repository}}:{{.Tag}} {{.Labels}}";
    let listed = listed(&["images", "--format", format, "localhost/podfarm/base"]).ok().stdout;
    for line in listed.lines().filter(|line| line.contains(mirror)) {
        podman(&["rmi", line.split(' ').next().expect("a line has words")]).ok();
    }
}
