//! Altcraft, action hooks.
//!
//! - The HTTP target posts an array of messages, the Kafka and RabbitMQ targets one message: both are read.
//! - The time is `event_date`, always with a zone, with up to nine digits of a second.
//! - There is no event id. The message sent is `event_data.send_message_id`; `message_id` is its template.
//! - The first open gives `open` and `uopen`, the first click `click` and `uclick`: both become events, told apart by
//!   `is_unique`. `read`, `glanced` and `skimmed` are viewing times of e-mail, not read receipts.
//! - What `event_data` holds depends on the event and on the platform's version, so any of it may be missing and unknown
//!   keys are passed on.

mod events;
mod hook;

use crate::vendors::{Adapter, Batch};

pub const ADAPTER: Adapter = Adapter {
    vendor: "altcraft",
    rows: events::ROWS,
    batch: Batch::Array,
    event_keys: &["event_type"],
    channel_words: &[],
    has_ambiguous_channels: false,
    has_local_times: false,
    is_probe: |_| false,
    read_usual: Some(hook::read_usual),
    normalize: hook::normalize,
};
