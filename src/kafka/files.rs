//! Notices that the files change that clients take their identity and trust from.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use crate::settings::Security;

/// A change counts when it has stayed as it is for so long: certificate and key are not written at once.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// By content, since a mounted secret changes by links, and a file that is written anew may be the same.
type Print = Option<[u8; 32]>;

/// The files of the settings, as they were when clients were last made of them.
#[derive(Debug)]
pub(super) struct Files {
    paths: Vec<PathBuf>,
    used: Print,
    seen: Print,
    looked_at: Instant,
}

impl Files {
    pub fn of(security: &Security) -> Self {
        let paths = security.files().map(PathBuf::from).collect();
        let mut files = Self { paths, used: None, seen: None, looked_at: Instant::now() };
        files.note_used();
        files
    }

    /// Clients are made of what is there now.
    pub fn note_used(&mut self) {
        self.used = self.print();
        self.seen = self.used;
        self.looked_at = Instant::now();
    }

    /// Whether other clients would be made by now. Looks only now and then.
    pub fn have_changed(&mut self) -> bool {
        if self.paths.is_empty() || self.looked_at.elapsed() < LOOK_EVERY {
            return false;
        }
        self.looked_at = Instant::now();
        let now = self.print();
        // A file that can't be read just now is being replaced.
        let is_settled = now.is_some() && now == self.seen;
        self.seen = now;
        is_settled && now != self.used
    }

    fn print(&self) -> Print {
        let mut digest = Sha256::new();
        for path in &self.paths {
            let content = fs::read(path).ok()?;
            digest.update(content.len().to_le_bytes());
            digest.update(content);
        }
        Some(digest.finalize().into())
    }
}
