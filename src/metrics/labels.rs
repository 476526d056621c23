//! Closed lists of labels that are about the program itself. Those of events and dead letters are the core's.

/// Why a producer was replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Rebuild {
    /// Another producer has taken over its transactional id.
    Fenced,
    /// librdkafka gave it up for another cause.
    Fatal,
    /// A call into it did not come back.
    Stuck,
    /// An end of a transaction could still be on its way and hit the next one.
    LateEnd,
    /// Its connection to the transaction coordinator broke while it was started.
    Connection,
}

impl Rebuild {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 5] = [Self::Fenced, Self::Fatal, Self::Stuck, Self::LateEnd, Self::Connection];

    /// The label.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Fenced => "fenced",
            Self::Fatal => "fatal",
            Self::Stuck => "stuck",
            Self::LateEnd => "late_end",
            Self::Connection => "connection",
        }
    }
}

/// What came of a request to the schema registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Answer {
    /// It was answered.
    Ok,
    /// The registry has no such subject or schema.
    NotFound,
    /// Who asks is not known, or may not.
    Denied,
    /// The registry says no for another cause.
    Refused,
    /// There was no answer, or one that says that the registry can't answer now.
    Unavailable,
}

impl Answer {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 5] = [Self::Ok, Self::NotFound, Self::Denied, Self::Refused, Self::Unavailable];

    /// The label.
    pub fn outcome(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::NotFound => "not_found",
            Self::Denied => "denied",
            Self::Refused => "refused",
            Self::Unavailable => "unavailable",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_in_the_order_of_their_numbers() {
        assert!(Rebuild::ALL.iter().enumerate().all(|(number, rebuild)| *rebuild as usize == number));
        assert!(Answer::ALL.iter().enumerate().all(|(number, answer)| *answer as usize == number));
    }
}
