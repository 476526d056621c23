//! Normalizes a dead letter again: with today's adapters and settings, and with the hints that it carries.

use std::collections::BTreeMap;

use anyhow::Result;
use bumpalo::Bump;

use super::dead_letter::{HintTexts, Letter};
use super::gap;
use super::source::Source;
use crate::envelope::{self, Envelope, Origin};
use crate::event::{Event, Instant};
use crate::reject::Reject;
use crate::settings::Settings;
use crate::vendors::{self, Hints, Normalized, Outcome, Part, Reading, Region, Zone};

/// What a second reading needs of the settings.
#[derive(Debug)]
pub struct Again {
    sources: Vec<Source>,
    reading: Reading,
    /// By name, of the letters read so far.
    zones: BTreeMap<String, Zone>,
}

/// Why a letter can't be read again at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unusable {
    /// Its value was left out.
    NoPayload,
    /// This build has no adapter of its vendor.
    UnknownVendor,
    /// This build knows the zone or region not that it was read with.
    UnknownHint,
}

impl Unusable {
    pub fn name(self) -> &'static str {
        match self {
            Self::NoPayload => "no_payload",
            Self::UnknownVendor => "unknown_vendor",
            Self::UnknownHint => "unknown_hint",
        }
    }

    pub fn detail(self) -> &'static str {
        match self {
            Self::NoPayload => "the dead letter has headers only",
            Self::UnknownVendor => "this build has no adapter of the vendor",
            Self::UnknownHint => "this build does not know the zone or the region that it was read with",
        }
    }
}

/// What became of a letter.
#[derive(Debug)]
pub struct Second<'a> {
    pub items: Vec<Normalized<'a>>,
    /// All that applied.
    pub hints: HintTexts<'a>,
}

impl Second<'_> {
    pub fn events(&self) -> usize {
        self.items.iter().filter(|item| matches!(item.outcome, Outcome::Event(_))).count()
    }

    /// The first fault, where there is one.
    pub fn reject(&self) -> Option<&Reject> {
        self.items.iter().find_map(|item| match &item.outcome {
            Outcome::Rejected(reject) => Some(reject),
            Outcome::Event(_) | Outcome::Ignored(_) => None,
        })
    }

    /// Whether nothing of it can be read today either.
    pub fn fails(&self) -> bool {
        self.items.iter().all(|item| matches!(item.outcome, Outcome::Rejected(_)))
    }
}

impl Again {
    /// # Errors
    /// The settings name an unknown vendor; reading them has refused that.
    pub fn new(settings: &Settings) -> Result<Self> {
        Ok(Self { sources: Source::all(settings)?, reading: settings.reading(), zones: BTreeMap::new() })
    }

    /// Makes ready for a letter.
    pub fn learn(&mut self, letter: &Letter<'_>) {
        if let Some(name) = letter.hints.zone
            && !self.zones.contains_key(name)
            && let Ok(zone) = Zone::named(name)
        {
            self.zones.insert(name.to_owned(), zone);
        }
    }

    /// What today's adapters and settings make of a letter, item by item.
    ///
    /// # Errors
    /// It can't be read at all.
    pub fn normalize<'a>(&'a self, letter: &Letter<'a>, arena: &'a Bump) -> Result<Second<'a>, Unusable> {
        let adapter = gap::in_tests(vendors::find(letter.vendor).ok_or(Unusable::UnknownVendor)?);
        let bytes = letter.payload.ok_or(Unusable::NoPayload)?;
        let carried = letter.hints;
        let zone = carried.zone.map(|name| self.zones.get(name).ok_or(Unusable::UnknownHint)).transpose()?;
        let region = carried.region.map(|text| text.to_ascii_uppercase().parse::<Region>()).transpose();
        let region = region.map_err(|_| Unusable::UnknownHint)?;
        // What it carries holds. Where it carries nothing, today's settings may say what was missing then; account, zone and
        // region cure nothing, and would make another envelope than the first time.
        let source = self.sources.iter().find(|source| source.topic == letter.source_topic);
        let source = source.filter(|source| source.adapter.vendor == letter.vendor);
        let today = source.map(|source| source.hints(Some(letter.all_headers()))).unwrap_or_default();
        let hints = arena.alloc(Hints {
            channel: carried.channel.or(today.channel),
            event: carried.event.or(today.event),
            format: carried.format.or(today.format),
            account: carried.account,
            zone,
            region,
        });
        let mut items = Vec::new();
        if letter.is_whole {
            adapter.normalize(bytes, hints, &self.reading, arena, |item| items.push(item));
        } else {
            let part = Part { bytes, index: letter.item, count: letter.items, is_comma_repaired: letter.is_comma_repaired };
            items.push(adapter.normalize_part(part, hints, &self.reading, arena));
        }
        let hints = HintTexts { channel: hints.channel, event: hints.event, format: hints.format, ..carried };
        Ok(Second { items, hints })
    }
}

/// An item's event in the envelope that it would have had the first time.
pub(super) fn wrap<'a>(
    letter: &Letter<'a>,
    event: Event<'a>,
    item: (i32, i32, &'a [u8]),
    keeps_payload: bool,
    arena: &'a Bump,
) -> Envelope<'a> {
    let (item_index, item_count, bytes) = item;
    let origin = Origin {
        vendor: letter.vendor,
        account: letter.hints.account,
        received_at: Instant(letter.received_at),
        source: envelope::Source {
            kafka_topic: letter.source_topic,
            kafka_partition: letter.source_partition,
            kafka_offset: letter.source_offset,
            item_index,
            item_count,
        },
    };
    Envelope::wrap(event, origin, bytes, keeps_payload, arena)
}
