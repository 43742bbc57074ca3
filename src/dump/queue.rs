//! The wikis that wait for a host: each is handed out once, and again only if whoever took it gives it back.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard};

/// Numbers of wikis, in their order.
pub(super) struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    waiting: VecDeque<usize>,
    taken: usize,
}

impl Queue {
    pub(super) fn new(count: usize) -> Self {
        Self { state: Mutex::new(State { waiting: (0..count).collect(), taken: 0 }), changed: Condvar::new() }
    }

    /// The next one. Where none waits but some are taken, it waits for what becomes of those: they may be given back.
    pub(super) fn take(&self) -> Option<usize> {
        let mut state = self.state();
        while state.waiting.is_empty() && state.taken > 0 {
            state = self.changed.wait(state).expect("no thread panics holding it");
        }
        let next = state.waiting.pop_front()?;
        state.taken += 1;
        Some(next)
    }

    /// One that was taken is done with.
    pub(super) fn done(&self) {
        self.state().taken -= 1;
        self.changed.notify_all();
    }

    /// One that was taken was never begun.
    pub(super) fn give_back(&self, index: usize) {
        self.state().waiting.push_front(index);
        self.done();
    }

    /// Nobody takes any more. Returns those that nobody has taken.
    pub(super) fn close(&self) -> Vec<usize> {
        self.state().waiting.drain(..).collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no thread panics holding it")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_back_goes_to_somebody_who_had_nothing_left_to_do() {
        let queue = Queue::new(2);
        assert_eq!((queue.take(), queue.take()), (Some(0), Some(1)));
        queue.done();
        std::thread::scope(|scope| {
            let idle = scope.spawn(|| {
                let next = queue.take();
                queue.done();
                (next, queue.take())
            });
            queue.give_back(1);
            assert_eq!(idle.join().unwrap(), (Some(1), None));
        });
    }

    #[test]
    fn what_nobody_takes_is_left() {
        let queue = Queue::new(3);
        queue.take();
        assert_eq!(queue.close(), [1, 2]);
        queue.done();
        assert_eq!(queue.take(), None);
    }
}
