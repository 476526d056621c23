//! Makes raw records from a seed, and knows by itself what must come of each.

use std::time::{SystemTime, UNIX_EPOCH};

use fastrand::Rng;

use super::bodies::{AltcraftHook, InfobipReport, MobtextingReport, Moment, infobip_results};

/// The vendors that the load speaks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vendor {
    Infobip,
    Mobtexting,
    Altcraft,
}

impl Vendor {
    pub const ALL: [Vendor; 3] = [Vendor::Infobip, Vendor::Mobtexting, Vendor::Altcraft];

    pub fn name(self) -> &'static str {
        match self {
            Vendor::Infobip => "infobip",
            Vendor::Mobtexting => "mobtexting",
            Vendor::Altcraft => "altcraft",
        }
    }
}

/// A record for a raw topic, with its one fate: outputs, dead letters, or (both empty) nothing at all.
pub struct Raw {
    pub vendor: Vendor,
    /// Chosen by the key when none.
    pub partition: Option<i32>,
    pub key: String,
    pub value: Option<Vec<u8>>,
    pub timestamp: i64,
    pub headers: Vec<(&'static str, &'static str)>,
    pub outputs: Vec<Output>,
    pub dead_letters: Vec<DeadLetter>,
}

impl Raw {
    /// A record of which nothing is expected yet.
    pub fn new(vendor: Vendor, key: &str, value: impl Into<Vec<u8>>) -> Raw {
        Raw {
            vendor,
            partition: None,
            key: key.to_owned(),
            value: Some(value.into()),
            timestamp: now_ms(),
            headers: Vec::new(),
            outputs: Vec::new(),
            dead_letters: Vec::new(),
        }
    }

    pub fn header(&self, name: &str) -> Option<&'static str> {
        self.headers.iter().find(|(key, _)| *key == name).map(|(_, value)| *value)
    }
}

/// An event that must come out.
pub struct Output {
    pub stream: &'static str,
    pub key: String,
    /// Our own id, which travels through the vendor's field for the sender's id. It grows: within a key, the order.
    pub own: u64,
}

/// A dead letter that must come out.
pub struct DeadLetter {
    pub reason: &'static str,
    /// Which item of the body it is; none when it is the whole of a body that can't be split.
    pub item: Option<usize>,
    /// The bytes; none where the dead-letter topic can't take them either.
    pub value: Option<Vec<u8>>,
}

impl DeadLetter {
    pub fn item(reason: &'static str, item: usize, bytes: &str) -> DeadLetter {
        DeadLetter { reason, item: Some(item), value: Some(bytes.into()) }
    }

    pub fn body(reason: &'static str, bytes: impl Into<Vec<u8>>) -> DeadLetter {
        DeadLetter { reason, item: None, value: Some(bytes.into()) }
    }
}

/// Our own id as it stands in a body.
pub fn own_text(own: u64) -> String {
    format!("seq-{own}")
}

/// Our own id from the text that came out.
pub fn own_of(text: &str) -> Option<u64> {
    text.strip_prefix("seq-")?.parse().ok()
}

/// The time now, for records made by hand.
pub fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970").as_millis() as i64
}

/// Makes `count` records of the three vendors, about one in a hundred bad. Own ids start at `first_own`.
pub fn generate(seed: u64, count: usize, first_own: u64) -> Vec<Raw> {
    // A hundred reports or so per subject: keys come again and again, with others between.
    let subjects = (count / 100).clamp(12, 3000);
    Load::new(seed, subjects, first_own, now_ms() - count as i64).take(count).collect()
}

/// Records without end, the same for the same seed.
///
/// All records of one subject have its key, so they go to one partition in the order made here. Each has a timestamp a
/// millisecond after the one before.
pub struct Load {
    composer: Composer,
    subjects: Vec<Subject>,
    next_timestamp: i64,
}

impl Load {
    pub fn new(seed: u64, subjects: usize, first_own: u64, first_timestamp: i64) -> Load {
        let mut composer = Composer { rng: Rng::with_seed(seed), next_own: first_own };
        let subjects = (0..subjects).map(|number| composer.subject(number)).collect();
        Load { composer, subjects, next_timestamp: first_timestamp }
    }
}

impl Iterator for Load {
    type Item = Raw;

    fn next(&mut self) -> Option<Raw> {
        let chosen = self.composer.rng.usize(..self.subjects.len());
        let mut raw = self.composer.record(&mut self.subjects[chosen]);
        raw.timestamp = self.next_timestamp;
        self.next_timestamp += 1;
        Some(raw)
    }
}

/// Whom reports are about; its messages under way are known so that each gets its reports in order.
struct Subject {
    vendor: Vendor,
    key: String,
    phone: String,
    profile_id: String,
    under_way: Vec<Message>,
}

struct Message {
    id: String,
    channel: &'static str,
    reports: usize,
}

/// One report within a body: what is printed, and what a bad twin of it would be.
struct Report {
    own: u64,
    stream: &'static str,
    key: String,
    good: String,
    with_bad_time: String,
    /// Wrong in the vendor's own way, with the reason.
    wrong: Option<(&'static str, String)>,
}

/// Composes bodies, and knows what must come of them.
struct Composer {
    rng: Rng,
    next_own: u64,
}

impl Composer {
    fn subject(&mut self, number: usize) -> Subject {
        let vendor = match number % 12 {
            0..7 => Vendor::Infobip,
            7..10 => Vendor::Mobtexting,
            _ => Vendor::Altcraft,
        };
        let profile_id = format!("{:016x}{number:08x}", self.rng.u64(..));
        let phone = match vendor {
            Vendor::Infobip => format!("49170{number:07}"),
            _ => format!("9199{number:08}"),
        };
        Subject { vendor, key: format!("subject-{number}"), phone, profile_id, under_way: Vec::new() }
    }

    fn record(&mut self, subject: &mut Subject) -> Raw {
        let count = match (subject.vendor, self.rng.u32(..100)) {
            (Vendor::Mobtexting, _) | (_, 0..80) => 1,
            (_, 80..92) => 2,
            (Vendor::Altcraft, _) | (_, 92..97) => 3,
            _ => 4,
        };
        let reports: Vec<Report> = (0..count).map(|_| self.report(subject)).collect();
        let mut raw = Raw::new(subject.vendor, &subject.key, "");
        let mut items: Vec<String> = reports.iter().map(|report| report.good.clone()).collect();
        let is_bad = self.rng.u32(..100) == 0;
        let is_cut = is_bad && self.rng.u32(..3) == 0;
        if is_bad && !is_cut {
            let item = self.rng.usize(..count);
            let (reason, bytes) = match &reports[item].wrong {
                Some(wrong) if self.rng.bool() => wrong.clone(),
                _ => ("invalid_timestamp", reports[item].with_bad_time.clone()),
            };
            raw.dead_letters.push(DeadLetter::item(reason, item, &bytes));
            items[item] = bytes;
        }
        let mut body = match subject.vendor {
            Vendor::Infobip => infobip_results(&items),
            _ if count == 1 => items.remove(0),
            _ => format!("[{}]", items.join(",")),
        };
        if is_cut {
            body.truncate(body.len() - 2);
            raw.dead_letters.push(DeadLetter::body("invalid_json", body.as_bytes()));
        } else {
            for (item, report) in reports.into_iter().enumerate() {
                if raw.dead_letters.iter().all(|dead_letter| dead_letter.item != Some(item)) {
                    raw.outputs.push(Output { stream: report.stream, key: report.key, own: report.own });
                }
            }
        }
        raw.value = Some(body.into_bytes());
        raw
    }

    /// The next report about one of the subject's messages. Two are under way at most.
    fn report(&mut self, subject: &mut Subject) -> Report {
        let chosen = self.rng.usize(..2);
        if chosen >= subject.under_way.len() {
            let message = self.message(subject);
            subject.under_way.push(message);
        }
        let chosen = chosen.min(subject.under_way.len() - 1);
        let message = &mut subject.under_way[chosen];
        message.reports += 1;

        let own = self.next_own;
        self.next_own += 1;
        let own_text = own_text(own);
        let time = Moment(own * 5);
        let key = message.id.clone();
        let (report, reports_max) = match subject.vendor {
            Vendor::Infobip => {
                let report = InfobipReport {
                    channel: message.channel,
                    message_id: &message.id,
                    callback_data: &own_text,
                    destination: &subject.phone,
                    is_final: message.reports == 2,
                    done_at: time,
                };
                let stream = match message.channel {
                    "SMS" => "sms",
                    "WHATSAPP" => "whatsapp",
                    _ => "rcs",
                };
                let wrong = Some(("invalid_shape", report.with_wrong_status()));
                (Report { own, stream, key, good: report.json(), with_bad_time: report.with_bad_time(), wrong }, 2)
            }
            Vendor::Mobtexting => {
                let report = MobtextingReport {
                    id: &message.id,
                    mobile: &subject.phone,
                    custom: &own_text,
                    is_final: message.reports == 2,
                    time,
                };
                let (good, with_bad_time) = (report.json(), report.with_bad_time());
                (Report { own, stream: "sms", key, good, with_bad_time, wrong: None }, 2)
            }
            Vendor::Altcraft => {
                let hook = AltcraftHook {
                    event_type: ["send", "deliv", "open", "click"][message.reports - 1],
                    profile_id: &subject.profile_id,
                    send_message_id: &message.id,
                    launch_id: &own_text,
                    event_date: time,
                };
                let unknown = AltcraftHook { event_type: "fax_send", ..hook };
                let wrong = Some(("unknown_event", unknown.json()));
                let (good, with_bad_time) = (hook.json(), hook.with_bad_time());
                (Report { own, stream: "email", key, good, with_bad_time, wrong }, 4)
            }
        };
        if message.reports == reports_max {
            subject.under_way.remove(chosen);
        }
        report
    }

    fn message(&mut self, subject: &Subject) -> Message {
        let (high, low) = (self.rng.u64(..), self.rng.u64(..));
        let id = match subject.vendor {
            Vendor::Infobip => format!("{high:016x}{low:08x}"),
            Vendor::Mobtexting => format!(
                "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}:1",
                high >> 32,
                high >> 16 & 0xffff,
                high & 0xfff,
                low >> 52,
                low & 0xffff_ffff_ffff
            ),
            Vendor::Altcraft => format!("{:010x}_89f_16d_76_0_{:x}.{}", high >> 24, low, subject.profile_id),
        };
        let channel = *self.rng.choice(&["SMS", "WHATSAPP", "RCS"]).expect("three channels");
        Message { id, channel, reports: 0 }
    }
}
