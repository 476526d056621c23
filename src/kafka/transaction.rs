//! What a transaction error means, and the commit call itself.

use std::ffi::CStr;
use std::fmt;
use std::time::Duration;

use rdkafka::bindings;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{Producer, ProducerContext, ThreadedProducer};
use rdkafka::types::RDKafkaRespErr;

use crate::metrics::Rebuild;

/// An error of a transaction call, as librdkafka describes it.
#[derive(Debug, Clone)]
pub struct TransactionError {
    pub code: RDKafkaErrorCode,
    pub text: String,
    is_fatal: bool,
    requires_abort: bool,
    is_retriable: bool,
}

/// What is done about a [`TransactionError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// The same call again, with the same arguments.
    Retry,
    /// End the transaction, read its records again.
    Abort,
    /// The producer can't be used any more: a new one, and read again.
    Replace,
}

impl TransactionError {
    /// The table of remedies; the first line that fits holds. A rebalance, a delivery that failed, a stale generation and
    /// a time-out past the transaction's require an abort; a fenced producer and an unknown state are fatal.
    pub fn remedy(&self) -> Remedy {
        match () {
            () if self.is_fatal => Remedy::Replace,
            () if self.requires_abort => Remedy::Abort,
            () if self.is_retriable => Remedy::Retry,
            // librdkafka asks to treat what is none of the three as fatal.
            () => Remedy::Replace,
        }
    }

    /// A call that does not come back.
    pub fn stuck() -> Self {
        let text = "the group's coordinator is out of the producer's reach".to_owned();
        Self { code: RDKafkaErrorCode::OperationTimedOut, text, is_fatal: true, requires_abort: false, is_retriable: false }
    }

    /// The cause of a producer's end.
    pub fn fatal(code: RDKafkaErrorCode, text: String) -> Self {
        Self { code, text, is_fatal: true, requires_abort: false, is_retriable: false }
    }

    /// A producer whose connection to the coordinator broke while it was started.
    pub fn unsteady() -> Self {
        let text = "the connection to the transaction coordinator broke at the start".to_owned();
        let code = RDKafkaErrorCode::BrokerTransportFailure;
        Self { code, text, is_fatal: false, requires_abort: false, is_retriable: true }
    }

    /// A producer whose brokers don't accept who asks, or that doesn't trust them.
    pub fn refused(code: RDKafkaErrorCode, text: String) -> Self {
        Self { code, text, is_fatal: false, requires_abort: false, is_retriable: true }
    }

    /// Whether another producer of the same transactional id has taken over.
    pub fn is_fenced(&self) -> bool {
        matches!(
            self.code,
            RDKafkaErrorCode::Fenced | RDKafkaErrorCode::ProducerFenced | RDKafkaErrorCode::InvalidProducerEpoch
        )
    }

    /// Why a producer that has this error is replaced.
    pub fn rebuild(&self) -> Rebuild {
        match () {
            () if self.is_fenced() => Rebuild::Fenced,
            () if self.code == RDKafkaErrorCode::OperationTimedOut => Rebuild::Stuck,
            () if self.remedy() == Remedy::Retry => Rebuild::Connection,
            () => Rebuild::Fatal,
        }
    }

    /// Whether the brokers don't accept who asks, or are not trusted. That can pass, with other secrets or certificates.
    pub fn is_refusal(&self) -> bool {
        matches!(self.code, RDKafkaErrorCode::Authentication | RDKafkaErrorCode::SSL)
    }

    /// Whether a right is missing. In flight that is an outage like any other.
    pub fn is_authorization(&self) -> bool {
        matches!(
            self.code,
            RDKafkaErrorCode::TransactionalIdAuthorizationFailed
                | RDKafkaErrorCode::ClusterAuthorizationFailed
                | RDKafkaErrorCode::TopicAuthorizationFailed
                | RDKafkaErrorCode::GroupAuthorizationFailed
                | RDKafkaErrorCode::SaslAuthenticationFailed
        )
    }
}

impl fmt::Display for TransactionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({:?})", self.text, self.code)
    }
}

impl std::error::Error for TransactionError {}

impl From<KafkaError> for TransactionError {
    fn from(error: KafkaError) -> Self {
        if let KafkaError::Transaction(error) = &error {
            return Self {
                code: error.code(),
                text: error.string(),
                is_fatal: error.is_fatal(),
                requires_abort: error.txn_requires_abort(),
                is_retriable: error.is_retriable(),
            };
        }
        // `send` gives "Erroneous state" where the transaction has failed meanwhile; other calls give plain codes where
        // something is amiss with the client. An abort tells what is left of it.
        let code = error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Unknown);
        let is_fatal = matches!(code, RDKafkaErrorCode::Fatal | RDKafkaErrorCode::Fenced);
        Self { code, text: error.to_string(), is_fatal, requires_abort: true, is_retriable: false }
    }
}

/// Has everything sent without delay, and waits until all of it was reported; says whether it was within `timeout`.
///
/// As with [`commit`], the wrapper's own call would return late.
#[expect(unsafe_code, reason = "the binding's flush polls in slices that don't return early")]
pub fn flush<C: ProducerContext>(producer: &ThreadedProducer<C>, timeout: Duration) -> bool {
    let timeout = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
    // SAFETY: the pointer is that of a live client, which the borrowed producer keeps alive for the whole call.
    let code = unsafe { bindings::rd_kafka_flush(producer.client().native_ptr(), timeout) };
    code == RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR
}

/// Commits the open transaction: flushes what is in flight, then ends it at the coordinator.
///
/// The wrapper's own call flushes in slices of 100 ms that don't return early, so a commit of 5 ms would take 100.
/// librdkafka flushes by itself, and the producer's thread serves the delivery reports meanwhile.
///
/// # Errors
/// What librdkafka says; the call can be repeated where the remedy is [`Remedy::Retry`].
#[expect(unsafe_code, reason = "the binding has no commit without its own flush")]
pub fn commit<C: ProducerContext>(producer: &ThreadedProducer<C>) -> Result<(), TransactionError> {
    // No time-out of our own: what is left of transaction.timeout.ms holds, and another value can leave the client in a
    // state that differs from the coordinator's.
    const UNTIL_THE_TRANSACTION_TIMES_OUT: i32 = -1;
    // SAFETY: the pointer is that of a live client, which the borrowed producer keeps alive for the whole call.
    let error =
        unsafe { bindings::rd_kafka_commit_transaction(producer.client().native_ptr(), UNTIL_THE_TRANSACTION_TIMES_OUT) };
    if error.is_null() {
        return Ok(());
    }
    // SAFETY: a pointer that is not null is a valid error that we own. It is read here and destroyed once, below; the
    // string belongs to it and is copied before.
    let read = unsafe {
        TransactionError {
            code: bindings::rd_kafka_error_code(error).into(),
            text: CStr::from_ptr(bindings::rd_kafka_error_string(error)).to_string_lossy().into_owned(),
            is_fatal: bindings::rd_kafka_error_is_fatal(error) != 0,
            requires_abort: bindings::rd_kafka_error_txn_requires_abort(error) != 0,
            is_retriable: bindings::rd_kafka_error_is_retriable(error) != 0,
        }
    };
    // SAFETY: see above; nothing refers to the error any more.
    unsafe { bindings::rd_kafka_error_destroy(error) };
    Err(read)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(is_fatal: bool, requires_abort: bool, is_retriable: bool) -> TransactionError {
        TransactionError { code: RDKafkaErrorCode::Unknown, text: String::new(), is_fatal, requires_abort, is_retriable }
    }

    #[test]
    fn fatal_outranks_abort_and_abort_outranks_retry() {
        assert_eq!(error(true, true, true).remedy(), Remedy::Replace);
        assert_eq!(error(false, true, true).remedy(), Remedy::Abort);
        assert_eq!(error(false, false, true).remedy(), Remedy::Retry);
        assert_eq!(error(false, false, false).remedy(), Remedy::Replace);
    }

    #[test]
    fn a_send_into_a_failed_transaction_leads_to_an_abort() {
        let error = TransactionError::from(KafkaError::MessageProduction(RDKafkaErrorCode::State));
        assert_eq!(error.remedy(), Remedy::Abort);
    }
}
