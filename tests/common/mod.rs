//! What the test binaries share.
#![allow(dead_code)] // each of them uses a part of it

pub mod programs;
pub mod ran;
pub mod webdriver;
