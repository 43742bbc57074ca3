//! All integration tests, one binary. What needs podman runs on the real one, rootless.

mod browser;
mod by_hand;
mod changed;
#[path = "../common/mod.rs"]
mod common;
mod doctor;
mod dump_hosts;
mod dumps;
mod extra_archive;
mod farm;
mod flows;
mod foreign;
mod golden;
mod history;
mod imports;
mod invariants;
mod killed;
mod logs;
mod luck;
mod machine;
mod mwbzutils;
mod names;
mod no_set;
mod open;
mod operations_dumps;
mod pinned;
mod ports;
mod proxy;
mod publishing;
mod running;
mod sandbox;
mod set_files;
mod settings;
mod share;
mod snapshot_service;
mod sources;
mod store;
mod together;
mod topology;
mod umask;
mod whole_farm;

use common::ran;
