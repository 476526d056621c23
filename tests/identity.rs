//! Event ids: the same for a vendor's retry, another for another fact.

#![allow(clippy::unwrap_used)] // Outside test functions clippy does not see that this is a test.

use bumpalo::Bump;
use event_normalizer::envelope::{Envelope, Origin, Source};
use event_normalizer::event::Instant;
use event_normalizer::vendors::{self, Hints, Outcome, Reading};

/// The ids of a body's events, as they come in a record at `offset`.
fn ids(vendor: &str, body: &str, account: Option<&str>, offset: i64) -> Vec<String> {
    let adapter = vendors::find(vendor).unwrap();
    let arena = Bump::new();
    let hints = Hints { channel: Some("sms"), account, ..Hints::default() };
    let mut ids = Vec::new();
    adapter.normalize(body.as_bytes(), &hints, &Reading::default(), &arena, |normalized| {
        let Outcome::Event(event) = normalized.outcome else { panic!("no event: {:?}", normalized.outcome) };
        let source = Source {
            kafka_topic: "raw",
            kafka_partition: 0,
            kafka_offset: offset,
            item_index: normalized.index,
            item_count: normalized.count,
        };
        let origin = Origin { vendor: adapter.vendor, account, received_at: Instant(offset), source };
        let envelope = Envelope::wrap(event, origin, normalized.bytes, true, &arena);
        ids.push(envelope.event_id.to_owned());
    });
    ids
}

fn id(vendor: &str, body: &str) -> String {
    ids(vendor, body, None, 7).remove(0)
}

const REPORT: &str = r#"{"results":[{"messageId":"m-1","to":"4915112340001","doneAt":"2026-03-03T14:22:30.000+0000",
    "smsCount":1,"status":{"groupId":3,"groupName":"DELIVERED","id":5,"name":"DELIVERED_TO_HANDSET"}}]}"#;
const SMS: &str =
    r#"{"id":"u-1:1","mobile":"919876500001","status":"DELIVRD","credits":"1.0000","deliv_time":"2026-03-03 14:22:30"}"#;
const HOOK: &str = r#"{"event_type":"open","event_date":"2026-03-03T14:22:30.5Z","account_id":57,"profile_id":"p-1",
    "event_data":{"send_message_id":"s-1"}}"#;

#[test]
fn an_id_is_32_hexadecimal_digits() {
    for id in [id("infobip", REPORT), id("mobtexting", SMS), id("altcraft", HOOK)] {
        assert_eq!(id.len(), 32);
        assert!(id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')));
    }
}

#[test]
fn a_retry_and_another_order_of_keys_give_the_same_id() {
    for (vendor, body) in [("infobip", REPORT), ("mobtexting", SMS), ("altcraft", HOOK)] {
        assert_eq!(ids(vendor, body, None, 1), ids(vendor, body, None, 99), "{vendor}: a retry lands at another offset");
    }
    let reordered = r#"{"results":[{"status":{"name":"DELIVERED_TO_HANDSET","id":5,"groupName":"DELIVERED","groupId":3},
        "smsCount":1,"doneAt":"2026-03-03T14:22:30.000+0000","to":"4915112340001","messageId":"m-1"}]}"#;
    assert_eq!(id("infobip", REPORT), id("infobip", reordered));
    let reordered =
        r#"{"deliv_time":"2026-03-03 14:22:30","status":"DELIVRD","mobile":"919876500001","id":"u-1:1","credits":"1.0000"}"#;
    assert_eq!(id("mobtexting", SMS), id("mobtexting", reordered));
    let reordered = r#"{"event_data":{"send_message_id":"s-1"},"profile_id":"p-1","account_id":57,
        "event_date":"2026-03-03T14:22:30.5Z","event_type":"open"}"#;
    assert_eq!(id("altcraft", HOOK), id("altcraft", reordered));
}

#[test]
fn what_does_not_identify_the_fact_does_not_change_the_id() {
    assert_eq!(id("infobip", REPORT), id("infobip", &REPORT.replace("\"smsCount\":1", "\"smsCount\":2,\"new\":true")));
    assert_eq!(id("mobtexting", SMS), id("mobtexting", &SMS.replace("1.0000", "2.0000")));
}

#[test]
fn another_status_time_recipient_or_account_gives_another_id() {
    let first = id("infobip", REPORT);
    for (from, to) in [
        ("DELIVERED_TO_HANDSET", "DELIVERED_TO_OPERATOR"),
        ("\"id\":5", "\"id\":2"),
        ("14:22:30", "14:22:31"),
        ("4915112340001", "4915112340002"),
        ("m-1", "m-2"),
    ] {
        assert_ne!(first, id("infobip", &REPORT.replace(from, to)), "{to}");
    }
    for (from, to) in [("DELIVRD", "UNDELIV"), ("14:22:30", "14:22:31"), ("919876500001", "919876500002"), ("u-1:1", "u-1:2")] {
        assert_ne!(id("mobtexting", SMS), id("mobtexting", &SMS.replace(from, to)), "{to}");
    }
    for (from, to) in [("open", "uopen"), ("30.5Z", "30.6Z"), ("p-1", "p-2"), ("s-1", "s-2"), ("57", "58")] {
        assert_ne!(id("altcraft", HOOK), id("altcraft", &HOOK.replace(from, to)), "{to}");
    }
    assert_ne!(ids("infobip", REPORT, None, 0), ids("infobip", REPORT, Some("tenant"), 0));
}

#[test]
fn two_decisions_of_one_moment_are_two_facts() {
    let template = r#"{"messageTemplateId":"t-1","timestamp":"2026-03-03T14:22:30.000+0000",
        "change":{"type":"TEMPLATE_STATUS_UPDATE","newStatus":"APPROVED"}}"#;
    assert_ne!(id("infobip", template), id("infobip", &template.replace("APPROVED", "REJECTED")));
    let wish = r#"{"from":"4930123462","createdAt":"2026-03-03T14:22:30.000+0000",
        "content":{"from":"4915112340001","notificationMessagesStatus":"stop"}}"#;
    assert_ne!(id("infobip", wish), id("infobip", &wish.replace("stop", "resume")));
    let number = r#"{"results":[{"event":"RCS_TEST_NUMBER_STATUS_UPDATE","senderName":"Agent","testNumber":"+4915112340001",
        "senderStatus":"READY_FOR_TESTING","testNumberStatus":"APPROVED","updatedAt":"2026-03-03T14:22:30.000+0000"}]}"#;
    assert_ne!(id("infobip", number), id("infobip", &number.replace("APPROVED", "REJECTED")));
    assert_ne!(id("infobip", number), id("infobip", &number.replace("READY_FOR_TESTING", "LAUNCHED")));
}

#[test]
fn without_an_id_of_the_vendor_the_bytes_identify_the_item() {
    let nameless = REPORT.replace("\"messageId\":\"m-1\",", "");
    assert_eq!(id("infobip", &nameless), id("infobip", &nameless));
    assert_ne!(id("infobip", &nameless), id("infobip", &nameless.replace("\"smsCount\":1", "\"smsCount\":2")));
}
