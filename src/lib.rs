//! podfarm turns a small YAML file into a running testbed of rootless podman containers, and back into nothing.

pub mod builtin;
pub mod desired;
pub mod failure;
pub mod paths;
pub mod podman;
pub mod process;
pub mod progress;
pub mod resolve;
pub mod role;
pub mod set;
