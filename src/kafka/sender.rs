//! The producer of one worker: sends records, and ends what was sent together with the offsets of its input.

use std::error::Error;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::client::{ClientContext, OAuthToken};
use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext, ConsumerGroupMetadata};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Message};
use rdkafka::producer::{BaseRecord, Producer, ProducerContext, ThreadedProducer};
use rdkafka::{ClientConfig, Statistics, TopicPartitionList};
use tracing::warn;

use super::fault::{Fault, is_seeded};
use super::statistics::ClientStatistics;
use super::transaction::{self, Remedy, TransactionError};
use super::{TRANSACTION_TIMEOUT, log_client_line, oauth_token};
use crate::settings::{Guarantee, Security};

/// How long one call of `init_transactions` may take before it is called again.
const INIT_TIMEOUT: Duration = Duration::from_secs(30);

/// How much longer than a transaction may live its offsets may take to be sent. librdkafka doesn't heed the call's own
/// time-out where it waits for a coordinator that is gone (librdkafka#5456, #5511). By then the coordinator has ended the
/// transaction.
const OFFSETS_GRACE: Duration = Duration::from_secs(2);

/// A commit or abort that took longer may have been sent twice; see [`Sender::is_dirty`].
const SLOW_END: Duration = Duration::from_secs(2);

/// How long an abort waits for the first delivery report of its transaction (librdkafka#4849).
const FIRST_REPORT_TIMEOUT: Duration = Duration::from_secs(5);

const FLUSH_SLICE: Duration = Duration::from_millis(50);
const FULL_QUEUE_PAUSE: Duration = Duration::from_millis(1);
const RETRY_PAUSE: Duration = Duration::from_millis(20);

/// A record on its way out, with a number by which its refusal is told.
pub(super) type Outgoing<'a> = BaseRecord<'a, [u8], [u8], usize>;

/// Sends records and commits them with the offsets of their input: in one transaction, or, at least once, one after the other.
pub(super) struct Sender {
    producer: Arc<ThreadedProducer<Reports>>,
    guarantee: Guarantee,
    /// How long a transaction may live: `transaction.timeout.ms`.
    transaction_timeout: Duration,
    is_open: bool,
    /// A call into the producer does not come back, so that there can be no other.
    is_stuck: bool,
    /// Of [`Fault::GroupStale`]: the group's metadata of an earlier transaction.
    stale_group: Option<Arc<ConsumerGroupMetadata>>,
    /// Of [`Fault::DeadLetterOutside`]: a producer that knows no transactions.
    outsider: Option<ThreadedProducer<Reports>>,
}

/// Why a record was not sent.
#[derive(Debug)]
pub(super) enum SendError {
    /// The client itself finds the record too large; the transaction is still good.
    TooLarge,
    /// The transaction has failed.
    Failed(TransactionError),
}

/// What the producer's own thread sees: delivery reports, errors and log lines.
#[derive(Debug)]
pub(super) struct Reports {
    security: Security,
    reports: AtomicU64,
    /// The first failed delivery since the transaction began; `Inconsistent` where it is not certain.
    failure: Mutex<Option<RDKafkaErrorCode>>,
    /// Numbers of what a broker refused since then. It refuses whole batches, so not each of them is to blame.
    refused: Mutex<Vec<usize>>,
    is_dirty: AtomicBool,
    has_lost_coordinator: AtomicBool,
    /// Why the brokers refuse who asks.
    refusal: Mutex<Option<(RDKafkaErrorCode, String)>>,
    /// `None` where nobody asks for metrics.
    statistics: Option<ClientStatistics>,
}

impl Reports {
    pub fn new(security: &Security, statistics: Option<ClientStatistics>) -> Self {
        Self {
            security: security.clone(),
            reports: AtomicU64::default(),
            failure: Mutex::default(),
            refused: Mutex::default(),
            is_dirty: AtomicBool::default(),
            has_lost_coordinator: AtomicBool::default(),
            refusal: Mutex::default(),
            statistics,
        }
    }
}

impl ClientContext for Reports {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn generate_oauth_token(&self, _: Option<&str>) -> Result<OAuthToken, Box<dyn Error>> {
        oauth_token(&self.security)
    }

    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        // First, since `connect` forgets what is dirty before it looks at this.
        if facility == "FAIL" && text.contains("TxnCoordinator") {
            self.has_lost_coordinator.store(true, Ordering::Release);
        }
        // A request that timed out, failed or broke off may still arrive.
        if matches!(facility, "REQTMOUT" | "TXNERR" | "FAIL") {
            self.is_dirty.store(true, Ordering::Release);
        }
        log_client_line(level, facility, text);
    }

    fn stats_raw(&self, statistics: &[u8]) {
        if let Some(client) = &self.statistics
            && let Ok(statistics) = serde_json::from_slice::<Statistics>(statistics)
        {
            client.take(&statistics);
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.is_dirty.store(true, Ordering::Relaxed);
        if let Some(code @ (RDKafkaErrorCode::Authentication | RDKafkaErrorCode::SSL)) = error.rdkafka_error_code()
            && let Ok(mut refusal) = self.refusal.lock()
        {
            *refusal = Some((code, reason.to_owned()));
        }
        warn!(error = %error, reason, "the producer reports an error");
    }
}

impl ProducerContext for Reports {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, number: usize) {
        self.reports.fetch_add(1, Ordering::Relaxed);
        let code = match result {
            Ok(message) if message.offset() >= 0 => return,
            // No broker said that it has the record: where a later batch of its partition was taken, librdkafka concludes
            // that this one was, too. But a broker takes any first sequence number of a producer that is new to the
            // partition, so the batch may be one that its leader was not ready for.
            Ok(_) => RDKafkaErrorCode::Inconsistent,
            Err((error, _)) => error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Unknown),
        };
        if is_refusal(code)
            && let Ok(mut refused) = self.refused.lock()
        {
            refused.push(number);
        }
        // What an abort purges was not refused by anyone.
        if !matches!(code, RDKafkaErrorCode::PurgeQueue | RDKafkaErrorCode::PurgeInflight)
            && let Ok(mut failure) = self.failure.lock()
        {
            failure.get_or_insert(code);
        }
    }
}

impl Sender {
    /// Connects, and for exactly-once ends what an earlier holder of the transactional id left open.
    ///
    /// # Errors
    /// What librdkafka says of the settings or of `init_transactions`; time-outs are retried until `give_up` says so. With
    /// the remedy `Retry` where the connection to the coordinator broke meanwhile.
    pub fn connect(
        config: &ClientConfig,
        guarantee: Guarantee,
        reports: Reports,
        give_up: impl Fn() -> bool,
    ) -> Result<Self, TransactionError> {
        let producer = ThreadedProducer::from_config_and_context(config, reports)?;
        if guarantee == Guarantee::ExactlyOnce {
            while let Err(error) = producer.init_transactions(INIT_TIMEOUT).map_err(TransactionError::from) {
                if error.remedy() != Remedy::Retry || give_up() {
                    return Err(error);
                }
                // What it is made of may be better by now.
                if let Some((code, reason)) = producer.context().refusal.lock().ok().and_then(|mut refusal| refusal.take()) {
                    return Err(TransactionError::refused(code, reason));
                }
                warn!(error = %error, "the transaction coordinator does not answer");
            }
        }
        producer.context().is_dirty.swap(false, Ordering::AcqRel);
        // librdkafka is silent for 30 s about an error that a connection had just before, so what broke now could break
        // unseen in the first commit.
        if producer.context().has_lost_coordinator.load(Ordering::Acquire) {
            return Err(TransactionError::unsteady());
        }
        let outsider = is_seeded(Fault::DeadLetterOutside).then(|| {
            let mut config = config.clone();
            ThreadedProducer::from_config_and_context(
                config.remove("transactional.id"),
                Reports::new(&producer.context().security, None),
            )
        });
        let timeout = config.get("transaction.timeout.ms").and_then(|text| text.parse().ok());
        Ok(Self {
            producer: Arc::new(producer),
            guarantee,
            transaction_timeout: timeout.map_or(TRANSACTION_TIMEOUT, Duration::from_millis),
            is_open: false,
            is_stuck: false,
            stale_group: None,
            outsider: outsider.transpose()?,
        })
    }

    /// Begins a transaction where none is open.
    pub fn begin(&mut self) -> Result<(), TransactionError> {
        if self.is_open {
            return Ok(());
        }
        if self.guarantee == Guarantee::ExactlyOnce {
            self.producer.begin_transaction()?;
        }
        let context = self.producer.context();
        context.reports.store(0, Ordering::Relaxed);
        if let Ok(mut failure) = context.failure.lock() {
            *failure = None;
        }
        drop(self.take_refused());
        self.is_open = true;
        Ok(())
    }

    /// Hands a record to the client; waits where its queue is full.
    pub fn send(&self, record: Outgoing<'_>) -> Result<(), SendError> {
        let deadline = Instant::now() + self.transaction_timeout;
        let mut record = record;
        loop {
            let (error, returned) = match self.producer.send(record) {
                Ok(()) => return Ok(()),
                Err(refused) => refused,
            };
            match error.rdkafka_error_code() {
                Some(RDKafkaErrorCode::QueueFull) if Instant::now() < deadline => {
                    thread::sleep(FULL_QUEUE_PAUSE);
                    record = returned;
                }
                Some(RDKafkaErrorCode::MessageSizeTooLarge) => return Err(SendError::TooLarge),
                _ => return Err(SendError::Failed(error.into())),
            }
        }
    }

    /// Of [`Fault::GroupStale`]: keeps the metadata that the sender before had.
    pub fn take_over(&mut self, before: &mut Self) {
        self.stale_group = before.stale_group.take();
    }

    /// Of [`Fault::DeadLetterOutside`]: sends without a transaction.
    pub fn send_outside(&self, record: Outgoing<'_>) {
        if let Some(outsider) = &self.outsider {
            let _ = outsider.send(record);
        }
    }

    /// Waits until everything sent so far was delivered or refused.
    ///
    /// # Errors
    /// A delivery failed, or none was reported within the life of a transaction.
    pub fn wait_for_reports(&self) -> Result<(), TransactionError> {
        let deadline = Instant::now() + self.transaction_timeout;
        loop {
            // In slices, since after a failure the rest is not worth waiting for.
            let is_flushed = transaction::flush(&self.producer, FLUSH_SLICE);
            match self.failure() {
                Some(code) => return Err(KafkaError::MessageProduction(code).into()),
                None if is_flushed => return Ok(()),
                None if Instant::now() > deadline => {
                    return Err(KafkaError::Flush(RDKafkaErrorCode::OperationTimedOut).into());
                }
                None => {}
            }
        }
    }

    /// Ends what was sent together with `offsets`, the next offsets to read.
    ///
    /// # Errors
    /// With the remedy `Abort` or `Replace`; what can be retried was.
    pub fn commit<C: ConsumerContext>(
        &mut self,
        offsets: &TopicPartitionList,
        consumer: &BaseConsumer<C>,
    ) -> Result<(), TransactionError> {
        let started_at = Instant::now();
        match self.guarantee {
            Guarantee::ExactlyOnce => self.commit_transaction(offsets, consumer)?,
            Guarantee::AtLeastOnce => {
                self.wait_for_reports()?;
                consumer.commit(offsets, CommitMode::Sync)?;
            }
        }
        self.is_open = false;
        self.note_slow_end(started_at);
        Ok(())
    }

    fn commit_transaction<C: ConsumerContext>(
        &mut self,
        offsets: &TopicPartitionList,
        consumer: &BaseConsumer<C>,
    ) -> Result<(), TransactionError> {
        // Fetched for each transaction: it carries the group's generation, by which a zombie is told.
        let group = match self.stale_group.take() {
            Some(stale) => stale,
            None => Arc::new(consumer.group_metadata().ok_or(KafkaError::Global(RDKafkaErrorCode::UnknownGroup))?),
        };
        if is_seeded(Fault::OffsetsOutside) {
            retry(|| transaction::commit(&self.producer))?;
            return Ok(consumer.commit(offsets, CommitMode::Sync)?);
        }
        self.stale_group = is_seeded(Fault::GroupStale).then(|| Arc::clone(&group));
        self.send_offsets(offsets.clone(), group)?;
        // Before librdkafka does, which commits also what it only believes to be delivered.
        self.wait_for_reports()?;
        retry(|| transaction::commit(&self.producer))
    }

    /// On a thread of its own, which is left behind with its producer where it gets stuck.
    fn send_offsets(&mut self, offsets: TopicPartitionList, group: Arc<ConsumerGroupMetadata>) -> Result<(), TransactionError> {
        let (producer, timeout) = (Arc::clone(&self.producer), self.transaction_timeout);
        let (sent, is_sent) = mpsc::channel();
        let send = move || {
            let result = retry(|| Ok(producer.send_offsets_to_transaction(&offsets, &group, timeout)?));
            // Before the answer: where it comes too late, the producer is destroyed here and not by the loop.
            drop(producer);
            let _ = sent.send(result);
        };
        let thread = thread::Builder::new().name("send-offsets".to_owned()).spawn(send);
        thread.map_err(|_| KafkaError::Global(RDKafkaErrorCode::CriticalSystemResource))?;
        is_sent.recv_timeout(timeout + OFFSETS_GRACE).unwrap_or_else(|_| {
            self.is_stuck = true;
            Err(TransactionError::stuck())
        })
    }

    /// Gives up what was sent since `begin`.
    ///
    /// # Errors
    /// The producer can't be used any more.
    pub fn abort(&mut self) -> Result<(), TransactionError> {
        if !std::mem::take(&mut self.is_open) || self.guarantee == Guarantee::AtLeastOnce {
            return Ok(());
        }
        if self.is_stuck {
            return Err(TransactionError::stuck());
        }
        let started_at = Instant::now();
        let reports = &self.producer.context().reports;
        while self.producer.in_flight_count() > 0
            && reports.load(Ordering::Relaxed) == 0
            && started_at.elapsed() < FIRST_REPORT_TIMEOUT
        {
            thread::sleep(FULL_QUEUE_PAUSE);
        }
        let ended_at = Instant::now();
        let result = retry(|| Ok(self.producer.abort_transaction(None)?));
        self.note_slow_end(ended_at);
        result
    }

    pub fn is_open(&self) -> bool {
        self.is_open
    }

    /// The first failed delivery since `begin`.
    pub fn failure(&self) -> Option<RDKafkaErrorCode> {
        self.producer.context().failure.lock().ok().and_then(|failure| *failure)
    }

    /// The numbers of what a broker refused since `begin`, each time only what has come since the last.
    pub fn take_refused(&self) -> Vec<usize> {
        self.producer.context().refused.lock().map(|mut refused| std::mem::take(&mut *refused)).unwrap_or_default()
    }

    /// What makes the producer unusable for ever, where something does; calls themselves only say that it is.
    pub fn fatal(&self) -> Option<TransactionError> {
        let (code, text) = self.producer.client().fatal_error()?;
        Some(TransactionError::fatal(code, text))
    }

    /// Whether an end of a transaction may still be on its way and could hit the next one, since the client speaks no
    /// transaction protocol 2 (KIP-890): then a new producer, which fences the late request, takes over.
    pub fn is_dirty(&self) -> bool {
        let is_dirty = self.is_stuck || self.producer.context().is_dirty.load(Ordering::Relaxed);
        self.guarantee == Guarantee::ExactlyOnce && is_dirty
    }

    fn note_slow_end(&self, started_at: Instant) {
        if started_at.elapsed() > SLOW_END {
            self.producer.context().is_dirty.store(true, Ordering::Relaxed);
        }
    }
}

/// Calls again while librdkafka says so. Each call has its own time-out, and the transaction's ends them all.
fn retry(mut call: impl FnMut() -> Result<(), TransactionError>) -> Result<(), TransactionError> {
    loop {
        match call() {
            Err(error) if error.remedy() == Remedy::Retry => {
                warn!(error = %error, "a transaction call is repeated");
                thread::sleep(RETRY_PAUSE);
            }
            result => return result,
        }
    }
}

/// Whether a broker refuses the record itself, so that sending it again can't help. Everything else is an outage.
pub(super) fn is_refusal(code: RDKafkaErrorCode) -> bool {
    matches!(
        code,
        RDKafkaErrorCode::MessageSizeTooLarge
            | RDKafkaErrorCode::MessageBatchTooLarge
            | RDKafkaErrorCode::InvalidMessage
            | RDKafkaErrorCode::InvalidMessageSize
            | RDKafkaErrorCode::InvalidRecord
            | RDKafkaErrorCode::InvalidTimestamp
            | RDKafkaErrorCode::PolicyViolation
    )
}
