//! Reads vendors' messaging webhooks from Kafka, translates every event into one Avro envelope and publishes it to one
//! topic per channel, exactly once, with dead letters for what can't be read.
//!
//! A pure core turns a body's bytes into envelopes; a thin shell moves bytes between topics.
//!
//! ```text
//!  raw.<vendor>   poll ──▶ normalize ──▶ wrap ─────▶ encode ──▶ send ──▶ commit        events.<stream>
//!  (JSON bytes)   kafka    vendors/<v>   envelope    avro       kafka    transaction   (Avro)
//! ```
//!
//! Invariants, checked by `tests/architecture.rs`:
//!
//! - The core (`event`, `envelope`, `reject`, `avro`, `vendors`) does no I/O, reads no clock, logs nothing, counts nothing
//!   and knows no settings. Same bytes and same hints, same events.
//! - The shell names the core, never the other way. A vendor knows no other vendor.
//! - Only `kafka` names rdkafka; only `avro` names apache-avro.
//! - An adapter never makes an id, never chooses a topic, never sees an offset.

pub mod event;

pub mod reject;

pub mod envelope;

pub mod vendors;

pub mod avro;

pub mod commands;

pub mod exit;

pub mod version;

pub mod settings;

pub mod metrics;

pub mod status;

pub mod breaker;

pub mod kafka;

pub mod admin;

pub mod registry;

pub mod http;

pub mod oauth;

pub mod logs;
