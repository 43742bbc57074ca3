//! The order of building: an image after the one it is built on, and first what others wait for.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use anyhow::Result;

use super::Image;

#[derive(Default)]
struct State<'a> {
    waiting: Vec<&'a Image>,
    running: Vec<&'a str>,
    error: Option<anyhow::Error>,
}

impl<'a> State<'a> {
    /// Takes out the image to begin next, if one can be begun now.
    fn next(&mut self) -> Option<&'a Image> {
        let unfinished = |name: &str| self.running.contains(&name) || self.waiting.iter().any(|image| image.name == name);
        let ready = |image: &&&Image| !image.parent.as_deref().is_some_and(unfinished);
        let first = self.waiting.iter().filter(ready).max_by_key(|image| (self.above(image), std::cmp::Reverse(&image.name)))?;
        let image = *first;
        self.waiting.retain(|other| other.name != image.name);
        self.running.push(&image.name);
        Some(image)
    }

    /// How many images stand on this one, at most one on the other.
    fn above(&self, image: &Image) -> usize {
        let children = self.waiting.iter().filter(|child| child.parent.as_ref() == Some(&image.name));
        children.map(|child| 1 + self.above(child)).max().unwrap_or(0)
    }
}

/// Works on all images, at most `limit` at a time. After an error nothing new is begun.
///
/// # Errors
/// The first one.
pub(super) fn build(images: &[&Image], limit: usize, work: impl Fn(&Image) -> Result<()> + Sync) -> Result<()> {
    let state = Mutex::new(State { waiting: images.to_vec(), ..State::default() });
    let changed = Condvar::new();
    thread::scope(|scope| {
        for _ in 0..limit.min(images.len()) {
            scope.spawn(|| worker(&state, &changed, &work));
        }
    });
    state.into_inner().unwrap_or_else(PoisonError::into_inner).error.map_or(Ok(()), Err)
}

fn worker(state: &Mutex<State<'_>>, changed: &Condvar, work: &impl Fn(&Image) -> Result<()>) {
    loop {
        let mut now = lock(state);
        let image = loop {
            if now.waiting.is_empty() || now.error.is_some() {
                return;
            }
            match now.next() {
                Some(image) => break image,
                None => now = changed.wait(now).unwrap_or_else(PoisonError::into_inner),
            }
        };
        drop(now);
        let done = work(image);
        let mut now = lock(state);
        now.running.retain(|name| *name != image.name);
        if let Err(error) = done {
            now.error.get_or_insert(error);
        }
        changed.notify_all();
    }
}

fn lock<'m, 'a>(state: &'m Mutex<State<'a>>) -> MutexGuard<'m, State<'a>> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    use crate::image::Origin;
    use crate::set::Archive;

    fn images(names: &[(&str, Option<&str>)]) -> Vec<Image> {
        let origin = Origin { archive: Archive::default(), registry: None };
        names.iter().map(|(name, parent)| Image::new(name, parent.map(str::to_owned), BTreeMap::new(), origin.clone())).collect()
    }

    fn order(images: &[Image], limit: usize, fails: &str) -> (Vec<String>, bool) {
        let begun = Mutex::new(Vec::new());
        let all: Vec<&Image> = images.iter().collect();
        let result = build(&all, limit, |image| {
            begun.lock().unwrap().push(image.name.clone());
            if image.name == fails { Err(anyhow::anyhow!("no")) } else { Ok(()) }
        });
        (begun.into_inner().unwrap(), result.is_ok())
    }

    const CHAIN: &[(&str, Option<&str>)] =
        &[("base", None), ("httpd", Some("base")), ("mariadb", Some("base")), ("php", Some("base")), ("php-fpm", Some("php"))];

    #[test]
    fn what_others_wait_for_comes_first() {
        assert_eq!(
            order(&images(CHAIN), 1, ""),
            (["base", "php", "httpd", "mariadb", "php-fpm"].map(str::to_owned).to_vec(), true)
        );
    }

    #[test]
    fn all_are_built_with_many_hands() {
        assert_eq!(order(&images(CHAIN), 8, "").0.len(), CHAIN.len());
    }

    #[test]
    fn after_an_error_nothing_is_begun() {
        assert_eq!(order(&images(CHAIN), 1, "php"), (vec!["base".to_owned(), "php".to_owned()], false));
    }

    #[test]
    fn a_parent_that_is_there_already_is_not_waited_for() {
        assert_eq!(order(&images(&CHAIN[1..2]), 2, "").0, ["httpd"]);
    }
}
