//! What the delivery tests stand on: a real Kafka, a Schema Registry, a load and what must come of it, a reader, a checker, the program.
#![allow(dead_code)] // Each test binary uses its part of it.

pub mod bodies;
pub mod cache;
pub mod certificates;
pub mod check;
pub mod fake;
pub mod feed;
pub mod go;
pub mod jars;
pub mod kafka;
pub mod leash;
pub mod load;
pub mod node;
pub mod normalizer;
pub mod progress;
pub mod provider;
pub mod proxy;
pub mod reader;
pub mod registry;
pub mod scenario;
pub mod secured;
pub mod tool;
pub mod wait;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks; a test that failed while it held the lock hinders no other.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
