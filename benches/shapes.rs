//! The bodies that the benchmarks translate: the vendors' most frequent ones, composed here, as a gateway passes them on.

#![allow(dead_code)] // Each benchmark uses its part.

use bumpalo::Bump;
use event_normalizer::avro::Encoder;
use event_normalizer::envelope::{Envelope, Origin, Source};
use event_normalizer::event::Instant;
use event_normalizer::vendors::{self, Adapter, Hints, Outcome, Reading, Zone};

/// A body and what is known of its topic.
pub struct Shape {
    pub name: &'static str,
    pub body: String,
    pub events: usize,
    adapter: &'static Adapter,
    channel: Option<&'static str>,
    zone: Option<Zone>,
}

const INFOBIP_REPORT: &str = r#"{"bulkId":"BULK-7c21-0441","price":{"pricePerMessage":0.0125,"currency":"EUR"},"status":{"id":5,"groupId":3,"groupName":"DELIVERED","name":"DELIVERED_TO_HANDSET","description":"Message delivered to handset"},"error":{"id":0,"name":"NO_ERROR","description":"No Error","groupId":0,"groupName":"OK","permanent":false},"messageId":"MESSAGE-7c21-0441-19b3","to":"4915112340001","sender":"InfoSMS","sentAt":"2026-03-03T14:22:28.114+0000","doneAt":"2026-03-03T14:22:30.907+0000","messageCount":1,"mccMnc":"26201","callbackData":"order-881204","platform":{"entityId":"shop","applicationId":"orders"}}"#;

const INFOBIP_INBOUND: &str = r#"{"results":[{"from":"4915112340001","to":"4930123440","integrationType":"WHATSAPP","receivedAt":"2026-03-03T14:22:30.907+0000","messageId":"wamid.7c210441","pairedMessageId":null,"callbackData":"thread-9","message":{"type":"TEXT","text":"Is my parcel there?"},"contact":{"name":"Mia Muster"},"price":{"pricePerMessage":0,"currency":"EUR"}}],"messageCount":1,"pendingMessageCount":0}"#;

const MOBTEXTING_REPORT: &str = r#"{"id":"7c21:1","mobile":"919876500001","status":"DELIVRD","credits":"1.0000","units":1,"sent_time":"2026-03-03 19:52:28","deliv_time":"2026-03-03 19:52:30","cid":"order-881204","custom":"881204"}"#;

const ALTCRAFT_HOOK: &str = r#"{"event_type":"uopen","event_date":"2026-03-03T14:22:30.907018275Z","account_id":41,"is_test":false,"profile_id":"65a9c1d0e4b0a1b2c3d4e5f6","event_data":{"message_id":365,"campaign_id":2207,"launch_id":"launch-881","send_message_id":"send-7c21-0441"}}"#;

/// All shapes, in the order in which they are printed.
pub fn all() -> Vec<Shape> {
    let infobip = |name, body, events, channel| shape(name, "infobip", body, events, channel);
    let reports = |count: usize| format!(r#"{{"results":[{}]}}"#, vec![INFOBIP_REPORT; count].join(","));
    vec![
        infobip("infobip_report_1", reports(1), 1, Some("sms")),
        infobip("infobip_report_20", reports(20), 20, Some("sms")),
        infobip("infobip_inbound", INFOBIP_INBOUND.to_owned(), 1, None),
        Shape {
            zone: Some(Zone::named("Asia/Kolkata").expect("a zone")),
            ..shape("mobtexting_report", "mobtexting", MOBTEXTING_REPORT.to_owned(), 1, None)
        },
        shape("altcraft_hook_1", "altcraft", ALTCRAFT_HOOK.to_owned(), 1, None),
        shape("altcraft_hook_20", "altcraft", format!("[{}]", vec![ALTCRAFT_HOOK; 20].join(",")), 20, None),
    ]
}

fn shape(name: &'static str, vendor: &str, body: String, events: usize, channel: Option<&'static str>) -> Shape {
    let adapter = vendors::find(vendor).expect("a vendor");
    let shape = Shape { name, body, events, adapter, channel, zone: None };
    let found = shape.translate(&Encoder::verified().expect("an encoder"), &mut Bump::new(), &mut Vec::new());
    assert_eq!(found, events, "{name} gives other events than it should");
    shape
}

impl Shape {
    /// All that becomes of a record between the poll and the send, and how many events come of it.
    pub fn translate(&self, encoder: &Encoder, arena: &mut Bump, buffer: &mut Vec<u8>) -> usize {
        arena.reset();
        let arena = &*arena;
        let hints = Hints { channel: self.channel, zone: self.zone.as_ref(), ..Hints::default() };
        let mut events = 0;
        self.adapter.normalize(self.body.as_bytes(), &hints, &Reading::default(), arena, |normalized| {
            let Outcome::Event(event) = normalized.outcome else { return };
            let source = Source {
                kafka_topic: "raw.vendor",
                kafka_partition: 1,
                kafka_offset: 2,
                item_index: normalized.index,
                item_count: normalized.count,
            };
            let received_at = Instant(1_772_547_751_001);
            let origin = Origin { vendor: self.adapter.vendor, account: None, received_at, source };
            let envelope = Envelope::wrap(event, origin, normalized.bytes, true, arena);
            encoder.encode(&envelope, buffer);
            std::hint::black_box((envelope.key(), buffer.as_slice()));
            events += 1;
        });
        events
    }
}
