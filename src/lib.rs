//! podfarm turns a small YAML file into a running testbed of rootless podman containers, and back into nothing.

pub mod builtin;
pub mod cli;
pub mod commands;
pub mod desired;
pub mod doctor;
pub mod dump;
pub mod failure;
pub mod farm;
pub mod hostdns;
pub mod image;
pub mod lifecycle;
pub mod lock;
pub mod paths;
pub mod plan;
pub mod podman;
pub mod probe;
pub mod process;
pub mod progress;
pub mod resolve;
pub mod role;
pub mod set;
pub mod source;
pub mod ssh;
pub mod status;
pub mod ui;
