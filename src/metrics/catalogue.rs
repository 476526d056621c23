//! Registers metrics, and remembers what each is about: the README's table is made of it.

use anyhow::Result;
use prometheus::core::Collector;
use prometheus::{GaugeVec, HistogramOpts, HistogramVec, IntCounterVec, IntGaugeVec, Opts, Registry};

/// What `/metrics` has under one name.
#[derive(Debug, Clone, Copy)]
pub struct Description {
    /// The name, as rules and dashboards use it.
    pub name: &'static str,
    /// `counter`, `gauge` or `histogram`.
    pub kind: &'static str,
    /// Names of its labels.
    pub labels: &'static [&'static str],
    /// What it says.
    pub help: &'static str,
}

/// The metrics so far. A metric without labels is one with an empty list of them.
#[derive(Debug, Default)]
pub(super) struct Catalogue {
    pub registry: Registry,
    pub descriptions: Vec<Description>,
}

impl Catalogue {
    pub fn counters(
        &mut self,
        name: &'static str,
        labels: &'static [&'static str],
        help: &'static str,
    ) -> Result<IntCounterVec> {
        let counters = IntCounterVec::new(Opts::new(name, help), labels)?;
        self.add(counters.clone(), Description { name, kind: "counter", labels, help })?;
        Ok(counters)
    }

    pub fn gauges(&mut self, name: &'static str, labels: &'static [&'static str], help: &'static str) -> Result<IntGaugeVec> {
        let gauges = IntGaugeVec::new(Opts::new(name, help), labels)?;
        self.add(gauges.clone(), Description { name, kind: "gauge", labels, help })?;
        Ok(gauges)
    }

    /// Gauges of what is no whole number.
    pub fn fractional_gauges(
        &mut self,
        name: &'static str,
        labels: &'static [&'static str],
        help: &'static str,
    ) -> Result<GaugeVec> {
        let gauges = GaugeVec::new(Opts::new(name, help), labels)?;
        self.add(gauges.clone(), Description { name, kind: "gauge", labels, help })?;
        Ok(gauges)
    }

    pub fn histograms(
        &mut self,
        name: &'static str,
        labels: &'static [&'static str],
        buckets: &[f64],
        help: &'static str,
    ) -> Result<HistogramVec> {
        let histograms = HistogramVec::new(HistogramOpts::new(name, help).buckets(buckets.to_vec()), labels)?;
        self.add(histograms.clone(), Description { name, kind: "histogram", labels, help })?;
        Ok(histograms)
    }

    fn add(&mut self, collector: impl Collector + 'static, description: Description) -> Result<()> {
        self.registry.register(Box::new(collector))?;
        self.descriptions.push(description);
        Ok(())
    }
}
