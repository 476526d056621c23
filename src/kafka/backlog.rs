//! How far a selection is worked off in one partition: an offset, and in its metadata what was left behind before it.
//!
//! What still fails must not hold up what comes after it, must be tried again by the next replay, and what has passed must
//! not be published again. So the committed offset goes on, and the ranges of offsets with letters that failed travel as
//! the text that Kafka keeps beside a committed offset; both are committed in the transaction of the events.
//!
//! A range holds no letter that has passed. What else lies in it is not selected, and is passed over again.

use anyhow::{Context, Result, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;

/// A broker takes 4096 by default (`offset.metadata.max.bytes`).
const TEXT_MAX: usize = 4_000;
/// What one more range can add to the text, at most: two numbers of ten bytes each, and the rest of a group.
const RANGE_MAX: usize = 30;
/// So many ranges fit in any case.
const RANGES_THAT_FIT: usize = (TEXT_MAX - 2) / RANGE_MAX - 1;
/// Begins the text: the first version of its form.
const MARK: &str = "1:";

/// Offsets from the first up to, but not with, the second.
type Range = (i64, i64);

/// The position of a selection in one partition.
#[derive(Debug, Clone, Default)]
pub(super) struct Backlog {
    /// All before was decided.
    next: i64,
    /// Where letters were left behind, in order.
    left: Vec<Range>,
    /// The last letter that was left behind since this was read; not a part of the position.
    last_left: Option<i64>,
}

/// What can be decided of a letter, where the text is nearly full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Room {
    Enough,
    /// It can stay where it was left, and can't pass: what failed before it would need a range of its own.
    OnlyToStay,
    /// Were it to fail, that could not be remembered.
    Nothing,
}

impl PartialEq for Backlog {
    fn eq(&self, other: &Self) -> bool {
        (self.next, &self.left) == (other.next, &other.left)
    }
}

impl Backlog {
    /// The position that was committed. Without metadata, as Kafka's own tool resets offsets, nothing was left behind.
    ///
    /// # Errors
    /// The metadata is not what a replay writes.
    pub fn read(offset: i64, metadata: &str) -> Result<Self> {
        if metadata.is_empty() {
            return Ok(Self { next: offset, ..Self::default() });
        }
        let text = metadata.strip_prefix(MARK).context("the position was not written by a replay")?;
        let bytes = STANDARD_NO_PAD.decode(text)?;
        let mut numbers = bytes.as_slice();
        let (mut left, mut end) = (Vec::new(), 0i64);
        while !numbers.is_empty() {
            let first = end.checked_add(take(&mut numbers)?).context("an offset is too large")?;
            end = first.checked_add(take(&mut numbers)?).context("an offset is too large")?;
            ensure!(first < end && end <= offset, "a range lies behind the position");
            left.push((first, end));
        }
        Ok(Self { next: offset, left, last_left: None })
    }

    /// The offset to commit, and the text beside it.
    pub fn position(&self) -> (i64, String) {
        (self.next, self.text())
    }

    fn text(&self) -> String {
        let (mut bytes, mut end) = (Vec::new(), 0);
        for range in &self.left {
            put(range.0 - end, &mut bytes);
            put(range.1 - range.0, &mut bytes);
            end = range.1;
        }
        format!("{MARK}{}", STANDARD_NO_PAD.encode(bytes))
    }

    /// Whether the text has room for what a letter at this offset can add to it.
    pub fn room_at(&self, offset: i64) -> Room {
        let is_split_by = |range: &Range| {
            let has_failed_before = self.last_left.is_some_and(|last_left| last_left >= range.0);
            range.0 <= offset && offset + 1 < range.1 && has_failed_before
        };
        let is_open = || self.left.last().is_some_and(|range| range.1 == self.next);
        match () {
            () if self.has_room() => Room::Enough,
            () if offset >= self.next => {
                if is_open() {
                    Room::Enough
                } else {
                    Room::Nothing
                }
            }
            () if self.left.iter().any(is_split_by) => Room::OnlyToStay,
            () => Room::Enough,
        }
    }

    /// Whether one more range fits.
    fn has_room(&self) -> bool {
        self.left.len() < RANGES_THAT_FIT || self.text().len() + RANGE_MAX <= TEXT_MAX
    }

    /// Where to begin.
    pub fn first(&self) -> i64 {
        self.left.first().map_or(self.next, |range| range.0)
    }

    /// Begins further on: what was left behind before stays as it is.
    pub fn resume_at(&mut self, offset: i64) {
        self.last_left = (offset > self.first()).then_some(offset - 1);
    }

    /// Forgets what the topic itself has forgotten.
    pub fn forget_before(&mut self, offset: i64) {
        self.left.retain(|range| range.1 > offset);
        self.next = self.next.max(offset);
    }

    /// Whether a selected letter at this offset is to be tried.
    pub fn is_due(&self, offset: i64) -> bool {
        offset >= self.next || self.left.iter().any(|range| range.0 <= offset && offset < range.1)
    }

    /// The letter is worked off. Offsets come in ascending order.
    pub fn pass(&mut self, offset: i64) {
        if offset >= self.next {
            self.next = offset + 1;
            return;
        }
        let Some(index) = self.left.iter().position(|range| range.0 <= offset && offset < range.1) else { return };
        let (first, end) = self.left.remove(index);
        if offset + 1 < end {
            self.left.insert(index, (offset + 1, end));
        }
        // Before it stand those that failed just now, where there are any.
        if let Some(last_left) = self.last_left.filter(|last_left| *last_left >= first) {
            self.left.insert(index, (first, last_left + 1));
        }
    }

    /// The letter still fails.
    pub fn leave(&mut self, offset: i64) {
        self.last_left = Some(offset);
        if offset < self.next {
            return;
        }
        // The last range grows where nothing has passed since.
        match self.left.last_mut() {
            Some(range) if range.1 == self.next => range.1 = offset + 1,
            _ => self.left.push((offset, offset + 1)),
        }
        self.next = offset + 1;
    }

    /// The record is none that was selected.
    pub fn skip(&mut self, offset: i64) {
        if offset < self.next {
            return;
        }
        if let Some(range) = self.left.last_mut().filter(|range| range.1 == self.next) {
            range.1 = offset + 1;
        }
        self.next = offset + 1;
    }
}

/// A number in base 128, the lowest digit first.
fn put(number: i64, bytes: &mut Vec<u8>) {
    let mut rest = number.unsigned_abs();
    while rest >= 0x80 {
        bytes.push((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    bytes.push(rest as u8);
}

fn take(bytes: &mut &[u8]) -> Result<i64> {
    let mut number = 0u64;
    for shift in (0..63).step_by(7) {
        let (first, rest) = bytes.split_first().context("a number is cut off")?;
        *bytes = rest;
        number |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            return Ok(i64::try_from(number)?);
        }
    }
    anyhow::bail!("a number is too large")
}

#[cfg(test)]
mod tests {
    use super::*;
    use fastrand::Rng;
    use std::collections::BTreeSet;

    fn again(backlog: &Backlog) -> Backlog {
        let (offset, text) = backlog.position();
        let read = Backlog::read(offset, &text).unwrap();
        assert!(read == *backlog, "{read:?} was {backlog:?}");
        read
    }

    #[test]
    fn what_fails_without_a_break_is_one_range() {
        let mut backlog = Backlog::default();
        for offset in 0..10 {
            if offset % 3 == 0 { backlog.skip(offset) } else { backlog.leave(offset) }
        }
        assert_eq!(backlog.left, [(1, 10)]);
        assert_eq!((again(&backlog).first(), backlog.next), (1, 10));
    }

    #[test]
    fn what_is_no_position_of_ours_is_refused() {
        for metadata in ["consumer-7", "1:?", "1:gA"] {
            assert!(Backlog::read(9, metadata).is_err(), "{metadata}");
        }
        assert_eq!(Backlog::read(9, "").unwrap().first(), 9, "an offset that was reset");
        let (_, text) = Backlog { next: 9, left: vec![(3, 9)], last_left: None }.position();
        assert!(Backlog::read(8, &text).is_err(), "a range behind the position");
    }

    /// Runs over a partition that grows, ended anywhere, begun again from the last position that was committed: what has
    /// passed is never due again, and what has not always is.
    #[test]
    fn whenever_it_is_ended_nothing_is_lost_or_doubled() {
        for seed in 0..200 {
            let mut rng = Rng::with_seed(seed);
            let selected: Vec<bool> = (0..300).map(|_| rng.u8(..4) > 0).collect();
            let cured_at: Vec<u8> = (0..300).map(|_| rng.u8(..5)).collect();
            let mut passed = BTreeSet::new();
            let mut committed = Backlog::default();
            for run in 0..5 {
                let end = 60 * (run + 1);
                let mut scanned = 0;
                // Ended three times, then let go on to the end.
                for attempt in 0..4 {
                    let mut backlog = again(&committed);
                    let (mut open, stop_at) = (Vec::new(), if attempt == 3 { end } else { rng.usize(..=end) });
                    // A process that goes on after a fault doesn't try again what it has tried already.
                    let from = if rng.bool() { scanned.max(backlog.first()) } else { backlog.first() };
                    backlog.resume_at(from);
                    for offset in from..stop_at as i64 {
                        if !selected[offset as usize] {
                            backlog.skip(offset);
                        } else if backlog.is_due(offset) {
                            if cured_at[offset as usize] <= run as u8 {
                                backlog.pass(offset);
                                open.push(offset);
                            } else {
                                backlog.leave(offset);
                            }
                        }
                        if rng.u8(..20) == 0 {
                            (committed, scanned) = (again(&backlog), offset + 1);
                            for offset in open.drain(..) {
                                assert!(passed.insert(offset), "seed {seed}: {offset} has passed twice");
                            }
                        }
                    }
                    if attempt == 3 {
                        committed = backlog;
                        for offset in open.drain(..) {
                            assert!(passed.insert(offset), "seed {seed}: {offset} has passed twice");
                        }
                    }
                }
                for offset in 0..end {
                    let is_cured = selected[offset] && cured_at[offset] <= run as u8;
                    assert_eq!(passed.contains(&(offset as i64)), is_cured, "seed {seed}, run {run}, offset {offset}");
                }
            }
        }
    }

    #[test]
    fn a_text_that_is_full_says_so_before_it_is_too_long() {
        let mut backlog = Backlog::default();
        let mut offset = 0;
        while backlog.has_room() {
            backlog.leave(offset);
            backlog.pass(offset + 1);
            offset += 2;
        }
        assert!(backlog.left.len() > 1_400, "{} ranges", backlog.left.len());
        assert!(again(&backlog).text().len() <= TEXT_MAX);
        assert_eq!(backlog.room_at(offset), Room::Nothing);
        backlog.pass(offset);
        assert_eq!(backlog.room_at(offset + 1), Room::Nothing);

        // What passes later makes room again, from the first to the last.
        let mut cured = again(&backlog);
        cured.resume_at(cured.first());
        for left in (0..offset).step_by(2) {
            assert_eq!(cured.room_at(left), Room::Enough);
            cured.pass(left);
        }
        assert_eq!((cured.left.len(), cured.room_at(offset + 1)), (0, Room::Enough));
    }

    #[test]
    fn what_would_split_a_range_stays_where_there_is_no_room_for_two() {
        let mut backlog = Backlog::default();
        for offset in 0..3 {
            backlog.leave(offset);
        }
        backlog.pass(3);
        let mut offset = 4;
        while backlog.has_room() {
            backlog.leave(offset);
            backlog.pass(offset + 1);
            offset += 2;
        }
        let mut backlog = again(&backlog);
        backlog.leave(0);
        assert_eq!((backlog.room_at(1), backlog.room_at(2)), (Room::OnlyToStay, Room::Enough));
    }
}
