//! `dead-letters show`: one of them, with headers and body. Values that could be personal are shown only where asked for.

use std::path::PathBuf;

use anstream::println;
use anyhow::{Context, Result, anyhow};
use clap::Args;
use serde_json::{Map, Value, json};

use super::list::position;
use super::which::{self, Form};
use crate::event::Instant;
use crate::exit::Exit;
use crate::kafka::dead_letter::Letter;
use crate::kafka::letters::Letters;
use crate::kafka::worker::Stop;

#[derive(Debug, Args)]
pub(super) struct Show {
    /// Where it stands, as `list` prints it: TOPIC-PARTITION-OFFSET
    #[arg(value_parser = place)]
    position: Place,
    /// Show the body, the key and the raw record's headers as they are, personal data included
    #[arg(long)]
    payload: bool,
    /// Settings file
    #[arg(long, value_name = "FILE")]
    settings: Option<PathBuf>,
    /// Form of the output
    #[arg(long, value_enum, default_value_t = Form::Table)]
    output: Form,
}

#[derive(Debug, Clone)]
struct Place {
    topic: String,
    partition: i32,
    offset: i64,
}

/// A topic's name may have hyphens itself.
fn place(text: &str) -> Result<Place> {
    let parts: Vec<_> = text.rsplitn(3, '-').collect();
    let read = || match parts[..] {
        [offset, partition, topic] => {
            Some(Place { topic: topic.to_owned(), partition: partition.parse().ok()?, offset: offset.parse().ok()? })
        }
        _ => None,
    };
    read().context("expected TOPIC-PARTITION-OFFSET, as events.dead-letters-0-17")
}

impl Show {
    /// # Errors
    /// The topic can't be read, or has no dead letter there.
    pub(super) fn run(&self) -> Result<Exit, Stop> {
        let settings = which::settings(self.settings.as_deref())?;
        let Place { topic, partition, offset } = &self.position;
        if *topic != settings.topics.dead_letters {
            let error = anyhow!("the settings' dead-letter topic is {}, and not {topic}", settings.topics.dead_letters);
            return Err(Stop { exit: Exit::Usage, error });
        }
        let letters = Letters::open(&settings)?;
        let position = position(topic, *partition, *offset);
        let mut is_ours = false;
        let is_there = letters.at(*partition, *offset, |letter| {
            if let Some(letter) = letter {
                is_ours = true;
                match self.output {
                    Form::Json => println!("{:#}", self.json(&position, letter)),
                    Form::Table => self.print(&position, letter),
                }
            }
            Ok(())
        })?;
        if !is_there {
            return Err(anyhow!("there is no record at {position}").into());
        }
        if !is_ours {
            return Err(anyhow!("the record at {position} is no dead letter of this program's").into());
        }
        Ok(Exit::Success)
    }

    fn print(&self, position: &str, letter: &Letter<'_>) {
        println!("{position}, received {}", Instant(letter.received_at));
        println!("key: {}", self.bytes(letter.key));
        for (name, value) in letter.original_headers() {
            println!("{}: {}", printable(name), self.bytes(value));
        }
        for (name, value) in letter.own_headers() {
            println!("{name}: {}", printable(&String::from_utf8_lossy(value.unwrap_or_default())));
        }
        match letter.payload {
            None => println!("\nno body: it was left out"),
            Some(payload) => match serde_json::from_slice::<Value>(payload) {
                Ok(value) => println!("\n{:#}", if self.payload { value } else { masked(value) }),
                Err(_) => println!("\n{}, not JSON", self.bytes(Some(payload))),
            },
        }
        if !self.payload {
            println!("\nvalues are hidden, since they may be personal: --payload shows them");
        }
    }

    fn json(&self, position: &str, letter: &Letter<'_>) -> Value {
        let own = letter.own_headers();
        let own: Map<_, _> =
            own.map(|(name, value)| (name.to_owned(), json!(String::from_utf8_lossy(value.unwrap_or_default())))).collect();
        let original = letter.original_headers().map(|(name, value)| json!({"name": name, "value": self.bytes(value)}));
        let body = letter.payload.map(|payload| match serde_json::from_slice::<Value>(payload) {
            Ok(value) if self.payload => value,
            Ok(value) => masked(value),
            Err(_) => json!(self.bytes(Some(payload))),
        });
        json!({
            "position": position,
            "received_at": Instant(letter.received_at).to_string(),
            "key": self.bytes(letter.key),
            "original_headers": original.collect::<Vec<_>>(),
            "headers": own,
            "body": body,
        })
    }

    /// Bytes as text, or only how many they are.
    fn bytes(&self, bytes: Option<&[u8]>) -> String {
        match bytes {
            None => "none".to_owned(),
            Some(bytes) if self.payload => printable(&String::from_utf8_lossy(bytes)),
            Some(bytes) => format!("<{} bytes>", bytes.len()),
        }
    }
}

/// Without what could move a terminal's cursor.
fn printable(text: &str) -> String {
    text.chars().map(|char| if char.is_control() && char != '\n' { '\u{fffd}' } else { char }).collect()
}

/// The shape of a JSON value: names and types, no values.
fn masked(value: Value) -> Value {
    match value {
        Value::Null | Value::Bool(_) => value,
        Value::Number(_) => json!("<number>"),
        Value::String(text) => json!(format!("<text of {}>", text.chars().count())),
        Value::Array(values) => values.into_iter().map(masked).collect(),
        Value::Object(object) => {
            object.into_iter().enumerate().map(|(index, (name, value))| (masked_name(index, name), masked(value))).collect()
        }
    }
}

/// A name can be a value too, where an object lists persons.
fn masked_name(index: usize, name: String) -> String {
    const DIGITS_MAX: usize = 3;
    let is_name = name.len() <= 64 && !name.contains('@') && name.bytes().filter(u8::is_ascii_digit).count() <= DIGITS_MAX;
    if is_name { name } else { format!("<name {index}>") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_may_have_hyphens() {
        let place = place("events.dead-letters-3-42").unwrap();
        assert_eq!((place.topic.as_str(), place.partition, place.offset), ("events.dead-letters", 3, 42));
        for text in ["events-3", "events.dead-letters", "a-b-c", ""] {
            assert!(super::place(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_shape_of_a_body_has_no_value_of_it() {
        let body = json!({"to": "4915112340001", "n": 7, "seen": true, "4915112340001": {"a@b.example": null}, "list": ["x"]});
        let shape = masked(body).to_string();
        let expected =
            r#"{"to":"<text of 13>","n":"<number>","seen":true,"<name 3>":{"<name 0>":null},"list":["<text of 1>"]}"#;
        assert_eq!(shape, expected);
    }
}
