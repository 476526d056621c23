//! How long records have waited in a partition.

/// What is known of the records that wait in a partition, in milliseconds since 1970.
///
/// Nobody tells the timestamp of a record that was not read yet. But records stand in a partition in the order in which
/// they came. So what waits came after the last record that is committed, and after the last time that nothing waited:
/// the later of the two is the earliest that the oldest of them can have come. Before anything is committed, the first
/// record that was read takes the place of the last committed one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Waiting {
    assigned_at: i64,
    /// Timestamp of the last committed record, else of the first one that was read.
    reached: Option<i64>,
    /// When nothing waited.
    was_empty_at: Option<i64>,
}

impl Waiting {
    /// Of a partition that was just assigned.
    pub fn new(assigned_at: i64) -> Self {
        Self { assigned_at, reached: None, was_empty_at: None }
    }

    /// A record of this timestamp was read. Counts only where none was before.
    pub fn read(&mut self, timestamp: i64) {
        self.reached.get_or_insert(timestamp);
    }

    /// All up to the record of this timestamp is committed.
    pub fn committed(&mut self, timestamp: i64) {
        self.reached = Some(timestamp);
    }

    /// The seconds that the oldest record can have waited at most, where `lag` records wait at this time. While nothing is
    /// known of the partition, those since it was assigned.
    pub fn seconds(&mut self, lag: i64, now: i64) -> f64 {
        if lag == 0 {
            self.was_empty_at = Some(now);
            return 0.0;
        }
        let since = self.reached.max(self.was_empty_at).unwrap_or(self.assigned_at);
        (now - since).max(0) as f64 / 1000.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_came_after_what_is_committed_and_after_the_last_time_that_nothing_waited() {
        let mut waiting = Waiting::new(100_000);
        assert_eq!(waiting.seconds(5, 103_000), 3.0, "nothing was read yet");
        waiting.read(40_000);
        waiting.read(41_000);
        assert_eq!(waiting.seconds(5, 103_000), 63.0, "the first record that was read waits too");
        waiting.committed(90_000);
        assert_eq!(waiting.seconds(3, 104_000), 14.0);
        assert_eq!(waiting.seconds(0, 105_000), 0.0);
        // A partition that was silent for an hour and then gets a record has none that waited for an hour.
        assert_eq!(waiting.seconds(1, 3_705_000), 3600.0);
        assert_eq!(waiting.seconds(0, 3_706_000), 0.0);
        assert_eq!(waiting.seconds(1, 3_711_000), 5.0);
        waiting.committed(3_800_000);
        assert_eq!(waiting.seconds(1, 3_711_000), 0.0, "a clock that is ahead gives no time below 0");
    }
}
