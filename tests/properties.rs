//! Golden payloads, changed at random: no panic, no neighbor touched, no event id changed by what identifies nothing.

mod fixtures;

use std::sync::LazyLock;

use bumpalo::Bump;
use event_normalizer::envelope::{Envelope, Origin, Source};
use event_normalizer::event::Instant;
use event_normalizer::vendors::{self, ADAPTERS, Adapter, Hints, Outcome, Reading};
use fixtures::Fixture;
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Map, Value, json};

/// A golden payload that is JSON.
struct Case {
    adapter: &'static Adapter,
    fixture: Fixture,
    body: Value,
}

static CASES: LazyLock<Vec<Case>> = LazyLock::new(|| {
    let mut cases = Vec::new();
    for adapter in ADAPTERS {
        for fixture in Fixture::all(adapter) {
            if let Ok(body) = serde_json::from_slice(&fixture.body) {
                cases.push(Case { adapter, fixture, body });
            }
        }
    }
    cases
});

/// What became of one item, as far as it can be compared.
#[derive(Debug, Clone, PartialEq)]
struct Summary {
    text: String,
    event_id: Option<String>,
    /// Whether fields identify the event, and not its bytes.
    is_identified: bool,
}

fn normalize(adapter: &Adapter, hints: &Hints<'_>, body: &[u8]) -> Vec<Summary> {
    let arena = Bump::new();
    let mut summaries = Vec::new();
    adapter.normalize(body, hints, &Reading::default(), &arena, |normalized| {
        summaries.push(match normalized.outcome {
            Outcome::Event(event) => {
                let is_identified = !event.identity.is_empty();
                let text = format!("{event:?}");
                let source = Source { kafka_topic: "", kafka_partition: 0, kafka_offset: 0, item_index: 0, item_count: 1 };
                let origin = Origin { vendor: adapter.vendor, account: hints.account, received_at: Instant(0), source };
                let envelope = Envelope::wrap(event, origin, normalized.bytes, true, &arena);
                assert!(envelope.stream().is_some(), "every event has a stream");
                assert!(!envelope.key().is_empty(), "every event has a key");
                Summary { text, event_id: Some(envelope.event_id.to_owned()), is_identified }
            }
            other => Summary { text: format!("{other:?}"), event_id: None, is_identified: false },
        });
    });
    summaries
}

/// Everything that becomes of a body.
fn outcomes(adapter: &Adapter, hints: &Hints<'_>, body: &[u8]) -> Vec<String> {
    let (arena, mut outcomes) = (Bump::new(), Vec::new());
    adapter.normalize(body, hints, &Reading::default(), &arena, |normalized| outcomes.push(format!("{normalized:?}")));
    outcomes
}

/// The adapter without its way past the split.
fn with_split(adapter: &Adapter) -> Adapter {
    Adapter { read_usual: None, ..*adapter }
}

#[test]
fn what_stands_around_a_batch_is_read_on_both_ways() {
    let infobip = vendors::find("infobip").expect("a vendor");
    let hints = Hints { channel: Some("sms"), ..Hints::default() };
    let report = r#"{"messageId":"m-1","status":{"name":"DELIVERED_TO_HANDSET","groupName":"DELIVERED"}}"#;
    for (before, after, events) in [
        ("", "", 1),
        ("", r#","messageCount":1"#, 1),
        (r#""messageCount":1,"#, "", 1),
        (r#""results":[],"#, "", 1),
        ("", r#","results":[]"#, 0),
        ("", r#","r\u0065sults":[]"#, 0),
        ("", r#","results":{}"#, 0),
        ("", r#","more":{"results":[]}"#, 1),
        ("", r#","messageCount""#, 0),
        ("", "]", 0),
        ("", "} {", 0),
    ] {
        let body = format!(r#"{{{before}"results":[{report}]{after}}}"#);
        let found = outcomes(infobip, &hints, body.as_bytes());
        assert_eq!(found, outcomes(&with_split(infobip), &hints, body.as_bytes()), "{body}");
        assert_eq!(found.iter().filter(|outcome| outcome.contains("outcome: Event")).count(), events, "{body}");
    }
}

/// The items of a body, where it is a batch.
fn items<'v>(adapter: &Adapter, body: &'v mut Value) -> Option<&'v mut Vec<Value>> {
    match adapter.vendor {
        "infobip" => body.get_mut("results")?.as_array_mut(),
        "altcraft" => body.as_array_mut(),
        _ => None,
    }
}

/// Pointers to all values inside a value.
fn pointers(value: &Value) -> Vec<String> {
    fn walk(pointer: &str, value: &Value, out: &mut Vec<String>) {
        let mut step = |segment: &str, value: &Value| {
            let pointer = format!("{pointer}/{}", segment.replace('~', "~0").replace('/', "~1"));
            walk(&pointer, value, out);
            out.push(pointer);
        };
        match value {
            Value::Object(object) => object.iter().for_each(|(key, value)| step(key, value)),
            Value::Array(elements) => elements.iter().enumerate().for_each(|(index, value)| step(&index.to_string(), value)),
            _ => {}
        }
    }
    let mut out = Vec::new();
    walk("", value, &mut out);
    out
}

fn remove(value: &mut Value, pointer: &str) {
    let Some((parent, last)) = pointer.rsplit_once('/') else { return };
    let last = last.replace("~1", "/").replace("~0", "~");
    match value.pointer_mut(parent) {
        Some(Value::Object(object)) => drop(object.shift_remove(&last)),
        Some(Value::Array(elements)) => {
            if let Ok(index) = last.parse::<usize>() {
                elements.remove(index);
            }
        }
        _ => {}
    }
}

/// Values of every type, with those that are often mistaken for another.
fn other_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(|value| json!(value)),
        any::<i64>().prop_map(|value| json!(value)),
        any::<f64>().prop_map(|value| json!(value)),
        ".{0,40}".prop_map(|value| json!(value)),
        Just(json!("")),
        Just(json!("true")),
        Just(json!(u64::MAX)),
        Just(json!([])),
        Just(json!({})),
        Just(json!([{"type": "x"}, null, "text", 1])),
        Just(json!({"type": [], "id": {"id": {}}, "text": false})),
    ]
}

fn reverse_keys(value: &mut Value) {
    match value {
        Value::Object(object) => {
            let taken = std::mem::take(object);
            *object = taken.into_iter().rev().collect::<Map<_, _>>();
            object.values_mut().for_each(reverse_keys);
        }
        Value::Array(elements) => elements.iter_mut().for_each(reverse_keys),
        _ => {}
    }
}

/// Pieces of JSON that a slip could put somewhere or leave out.
fn piece() -> impl Strategy<Value = &'static str> {
    proptest::sample::select(
        &[
            "{",
            "}",
            "[",
            "]",
            ",",
            ":",
            "\"",
            "\\",
            " ",
            "\n",
            "0",
            "-",
            "null",
            "{},",
            "\"results\":[],",
            "\"event\":1,",
            "\"validation_key\":1,\"challenge\":1,",
            "é",
        ][..],
    )
}

fn bytes(value: &Value) -> Vec<u8> {
    serde_json::to_vec(value).expect("a value is JSON")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_field_that_is_missing_or_of_another_type_touches_only_its_item(
        case in any::<Index>(),
        item in any::<Index>(),
        place in any::<Index>(),
        change in proptest::option::of(other_value()),
    ) {
        let case = case.get(&CASES);
        let hints = case.fixture.hints();
        let before = normalize(case.adapter, &hints, &bytes(&case.body));
        let mut body = case.body.clone();
        let Some(items) = items(case.adapter, &mut body).filter(|items| !items.is_empty()) else {
            let pointers = pointers(&body);
            prop_assume!(!pointers.is_empty());
            let pointer = &pointers[place.index(pointers.len())];
            match change {
                Some(value) => *body.pointer_mut(pointer).expect("the pointer was found") = value,
                None => remove(&mut body, pointer),
            }
            normalize(case.adapter, &hints, &bytes(&body));
            return Ok(());
        };
        let index = item.index(items.len());
        let pointers = pointers(&items[index]);
        match (change, pointers.is_empty()) {
            (None, false) => remove(&mut items[index], &pointers[place.index(pointers.len())]),
            (Some(value), false) => *items[index].pointer_mut(&pointers[place.index(pointers.len())]).expect("the pointer was found") = value,
            (_, true) => items[index] = json!({}),
        }
        let after = normalize(case.adapter, &hints, &bytes(&body));
        prop_assert_eq!(before.len(), after.len());
        for (position, (before, after)) in before.iter().zip(&after).enumerate() {
            prop_assert!(position == index || before == after, "{}: item {} changed", case.fixture.name, position);
        }
    }

    #[test]
    fn unknown_fields_and_another_order_of_keys_leave_the_event_and_its_id(
        case in any::<Index>(),
        is_reversed in any::<bool>(),
        name in "zz_[a-z]{1,8}",
        value in other_value(),
    ) {
        let case = case.get(&CASES);
        let hints = case.fixture.hints();
        let before = normalize(case.adapter, &hints, &bytes(&case.body));
        let mut body = case.body.clone();
        if is_reversed {
            reverse_keys(&mut body);
        } else if let Some(items) = items(case.adapter, &mut body) {
            for item in items.iter_mut().filter_map(Value::as_object_mut) {
                item.insert(name.clone(), value.clone());
            }
        } else if let Some(object) = body.as_object_mut() {
            object.insert(name, value);
        }
        let after = normalize(case.adapter, &hints, &bytes(&body));
        prop_assert_eq!(before.len(), after.len());
        for (before, after) in before.iter().zip(&after) {
            prop_assert_eq!(before.event_id.is_some(), after.event_id.is_some(), "{}", &case.fixture.name);
            if before.is_identified {
                prop_assert_eq!(&before.event_id, &after.event_id, "{}", &case.fixture.name);
            }
        }
    }

    #[test]
    fn an_item_that_comes_twice_gives_the_same_event_twice(case in any::<Index>(), item in any::<Index>()) {
        let case = case.get(&CASES);
        let hints = case.fixture.hints();
        let mut body = case.body.clone();
        let Some(items) = items(case.adapter, &mut body).filter(|items| !items.is_empty()) else { return Ok(()) };
        let index = item.index(items.len());
        let copy = items[index].clone();
        items.push(copy);
        let after = normalize(case.adapter, &hints, &bytes(&body));
        let before = normalize(case.adapter, &hints, &bytes(&case.body));
        prop_assert_eq!(after.len(), before.len() + 1);
        prop_assert_eq!(&after[..before.len()], &before[..]);
        prop_assert_eq!(&after[before.len()], &before[index]);
    }

    #[test]
    fn the_way_without_a_split_gives_what_the_way_with_it_gives(
        case in any::<Index>(),
        is_pretty in any::<bool>(),
        is_repeated in any::<bool>(),
        slips in proptest::collection::vec((any::<Index>(), 0..4_usize, piece()), 0..3),
    ) {
        let case = case.get(&CASES);
        let hints = case.fixture.hints();
        let mut body = case.body.clone();
        if is_repeated && let Some(items) = items(case.adapter, &mut body) {
            items.extend(items.clone());
        }
        let print = if is_pretty { serde_json::to_vec_pretty } else { serde_json::to_vec };
        let mut body = print(&body).expect("a value is JSON");
        for (place, length, piece) in slips {
            // Between two tokens, where a slip is likelier to leave JSON.
            let is_between = |place: &usize| *place == 0 || b"{}[],:\"".contains(&body[place - 1]);
            let places: Vec<_> = (0..=body.len()).filter(is_between).collect();
            let place = places[place.index(places.len())];
            let end = body.len().min(place + length);
            body.splice(place..end, piece.bytes());
        }
        prop_assert_eq!(outcomes(case.adapter, &hints, &body), outcomes(&with_split(case.adapter), &hints, &body));
    }

    #[test]
    fn bytes_at_random_are_no_hindrance(body in proptest::collection::vec(any::<u8>(), 0..200), case in any::<Index>()) {
        let case = case.get(&CASES);
        prop_assert!(!normalize(case.adapter, &case.fixture.hints(), &body).is_empty());
    }
}
