//! Exit codes, as sysexits.h has them where it has one.

use std::process::ExitCode;

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    Success,
    /// The run failed; of `translate`: an item was set aside.
    Failure,
    /// A wrong call.
    Usage,
    /// A fault of the program.
    Internal,
    /// Given up after a fatal error that kept coming back.
    GivenUp,
    /// A right is missing at the start.
    NoPermission,
    /// Settings that can't be used.
    Settings,
}

impl Exit {
    pub fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Failure => 1,
            Self::Usage => 2,
            Self::Internal => 70,
            Self::GivenUp => 75,
            Self::NoPermission => 77,
            Self::Settings => 78,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
