//! `demo`: the job on an embedded in-process broker, with sample payloads of all vendors.

use std::collections::BTreeMap;
use std::io::{self, BufRead};
use std::net::SocketAddr;
use std::sync::mpsc::{self, Receiver, TryRecvError};
use std::thread;
use std::time::Duration;

use anstream::println;
use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use serde_json::Value;
use tokio::sync::oneshot;

use super::run;
use crate::avro::{self, Schema};
use crate::exit::Exit;
use crate::kafka::embedded::{Embedded, Published, Reader, Writer};
use crate::logs;
use crate::settings::Settings;
use crate::vendors;

#[derive(Debug, Args)]
pub struct Demo {
    /// End after the samples; else stay, and take bodies from stdin
    #[arg(long)]
    once: bool,
    /// Address of the admin port, where the demo stays
    #[arg(long, default_value = "127.0.0.1:9464")]
    admin: SocketAddr,
}

/// A sample body, what is special in it, and how many items it has.
struct Sample {
    vendor: &'static str,
    about: &'static str,
    body: &'static str,
    items: usize,
}

const SAMPLES: &[Sample] = &[
    Sample {
        vendor: "infobip",
        about: "three delivery reports in one body, one of them with a broken status",
        body: include_str!("demo/samples/infobip_reports.json"),
        items: 3,
    },
    Sample {
        vendor: "infobip",
        about: "a WhatsApp message that a person sent",
        body: include_str!("demo/samples/infobip_whatsapp_message.json"),
        items: 1,
    },
    Sample {
        vendor: "mobtexting",
        about: "an SMS that was refused; its times have no zone, the source's setting says Asia/Kolkata",
        body: include_str!("demo/samples/mobtexting_sms_status.json"),
        items: 1,
    },
    Sample {
        vendor: "altcraft",
        about: "an e-mail sent, and its first click",
        body: include_str!("demo/samples/altcraft_hooks.json"),
        items: 2,
    },
];

const SETTINGS: &str = "
sources:
  - {topic: raw.infobip, vendor: infobip}
  - {topic: raw.mobtexting, vendor: mobtexting, zone: Asia/Kolkata}
  - {topic: raw.altcraft, vendor: altcraft}
delivery: {workers: 1}
log: {level: 'error', format: text}
";

/// The embedded broker lets a new group wait for 3 seconds.
const FIRST_RECORD_WAIT: Duration = Duration::from_secs(30);
const STDIN_PAUSE: Duration = Duration::from_millis(200);

impl Demo {
    /// Runs the samples through the real workers and shows what becomes of them.
    ///
    /// # Errors
    /// The embedded broker can't be used.
    pub fn run(&self) -> Result<Exit> {
        let address = if self.once { SocketAddr::from(([127, 0, 0, 1], 0)) } else { self.admin };
        let text = |brokers: &str| format!("kafka: {{brokers: '{brokers}'}}\nadmin: {{address: '{address}'}}\n{SETTINGS}");
        let planned = Settings::of_yaml(&text("127.0.0.1:1"))?;
        let outputs: Vec<_> = planned.stream_topics().into_values().chain([planned.topics.dead_letters.clone()]).collect();
        let inputs = planned.sources.iter().map(|source| source.topic.clone());
        let broker = Embedded::start(inputs.chain(outputs.iter().cloned()))?;
        let settings = Settings::of_yaml(&text(&broker.brokers()))?;
        logs::start(&settings.log)?;

        let show = Show {
            reader: Reader::connect(&broker.brokers(), &outputs)?,
            writer: Writer::connect(&broker.brokers())?,
            schema: avro::schema()?,
        };
        let (done, is_done) = oneshot::channel();
        let once = self.once;
        let shown = thread::spawn(move || {
            let result = show.samples().and_then(|()| if once { Ok(()) } else { show.bodies_from_stdin(address) });
            // Nobody waits any more where a signal has ended the job.
            let _ = done.send(());
            result
        });
        let exit = run::block_on(settings, async {
            tokio::select! {
                _ = is_done => {}
                () = run::signalled() => {}
            }
        })?;
        if self.once {
            shown.join().map_err(|_| anyhow::anyhow!("the demo's own thread has failed"))??;
            println!("{NEXT}");
        }
        Ok(exit)
    }
}

const NEXT: &str = "
What to try next:
  event-normalizer demo                            stay, with /metrics on port 9464, and take bodies from stdin
  event-normalizer translate --vendor infobip < body.json      see a whole envelope, offline
  event-normalizer catalogue                       what is understood
  event-normalizer check --settings FILE           check your settings, brokers and topics, then `run`";

/// Shows which body became which envelopes on which topics.
struct Show {
    reader: Reader,
    writer: Writer,
    schema: Schema,
}

impl Show {
    fn samples(&self) -> Result<()> {
        println!("An embedded broker and one worker are running. {} sample bodies go in:\n", SAMPLES.len());
        let mut sent: BTreeMap<&str, usize> = BTreeMap::new();
        for sample in SAMPLES {
            self.writer.write(&format!("raw.{}", sample.vendor), sample.body.as_bytes())?;
            *sent.entry(sample.vendor).or_default() += 1;
        }
        let mut outputs = Vec::new();
        let wanted: usize = SAMPLES.iter().map(|sample| sample.items).sum();
        while outputs.len() < wanted {
            let Some(published) = self.reader.next(FIRST_RECORD_WAIT)? else {
                bail!("only {} of {wanted} items came out within {} s", outputs.len(), FIRST_RECORD_WAIT.as_secs());
            };
            outputs.push(Output::of(&published, &self.schema)?);
        }
        let mut offsets: BTreeMap<&str, i64> = BTreeMap::new();
        for sample in SAMPLES {
            let topic = format!("raw.{}", sample.vendor);
            let offset = offsets.entry(sample.vendor).or_default();
            println!("{topic}, offset {offset}: {}", sample.about);
            let mut own: Vec<_> = outputs.iter().filter(|output| output.topic == topic && output.offset == *offset).collect();
            own.sort_by_key(|output| output.item);
            ensure!(own.len() == sample.items, "a sample came out incomplete");
            for output in own {
                println!("  item {} → {}", output.item, output.text);
            }
            println!();
            *offset += 1;
        }
        Ok(())
    }

    /// Each line is a vendor and a body: `infobip {"results":[…]}`.
    fn bodies_from_stdin(&self, admin: SocketAddr) -> Result<()> {
        println!("Type a vendor and a body in one line, as: mobtexting {{\"mobile\":\"919876500001\",…}}");
        println!("Metrics and health: http://{admin}/metrics /healthz /readyz /status. Ctrl-C ends.\n");
        let lines = stdin_lines();
        loop {
            match lines.try_recv() {
                Ok(line) => self.take_line(&line)?,
                // The end of stdin ends nothing: the admin port stays.
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => {}
            }
            if let Some(published) = self.reader.next(STDIN_PAUSE)? {
                println!("  → {}", Output::of(&published, &self.schema)?.text);
            }
        }
    }

    fn take_line(&self, line: &str) -> Result<()> {
        let (vendor, body) = line.trim().split_once(char::is_whitespace).unwrap_or((line.trim(), ""));
        if vendors::find(vendor).is_some() {
            return self.writer.write(&format!("raw.{vendor}"), body.as_bytes());
        }
        if !vendor.is_empty() {
            let vendors = vendors::ADAPTERS.map(|adapter| adapter.vendor).join(", ");
            println!("expected a vendor ({vendors}), a space and a body");
        }
        Ok(())
    }
}

fn stdin_lines() -> Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for line in io::stdin().lock().lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    receiver
}

/// One published record in one line, and where it came from.
struct Output {
    topic: String,
    offset: i64,
    item: i64,
    text: String,
}

impl Output {
    fn of(published: &Published, schema: &Schema) -> Result<Self> {
        if let Some(reason) = published.header("normalizer.dead-letter.reason") {
            let header = |name: &str| published.header(name).unwrap_or_default();
            let number = |name: &str| header(name).parse().context("a dead letter's header is no number");
            let detail = header("normalizer.dead-letter.detail");
            return Ok(Self {
                topic: header("__streams.errors.topic").to_owned(),
                offset: number("__streams.errors.offset")?,
                item: number("normalizer.dead-letter.item")?,
                text: format!("{:<20} set aside: {reason} ({detail})", published.topic),
            });
        }
        let envelope = avro::decode_json(schema, &published.value)?;
        let text = |pointer: &str| envelope.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        let number = |pointer: &str| envelope.pointer(pointer).and_then(Value::as_i64).unwrap_or_default();
        let facts = [
            text("/event_type"),
            text("/status/state"),
            text("/status/reason"),
            text("/contact/address"),
            text("/content/text"),
            text("/engagement/url"),
        ];
        let facts: Vec<_> = facts.into_iter().filter(|fact| !fact.is_empty()).collect();
        Ok(Self {
            topic: text("/source/kafka_topic"),
            offset: number("/source/kafka_offset"),
            item: number("/source/item_index"),
            text: format!("{:<20} {}  key {}", published.topic, facts.join("  "), published.key),
        })
    }
}
