//! Two envelopes that the encoder is checked on: one that fills every field, one that fills none it need not.

use bumpalo::Bump;

use crate::envelope::{Envelope, Origin, Source};
use crate::event::{
    Attributes, Business, Channel, Consent, Contact, Content, Cost, Direction, Engagement, Event, EventType, Instant, Meaning,
    Message, State, Status, VoiceCall,
};

const ORIGIN: Origin<'static> = Origin {
    vendor: "sample",
    account: Some("account"),
    received_at: Instant(1_772_547_751_001),
    source: Source {
        kafka_topic: "raw.sample",
        kafka_partition: 3,
        kafka_offset: 5_000_000_000,
        item_index: 1,
        item_count: 20,
    },
};

/// Every nullable field is set, with values that differ from one another.
pub fn full(arena: &Bump) -> Envelope<'_> {
    let mut attributes = Attributes::new_in(arena);
    attributes.put("first", "1");
    attributes.put("second", "два");
    let event = Event {
        vendor_format: Some("sample.v1.json"),
        account: Some("ignored"),
        occurred_at: Some(Instant(1_772_547_750_000)),
        occurred_at_zone: Some("Asia/Kolkata"),
        direction: Direction::Outbound,
        contact: Some(Contact {
            address: Some("+4915112340001"),
            address_kind: Some("phone"),
            raw_address: Some("4915112340001"),
            profile_id: Some("profile"),
            display_name: Some("name"),
        }),
        business: Some(Business { address: Some("Sender"), address_kind: Some("alphanumeric"), raw_address: Some("Sender") }),
        message: Some(Message {
            message_id: Some("message"),
            bulk_id: Some("bulk"),
            reference: Some("reference"),
            paired_message_id: Some("paired"),
            conversation_id: Some("conversation"),
            campaign_id: Some("campaign"),
            template_id: Some("template"),
            application_id: Some("application"),
            entity_id: Some("entity"),
            parts: Some(-2),
            network: Some("26201"),
        }),
        status: Some(Status {
            is_permanent: Some(true),
            vendor_code: Some("5"),
            vendor_name: Some("DELIVERED_TO_HANDSET"),
            vendor_group: Some("DELIVERED"),
            description: Some("description"),
            error_code: Some("0"),
            error_name: Some("NO_ERROR"),
            ..Status::new(Meaning::new(State::Expired, true, Some("expired")))
        }),
        content: Some(Content {
            kind: Some("location"),
            text: Some("text"),
            media_url: Some("https://example.com/a.png"),
            media_type: Some("image/png"),
            file_name: Some("a.png"),
            reply_id: Some("reply"),
            latitude: Some(-12.5),
            longitude: Some(179.25),
            json: Some("{}"),
        }),
        engagement: Some(Engagement {
            url: Some("https://example.com"),
            is_unique: Some(false),
            user_agent: Some("agent"),
            device_type: Some("phone"),
            operating_system: Some("system"),
            ip: Some("203.0.113.1"),
            country: Some("DE"),
            city: Some("Berlin"),
        }),
        consent: Some(Consent { state: Some("OPTED_OUT"), scope_kind: Some("sender"), scope_value: Some("Sender") }),
        voice_call: Some(VoiceCall {
            call_id: Some("call"),
            conference_id: Some("conference"),
            dialog_id: Some("dialog"),
            state: Some("ESTABLISHED"),
            started_at: Some(Instant(1)),
            answered_at: Some(Instant(-1)),
            ended_at: Some(Instant(i64::MAX)),
            duration_ms: Some(i64::MIN),
            hangup_cause: Some("API"),
            recording_url: Some("https://example.com/r"),
        }),
        cost: Some(Cost { amount: Some("0.0125"), currency: Some("EUR"), units: Some("credits") }),
        attributes,
        ..bare(arena)
    };
    Envelope::wrap(event, ORIGIN, b"{\"a\":1}", true, arena)
}

/// Every nullable field is null, the map is empty.
pub fn empty(arena: &Bump) -> Envelope<'_> {
    let origin = Origin { account: None, ..ORIGIN };
    Envelope::wrap(bare(arena), origin, b"{}", false, arena)
}

fn bare(arena: &Bump) -> Event<'_> {
    Event::new(EventType("profile.created"), Channel::None, "created", arena)
}
