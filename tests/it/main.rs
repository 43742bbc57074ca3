//! All integration tests, one binary. What needs podman runs on the real one, rootless.

mod sandbox;
mod set_files;
