//! The closed list of reasons an item is set aside.

use std::borrow::Cow;
use std::fmt;

/// Why an item (or a whole body) can't be normalized. It becomes a dead letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reject {
    pub reason: Reason,
    /// What was expected and where, as a JSON pointer into the item. Never holds a value of the body.
    pub detail: Cow<'static, str>,
}

/// The fixed word of a [`Reject`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Reason {
    /// Not JSON; also invalid UTF-8 and the empty value.
    InvalidJson,
    /// A field that gives the event its meaning is missing, or a field is of a wrong type.
    InvalidShape,
    /// A time that can't be read.
    InvalidTimestamp,
    /// An event or a channel that is not in the catalogue, or an event that can't be told.
    UnknownEvent,
    /// An event that is known, on a channel that neither the body nor a hint tells.
    AmbiguousChannel,
    /// The body is longer than `limits.body_bytes`.
    TooLarge,
    /// The body is nested deeper than `limits.depth`.
    TooDeep,
    /// The output does not fit, or the broker refuses it.
    ProduceRejected,
}

impl Reason {
    pub const ALL: [Self; 8] = [
        Self::InvalidJson,
        Self::InvalidShape,
        Self::InvalidTimestamp,
        Self::UnknownEvent,
        Self::AmbiguousChannel,
        Self::TooLarge,
        Self::TooDeep,
        Self::ProduceRejected,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::InvalidJson => "invalid_json",
            Self::InvalidShape => "invalid_shape",
            Self::InvalidTimestamp => "invalid_timestamp",
            Self::UnknownEvent => "unknown_event",
            Self::AmbiguousChannel => "ambiguous_channel",
            Self::TooLarge => "too_large",
            Self::TooDeep => "too_deep",
            Self::ProduceRejected => "produce_rejected",
        }
    }
}

impl Reject {
    pub fn new(reason: Reason, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { reason, detail: detail.into() }
    }

    pub fn unknown_event(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Reason::UnknownEvent, detail)
    }

    pub fn invalid_shape(pointer: &str, expected: &str) -> Self {
        Self::new(Reason::InvalidShape, format!("{pointer}: expected {expected}"))
    }

    pub fn invalid_timestamp(pointer: &str) -> Self {
        Self::new(Reason::InvalidTimestamp, format!("{pointer}: expected a time that the vendor documents"))
    }
}

impl fmt::Display for Reject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.reason.name(), self.detail)
    }
}

/// Why a body is left out on purpose: counted, never a dead letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Ignored {
    /// A record without a value.
    Tombstone,
    /// A batch without items: `[]`, `{"results":[]}`.
    EmptyBatch,
    /// The vendor's probe of our address, when a webhook is set up.
    Verification,
}

impl Ignored {
    pub const ALL: [Self; 3] = [Self::Tombstone, Self::EmptyBatch, Self::Verification];

    pub fn cause(self) -> &'static str {
        match self {
            Self::Tombstone => "tombstone",
            Self::EmptyBatch => "empty_batch",
            Self::Verification => "verification",
        }
    }
}
