//! Which dead letters are meant, and the name under which a replay of them keeps its position.

use super::dead_letter::Letter;
use crate::event::Instant;
use crate::reject::Reason;

/// Dead letters by what their headers say. What is empty selects all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// Received at this time or later.
    pub since: Option<Instant>,
    /// Received before this time.
    pub until: Option<Instant>,
    pub reasons: Vec<Reason>,
    pub vendors: Vec<&'static str>,
    /// Of these raw topics.
    pub topics: Vec<String>,
}

impl Selection {
    pub fn has(&self, letter: &Letter<'_>) -> bool {
        fn is_among<T: PartialEq>(wanted: &[T], is: impl Fn(&T) -> bool) -> bool {
            wanted.is_empty() || wanted.iter().any(is)
        }
        self.since.is_none_or(|since| letter.received_at >= since.0)
            && self.until.is_none_or(|until| letter.received_at < until.0)
            && is_among(&self.reasons, |reason| *reason == letter.reason)
            && is_among(&self.vendors, |vendor| *vendor == letter.vendor)
            && is_among(&self.topics, |topic| topic == letter.source_topic)
    }

    /// The same for the same selection, however it was written: `all`, or as `reason=unknown_event,vendor=infobip`.
    pub fn name(&self) -> String {
        let mut parts = Vec::new();
        let reasons = self.reasons.iter().map(|reason| format!("reason={}", reason.name()));
        let vendors = self.vendors.iter().map(|vendor| format!("vendor={vendor}"));
        let topics = self.topics.iter().map(|topic| format!("topic={topic}"));
        for kind in [reasons.collect::<Vec<_>>(), vendors.collect(), topics.collect()] {
            let mut kind = kind;
            kind.sort_unstable();
            kind.dedup();
            parts.extend(kind);
        }
        parts.extend(self.since.map(|since| format!("since={since}")));
        parts.extend(self.until.map(|until| format!("until={until}")));
        if parts.is_empty() { "all".to_owned() } else { parts.join(",") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selection_has_one_name_however_it_is_written() {
        assert_eq!(Selection::default().name(), "all");
        let selection = Selection {
            since: Some(Instant(1_772_547_750_000)),
            reasons: vec![Reason::UnknownEvent, Reason::InvalidJson, Reason::UnknownEvent],
            vendors: vec!["infobip"],
            topics: vec!["raw.b".to_owned(), "raw.a".to_owned()],
            ..Selection::default()
        };
        let name =
            "reason=invalid_json,reason=unknown_event,vendor=infobip,topic=raw.a,topic=raw.b,since=2026-03-03T14:22:30.000Z";
        assert_eq!(selection.name(), name);
    }
}
