//! The vendors' bodies that the tests send, composed here: what comes of them is known without asking the normalizer.

/// The day of March 2026 on which the vendors' clock starts.
const FIRST_DAY: u64 = 2;

/// A moment of the vendors' clock, in milliseconds since the start of 2 March 2026.
#[derive(Clone, Copy)]
pub struct Moment(pub u64);

impl Moment {
    /// As Infobip prints times.
    fn infobip(self) -> String {
        let (day, clock, millis) = self.parts();
        format!("2026-03-{day:02}T{clock}.{millis:03}+0000")
    }

    /// As MOBtexting prints times: seconds, no zone.
    fn mobtexting(self) -> String {
        let (day, clock, _) = self.parts();
        format!("2026-03-{day:02} {clock}")
    }

    /// As Altcraft prints times: nine digits of a second.
    fn altcraft(self) -> String {
        let (day, clock, millis) = self.parts();
        format!("2026-03-{day:02}T{clock}.{millis:03}018275Z")
    }

    fn parts(self) -> (u64, String, u64) {
        let seconds = self.0 / 1000;
        let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
        let clock = format!("{:02}:{minutes:02}:{:02}", hours % 24, seconds % 60);
        (FIRST_DAY + hours / 24, clock, self.0 % 1000)
    }
}

/// A text that no vendor's clock prints.
pub const BAD_TIME: &str = "2026-02-31 at noon";

/// One report of Infobip's Messages API.
pub struct InfobipReport<'a> {
    /// `SMS`, `WHATSAPP` or `RCS`.
    pub channel: &'a str,
    pub message_id: &'a str,
    /// Comes out as `message.reference`.
    pub callback_data: &'a str,
    pub destination: &'a str,
    pub is_final: bool,
    pub done_at: Moment,
}

impl InfobipReport<'_> {
    pub fn json(&self) -> String {
        let status = if self.is_final {
            r#"{"groupId":3,"groupName":"DELIVERED","id":5,"name":"DELIVERED_TO_HANDSET","description":"Message delivered to handset"}"#
        } else {
            r#"{"groupId":1,"groupName":"PENDING","id":26,"name":"PENDING_ACCEPTED","description":"Message accepted"}"#
        };
        self.print(status, &self.done_at.infobip())
    }

    /// With a text where the status object belongs: `invalid_shape`.
    pub fn with_wrong_status(&self) -> String {
        self.print(r#""DELIVERED""#, &self.done_at.infobip())
    }

    /// With an unreadable time: `invalid_timestamp`.
    pub fn with_bad_time(&self) -> String {
        self.print(r#"{"groupId":3,"groupName":"DELIVERED","id":5,"name":"DELIVERED_TO_HANDSET"}"#, BAD_TIME)
    }

    /// With a description of one's own, which comes out in the envelope.
    pub fn with_description(&self, description: &str) -> String {
        let status = format!(
            r#"{{"groupId":3,"groupName":"DELIVERED","id":5,"name":"DELIVERED_TO_HANDSET","description":"{description}"}}"#
        );
        self.print(&status, &self.done_at.infobip())
    }

    fn print(&self, status: &str, done_at: &str) -> String {
        let InfobipReport { channel, message_id, callback_data, destination, .. } = self;
        format!(
            r#"{{"event":"DELIVERY","channel":"{channel}","sender":"InfoSMS","destination":"{destination}","sentAt":"2026-03-01T23:59:58.000+0000","doneAt":"{done_at}","bulkId":"BULK-{message_id}","messageId":"{message_id}","messageCount":1,"callbackData":"{callback_data}","status":{status},"error":{{"groupId":0,"groupName":"OK","id":0,"name":"NO_ERROR","description":"No Error","permanent":false}},"platform":{{"entityId":"shop","applicationId":"orders"}}}}"#
        )
    }
}

/// The body around Infobip's reports.
pub fn infobip_results(items: &[String]) -> String {
    format!(r#"{{"results":[{}]}}"#, items.join(","))
}

/// A report of MOBtexting's `sms:message:status`.
pub struct MobtextingReport<'a> {
    pub id: &'a str,
    pub mobile: &'a str,
    /// Comes out as `message.reference`.
    pub custom: &'a str,
    pub is_final: bool,
    pub time: Moment,
}

impl MobtextingReport<'_> {
    pub fn json(&self) -> String {
        self.print(&self.time.mobtexting())
    }

    /// With an unreadable time: `invalid_timestamp`.
    pub fn with_bad_time(&self) -> String {
        self.print(BAD_TIME)
    }

    fn print(&self, time: &str) -> String {
        let MobtextingReport { id, mobile, custom, .. } = self;
        let (status, time_field) = if self.is_final { ("DELIVRD", "deliv_time") } else { ("AWAITING-DLR", "submit_time") };
        format!(
            r#"{{"id":"{id}","mobile":"{mobile}","status":"{status}","credits":"1.0000","units":1,"sent_time":"2026-03-01 23:59:58","{time_field}":"{time}","cid":"order-{custom}","custom":"{custom}"}}"#
        )
    }
}

/// MOBtexting's probe of a webhook's address.
pub const MOBTEXTING_PROBE: &str = r#"{"validation_key":"901277","challenge":"k3v9"}"#;

/// An action hook of Altcraft about a mail.
pub struct AltcraftHook<'a> {
    pub event_type: &'a str,
    pub profile_id: &'a str,
    pub send_message_id: &'a str,
    /// Comes out as attribute `launch_id`.
    pub launch_id: &'a str,
    pub event_date: Moment,
}

impl AltcraftHook<'_> {
    pub fn json(&self) -> String {
        self.print(&self.event_date.altcraft())
    }

    /// With an unreadable time: `invalid_timestamp`.
    pub fn with_bad_time(&self) -> String {
        self.print(BAD_TIME)
    }

    fn print(&self, event_date: &str) -> String {
        let AltcraftHook { event_type, profile_id, send_message_id, launch_id, .. } = self;
        format!(
            r#"{{"event_type":"{event_type}","event_date":"{event_date}","account_id":41,"is_test":false,"profile_id":"{profile_id}","event_data":{{"message_id":365,"campaign_id":2207,"launch_id":"{launch_id}","send_message_id":"{send_message_id}"}}}}"#
        )
    }
}
