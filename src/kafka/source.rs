//! A raw topic with its adapter, and what settings and record headers say of a record.

use anyhow::{Context, Result};
use rdkafka::message::{BorrowedHeaders, Headers};

use super::gap;
use crate::settings::{self, HintHeaders, Settings};
use crate::vendors::{ADAPTERS, Adapter, Hints, Region, Zone};

/// One source of the settings, ready for the loop.
#[derive(Debug)]
pub(super) struct Source {
    pub topic: String,
    pub adapter: &'static Adapter,
    /// Position of the adapter in [`ADAPTERS`], for tables by vendor.
    pub vendor: usize,
    settings: settings::Source,
    zone: Option<Zone>,
    region: Option<Region>,
}

impl Source {
    pub fn all(settings: &Settings) -> Result<Vec<Self>> {
        settings.sources.iter().map(Self::of).collect()
    }

    fn of(source: &settings::Source) -> Result<Self> {
        let adapter = gap::in_tests(source.adapter()?);
        let vendor = ADAPTERS.iter().position(|known| known.vendor == adapter.vendor).context("an adapter is in ADAPTERS")?;
        Ok(Self {
            topic: source.topic.clone(),
            adapter,
            vendor,
            zone: source.zone()?,
            region: source.region()?,
            settings: source.clone(),
        })
    }

    /// The hints for one record: its headers, else the settings.
    pub fn hints<'a>(&'a self, headers: Option<&'a BorrowedHeaders>) -> Hints<'a> {
        let settings = &self.settings;
        let HintHeaders { channel, event, format } = &settings.hint_headers;
        let header =
            |name: &Option<String>| headers.zip(name.as_deref()).and_then(|(headers, name)| text_header(headers, name));
        Hints {
            channel: header(channel).or(settings.channel.as_deref()),
            event: header(event).or(settings.event.as_deref()),
            format: header(format).or(settings.format.as_deref()),
            account: settings.account.as_deref(),
            zone: self.zone.as_ref(),
            region: self.region,
        }
    }

    /// The region setting as it is written, for dead letters.
    pub fn region_text(&self) -> Option<&str> {
        self.settings.region.as_deref()
    }
}

/// The last header of a name, where it is a text that is not empty.
fn text_header<'a>(headers: &'a BorrowedHeaders, name: &str) -> Option<&'a str> {
    let named = headers.iter().filter(|header| header.key == name).last()?;
    std::str::from_utf8(named.value?).ok().map(str::trim).filter(|text| !text.is_empty())
}
