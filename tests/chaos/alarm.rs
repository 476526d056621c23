//! Ends a run early when it can't become good any more.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

/// Raised once something is found that must not be, or a part of the run fails; every part looks at it.
#[derive(Default)]
pub struct Alarm {
    is_raised: AtomicBool,
    causes: Mutex<Vec<String>>,
}

impl Alarm {
    pub fn raise(&self, cause: impl Into<String>) {
        self.causes.lock().unwrap_or_else(PoisonError::into_inner).push(cause.into());
        self.is_raised.store(true, Ordering::Relaxed);
    }

    pub fn is_raised(&self) -> bool {
        self.is_raised.load(Ordering::Relaxed)
    }

    /// Why it was raised; nothing where it wasn't.
    pub fn causes(self) -> Vec<String> {
        self.causes.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does a part of the run; raises the alarm if it panics, so that the others end too.
    pub fn guard<T>(&self, part: impl FnOnce() -> T) -> T {
        struct OnPanic<'a>(&'a Alarm);
        impl Drop for OnPanic<'_> {
            fn drop(&mut self) {
                if thread::panicking() {
                    self.0.raise("a part of the run panicked");
                }
            }
        }
        let _on_panic = OnPanic(self);
        part()
    }
}
