//! `translate`: vendor bodies from stdin to events on stdout, offline.

use std::io::{self, BufRead, Read, Write};

use anyhow::{Context, Result};
use bumpalo::Bump;
use clap::Args;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::envelope::{Envelope, Origin, Payload, Source};
use crate::event::Instant;
use crate::exit::Exit;
use crate::vendors::{self, Adapter, Hints, Normalized, Outcome, Reading, Region, Zone};

#[derive(Debug, Args)]
pub struct Translate {
    /// The vendor that sent the body: infobip, mobtexting or altcraft
    #[arg(long)]
    vendor: String,
    /// Channel, for bodies that don't tell it: a slug such as sms, or the vendor's own word
    #[arg(long)]
    channel: Option<String>,
    /// Event, for bodies that don't tell it, as the catalogue names it
    #[arg(long)]
    event: Option<String>,
    /// Format, as the catalogue names it
    #[arg(long)]
    format: Option<String>,
    /// Account or tenant at the vendor
    #[arg(long)]
    account: Option<String>,
    /// Time zone of times without one, such as Asia/Kolkata
    #[arg(long)]
    zone: Option<String>,
    /// Region of national phone numbers, such as DE
    #[arg(long)]
    region: Option<String>,
    /// Take every line as a body of its own
    #[arg(long)]
    lines: bool,
    /// Say on stderr how each event was recognized
    #[arg(long)]
    explain: bool,
}

impl Translate {
    /// Prints one JSON object for each item of each body.
    ///
    /// # Errors
    /// Standard input or output fails.
    pub fn run(&self) -> Result<Exit> {
        let request = match Request::of(self) {
            Ok(request) => request,
            Err(error) => {
                eprintln!("error: {error:#}");
                return Ok(Exit::Usage);
            }
        };
        let mut out = io::stdout().lock();
        let mut is_clean = true;
        if self.lines {
            for line in io::stdin().lock().split(b'\n') {
                let line = line.context("standard input")?;
                if !line.trim_ascii().is_empty() {
                    is_clean &= request.translate(&line, self.explain, &mut out)?;
                }
            }
        } else {
            let mut body = Vec::new();
            io::stdin().lock().read_to_end(&mut body).context("standard input")?;
            is_clean = request.translate(&body, self.explain, &mut out)?;
        }
        Ok(if is_clean { Exit::Success } else { Exit::Failure })
    }
}

struct Request<'a> {
    adapter: &'static Adapter,
    arguments: &'a Translate,
    zone: Option<Zone>,
    region: Option<Region>,
}

impl<'a> Request<'a> {
    fn of(arguments: &'a Translate) -> Result<Self> {
        let vendors = vendors::ADAPTERS.map(|adapter| adapter.vendor).join(", ");
        let adapter = vendors::find(&arguments.vendor).with_context(|| format!("--vendor: expected one of {vendors}"))?;
        if let Some(channel) = &arguments.channel {
            adapter
                .channel_of_hint(channel)
                .with_context(|| format!("--channel: expected a channel slug such as sms, or {}'s own word", adapter.vendor))?;
        }
        let zone = arguments.zone.as_deref().map(Zone::named).transpose();
        let zone = zone.context("--zone: expected an IANA time zone such as Asia/Kolkata")?;
        let region = arguments.region.as_deref().map(|region| region.to_ascii_uppercase().parse()).transpose();
        let region = region.ok().context("--region: expected a two-letter region such as DE")?;
        Ok(Self { adapter, arguments, zone, region })
    }

    /// Returns whether every item was normalized or ignored.
    fn translate(&self, body: &[u8], explain: bool, out: &mut impl Write) -> Result<bool> {
        let arena = Bump::new();
        let hints = Hints {
            channel: self.arguments.channel.as_deref(),
            event: self.arguments.event.as_deref(),
            format: self.arguments.format.as_deref(),
            account: self.arguments.account.as_deref(),
            zone: self.zone.as_ref(),
            region: self.region,
        };
        let mut is_clean = true;
        let mut lines = Vec::new();
        self.adapter.normalize(body, &hints, &Reading::default(), &arena, |normalized| {
            is_clean &= !matches!(normalized.outcome, Outcome::Rejected(_));
            if explain {
                eprintln!("item {}: {}", normalized.index, explanation(&normalized));
            }
            lines.push(line(self.adapter.vendor, self.arguments.account.as_deref(), normalized, &arena));
        });
        for line in lines {
            writeln!(out, "{}", line?).context("standard output")?;
        }
        Ok(is_clean)
    }
}

fn explanation(normalized: &Normalized<'_>) -> String {
    match &normalized.outcome {
        Outcome::Event(event) => {
            let conflict = if event.has_hint_conflict { "; a hint contradicts the body, which holds" } else { "" };
            format!("{} on {}: {}{conflict}", event.vendor_event, event.channel, event.recognized_by)
        }
        Outcome::Ignored(ignored) => format!("ignored: {}", ignored.cause()),
        Outcome::Rejected(reject) => reject.to_string(),
    }
}

/// One line of output for one item: an envelope without the plumbing of Kafka, a dead letter, or what was ignored.
///
/// # Errors
/// The envelope has no JSON form: a fault of the build.
pub fn line<'a>(vendor: &'a str, account: Option<&'a str>, normalized: Normalized<'a>, arena: &'a Bump) -> Result<String> {
    let Normalized { index, count, bytes, outcome, .. } = normalized;
    match outcome {
        Outcome::Event(event) => {
            let source = Source { kafka_topic: "", kafka_partition: 0, kafka_offset: 0, item_index: index, item_count: count };
            let origin = Origin { vendor, account, received_at: Instant(0), source };
            let mut object = envelope_object(&Envelope::wrap(event, origin, bytes, false, arena))?;
            object.shift_remove("source");
            object.shift_remove("received_at");
            Ok(serde_json::to_string(&Line { object, payload: Payload(bytes) })?)
        }
        Outcome::Ignored(ignored) => Ok(json!({"ignored": {"cause": ignored.cause()}}).to_string()),
        Outcome::Rejected(reject) => {
            let dead_letter = json!({"reason": reject.reason.name(), "detail": reject.detail, "item": index});
            Ok(json!({"dead_letter": dead_letter}).to_string())
        }
    }
}

/// The payload goes past `Value`, which would change its digits.
#[derive(Serialize)]
struct Line<'a> {
    #[serde(flatten)]
    object: Map<String, Value>,
    payload: Payload<'a>,
}

/// An envelope as a JSON object with the schema's names; nulls and empty maps are left out.
///
/// # Errors
/// The envelope has no JSON form: a fault of the build.
pub fn envelope_object(envelope: &Envelope<'_>) -> Result<Map<String, Value>> {
    let Value::Object(object) = without_nulls(serde_json::to_value(envelope)?) else {
        anyhow::bail!("an envelope is a JSON object");
    };
    Ok(object)
}

fn without_nulls(value: Value) -> Value {
    let Value::Object(object) = value else { return value };
    let is_filled = |value: &Value| !value.is_null() && value.as_object().is_none_or(|object| !object.is_empty());
    object.into_iter().map(|(key, value)| (key, without_nulls(value))).filter(|(_, value)| is_filled(value)).collect()
}
