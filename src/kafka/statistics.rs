//! What a client's statistics tell of its connections.

use std::sync::atomic::{AtomicU64, Ordering};

use prometheus::IntCounter;
use rdkafka::Statistics;

use crate::metrics::ClientMetrics;

/// Takes the statistics of one client into the metrics. Each client begins to count at 0, a new one in place of another too.
#[derive(Debug)]
pub(super) struct ClientStatistics {
    metrics: ClientMetrics,
    request_timeouts: AtomicU64,
    retries: AtomicU64,
}

impl ClientStatistics {
    pub fn new(metrics: &ClientMetrics) -> Self {
        Self { metrics: metrics.clone(), request_timeouts: AtomicU64::new(0), retries: AtomicU64::new(0) }
    }

    /// Takes what librdkafka reports now and then.
    pub fn take(&self, statistics: &Statistics) {
        let brokers = || statistics.brokers.values();
        self.metrics.connected.set(i64::from(brokers().any(|broker| broker.state == "UP")));
        count_up(&self.metrics.request_timeouts, &self.request_timeouts, brokers().map(|broker| broker.req_timeouts).sum());
        count_up(&self.metrics.retries, &self.retries, brokers().map(|broker| broker.txretries).sum());
    }
}

/// Adds to a counter what has come since the last time.
fn count_up(counter: &IntCounter, last: &AtomicU64, total: u64) {
    let before = last.swap(total, Ordering::Relaxed);
    counter.inc_by(total.saturating_sub(before));
}

#[cfg(test)]
mod tests {
    use rdkafka::statistics::Broker;

    use super::*;
    use crate::metrics::Metrics;
    use crate::settings::Settings;

    #[test]
    fn a_client_in_place_of_another_counts_on() {
        let settings = "{kafka: {brokers: 'b:1'}, sources: [{topic: a, vendor: altcraft}], delivery: {workers: 1}}";
        let metrics = Metrics::new(&Settings::of_yaml(settings).expect("settings")).expect("metrics");
        let statistics = |state: &str, req_timeouts, txretries| {
            let broker = Broker { state: state.to_owned(), req_timeouts, txretries, ..Broker::default() };
            Statistics { brokers: [("b:1/1".to_owned(), broker)].into(), ..Statistics::default() }
        };
        let found = |metrics: &ClientMetrics| (metrics.connected.get(), metrics.request_timeouts.get(), metrics.retries.get());
        let first = ClientStatistics::new(&metrics.producers[0]);
        first.take(&statistics("UP", 2, 1));
        first.take(&statistics("UP", 2, 1));
        assert_eq!(found(&metrics.producers[0]), (1, 2, 1));
        first.take(&statistics("TRY_CONNECT", 5, 1));
        assert_eq!(found(&metrics.producers[0]), (0, 5, 1));
        ClientStatistics::new(&metrics.producers[0]).take(&statistics("UP", 1, 0));
        assert_eq!(found(&metrics.producers[0]), (1, 6, 1));
        assert_eq!(found(&metrics.consumers[0]), (0, 0, 0));
    }
}
