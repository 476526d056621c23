//! `sms:message:status`: what became of an SMS.

use serde_json::value::RawValue;

use super::Fields;
use crate::event::State::{Delivered, Expired, Rejected, Sent, Undelivered, Unknown};
use crate::event::{Cost, Event, Meaning, Message, State, Status};
use crate::reject::Reject;
use crate::vendors::fields::{self, any};
use crate::vendors::json::{self, Entries};
use crate::vendors::{Item, Row};

/// The fields that have a place in the envelope; the others are attributes under the vendor's own name.
#[derive(Debug, Default)]
struct Values<'a> {
    id: Option<&'a str>,
    mobile: Option<&'a str>,
    status: Option<&'a str>,
    credits: Option<&'a str>,
    units: Option<&'a str>,
    cid: Option<&'a str>,
    custom: Option<&'a str>,
    /// By preference: the delivery, else the hand-over to the operator, else the request; seconds before local times.
    times: [Option<&'a str>; 6],
}

const TIMES: [&str; 6] = ["deliv_at", "deliv_time", "submit_at", "submit_time", "sent_at", "sent_time"];

pub fn normalize<'a>(item: &Item<'a>, row: &'static Row, body: Fields<'a>) -> Result<Event<'a>, Reject> {
    let entries = item.entries(body.text)?;
    let mut event = Event::new(row.event_type, row.channel, row.event, item.arena);
    let fields = read(item, &mut event, entries)?;
    let parts = match fields.units {
        Some(units) => Some(units.trim().parse().map_err(|_| Reject::invalid_shape("/units", "a whole number"))?),
        None => None,
    };

    if let Some(position) = fields.times.iter().position(Option::is_some) {
        item.occurred(&mut event, format_args!("/{}", TIMES[position]), fields.times[position])?;
    }
    let word = fields.status.unwrap_or_default();
    let meaning = meaning(word);
    event.has_unlisted_status = meaning.is_none();
    event.status = Some(Status { vendor_name: fields.status, ..Status::new(meaning.unwrap_or(Meaning::UNLISTED)) });
    event.contact = item.contact(row.channel, fields.mobile);
    event.cost = fields.credits.map(|credits| Cost { amount: Some(credits), currency: None, units: Some("credits") });
    let message = Message { message_id: fields.id, reference: fields.custom.or(fields.cid), parts, ..Message::default() };
    event.attributes.put("cid", fields.cid.filter(|_| fields.custom.is_some()));
    if fields.id.is_some() {
        let delivered_at = fields.times[0].or(fields.times[1]);
        item.identify(&mut event, &[fields.id, fields.status, delivered_at, fields.mobile]);
    }
    event.message = message.given();
    Ok(event)
}

fn read<'a>(item: &Item<'a>, event: &mut Event<'a>, entries: Entries<'a>) -> Result<Values<'a>, Reject> {
    let mut fields = Values::default();
    for (key, value) in entries {
        match key {
            "event" => {}
            "id" => fields.id = fields::scalar(value, "/id", item.arena)?,
            "mobile" => fields.mobile = fields::scalar(value, "/mobile", item.arena)?,
            "status" => fields.status = fields::scalar(value, "/status", item.arena)?.or_else(|| empty_text(value)),
            "credits" => fields.credits = fields::scalar(value, "/credits", item.arena)?,
            "units" => fields.units = fields::scalar(value, "/units", item.arena)?,
            "cid" => fields.cid = any(Some(value), item.arena),
            "custom" => fields.custom = any(Some(value), item.arena),
            _ => {
                let printed = any(Some(value), item.arena);
                if let Some(position) = TIMES.iter().position(|time| *time == key) {
                    fields.times[position] = printed;
                }
                event.attributes.put(key, printed);
            }
        }
    }
    Ok(fields)
}

/// A status word is kept as printed, also the empty one.
fn empty_text(value: &RawValue) -> Option<&'static str> {
    (json::parse_strict::<&str>(value.get()) == Some("")).then_some("")
}

/// What a status word means. `None`: neither it nor its prefix is listed.
fn meaning(word: &str) -> Option<Meaning> {
    let listed = WORDS.iter().find(|(own, _)| own.eq_ignore_ascii_case(word)).map(|(_, meaning)| *meaning);
    let has_prefix = |prefix: &str| word.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix));
    listed.or_else(|| match () {
        // The vendor adds words to these two families without notice.
        () if has_prefix("DLT-") => Some(row(Rejected, "content")),
        () if has_prefix("INV-") => Some(row(Rejected, "unknown")),
        () => None,
    })
}

const fn row(state: State, reason: &'static str) -> Meaning {
    Meaning::new(state, true, Some(reason))
}

/// The vendor's words. Those below its code 400 come from the network, the others from the gateway, which refused.
const WORDS: &[(&str, Meaning)] = &[
    ("AWAITING-DLR", Meaning::new(Sent, false, None)),
    ("DELIVRD", Meaning::new(Delivered, true, None)),
    ("EXPIRED", row(Expired, "expired")),
    ("TIMEOUT-DLR", row(Unknown, "unknown")), // The operator never answered; no more will come.
    ("UNDELIV", row(Undelivered, "unknown")),
    ("FAILED", row(Undelivered, "network")),
    ("INVALID-SUB", row(Undelivered, "recipient_invalid")),
    ("ABSENT-SUB", row(Undelivered, "recipient_unreachable")),
    ("HANDSET-ERR", row(Undelivered, "recipient_unreachable")),
    ("HANDSET-BUSY", row(Undelivered, "recipient_busy")),
    ("MEMEXEC", row(Undelivered, "recipient_unreachable")), // The handset's memory is full.
    ("MOB-OFF", row(Undelivered, "recipient_unreachable")),
    ("NET-ERR", row(Undelivered, "network")),
    ("BARRED", row(Undelivered, "policy")),
    ("REJ-MULTIPART", row(Undelivered, "network")), // Not all parts arrived.
    ("SERIES-BLK", row(Rejected, "policy")),
    ("SERIES-BLOCK", row(Rejected, "policy")),
    ("NO-CREDITS", row(Rejected, "account")),
    ("NO-ACCOUNT", row(Rejected, "account")),
    ("SERVER-ERR", row(Rejected, "network")),
    ("INV-NUMBER", row(Rejected, "recipient_invalid")),
    ("SPAM", row(Rejected, "content")),
    ("DNDNUMB", row(Rejected, "consent")),
    ("BLACKLST", row(Rejected, "consent")),
    ("SNDR-BLOCK", row(Rejected, "sender")),
    ("TEMPLATE-NOT-FOUND", row(Rejected, "content")),
    ("INV-TEMPLATE", row(Rejected, "content")),
    ("INV-SENDER", row(Rejected, "sender")),
    ("NOT-OPTIN", row(Rejected, "consent")),
    ("OPTOUT-REJ", row(Rejected, "consent")),
    ("PROMO-TMOUT", row(Rejected, "policy")), // Outside the hours for promotional traffic.
    ("REJECTED", row(Rejected, "unknown")),
    ("NOTALLOWED", row(Rejected, "policy")), // The country is not open.
    ("DUPLICATE", row(Rejected, "duplicate")),
    ("THROTTLED", row(Rejected, "throttled")),
    // India's registry of senders and templates, spelled as the vendor spells it.
    ("DLT-REJECTED", row(Rejected, "content")),
    ("DLT-INV-TMID", row(Rejected, "account")),
    ("DLT-INV-ENTITY", row(Rejected, "account")),
    ("DLT-INV-TM-ID", row(Rejected, "content")),
    ("DLT-TM-VAR-EXECEED", row(Rejected, "content")),
    ("DLT-ENTITY-NOT-FOUND", row(Rejected, "account")),
    ("DLT-TM-BLACKLST", row(Rejected, "content")),
    ("DLT-ENTITY-BLACKLST", row(Rejected, "account")),
    ("DLT-HEADER-INACTIVE", row(Rejected, "sender")),
    ("DLT-TM-INACTIVE", row(Rejected, "content")),
    ("DLT-SENDER-NOT-REG-TM", row(Rejected, "sender")),
    ("INV-PROVISION", row(Rejected, "account")),
    ("INV-SERVICE", row(Rejected, "account")),
    ("INV-SCHEDULE", row(Rejected, "account")),
];

#[cfg(test)]
mod tests {
    use bumpalo::Bump;

    use super::super::ADAPTER;
    use crate::vendors::{Hints, Outcome, Reading};

    /// The vendor's documented words with their meaning, as the fixtures list them.
    const LISTED: &str = include_str!("fixtures/message_status/words.tsv");

    #[test]
    fn every_documented_word_has_its_meaning() {
        let rows: Vec<Vec<_>> = LISTED.lines().skip(1).map(|line| line.split('\t').collect()).collect();
        assert_eq!(rows.len(), 49);
        assert_eq!(rows.len(), super::WORDS.len());
        for row in rows {
            let [word, state, is_final, reason] = row[..] else { panic!("four columns: {row:?}") };
            let body = format!(r#"{{"id":"1","mobile":"919876500001","status":"{word}","units":1}}"#);
            let (arena, hints) = (Bump::new(), Hints::default());
            let mut statuses = Vec::new();
            ADAPTER.normalize(body.as_bytes(), &hints, &Reading::default(), &arena, |normalized| {
                let Outcome::Event(event) = normalized.outcome else { panic!("no event of {word}") };
                assert!(!event.has_unlisted_status, "{word}");
                statuses.extend(event.status);
            });
            let status = statuses[0];
            assert_eq!(status.state.name(), state, "{word}");
            assert_eq!(status.is_final.to_string(), is_final, "{word}");
            assert_eq!(status.reason.unwrap_or_default(), reason, "{word}");
            assert_eq!(status.vendor_name, Some(word));
        }
    }
}
