//! What `podfarm hostdns` does to a machine and what a set's names are good for there, on machines made for it: each test
//! boots a Debian with systemd, systemd-resolved and sshd in a container (scripts/in-debian) and goes on inside of it.

#[path = "../common/mod.rs"]
mod common;
mod dns;
mod files;
mod machine;
mod other_hosts;
mod router;
mod story;
mod using;

/// Debian 12: systemd 252, podman 4.3.
#[test]
fn debian_12() {
    machine::on("bookworm", "debian_12", story::of_a_machine);
}

/// Debian 13: systemd 257, podman 5.4.
#[test]
fn debian_13() {
    machine::on("trixie", "debian_13", story::of_a_machine);
}
