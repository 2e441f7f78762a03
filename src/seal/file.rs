//! The file with the sealing keys: created once, replaced as a whole, and read again when it is another one.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::KEY;
use crate::clock::Dice;
use crate::model::{Error, Result};

pub const REMARK: &str =
    "# The sealing key of this Kalends installation. Keep a copy apart from the backups.\n";

/// A file of keys, and how it was when it was read.
pub struct KeyFile {
    path: PathBuf,
    seen: Mutex<Option<Stamp>>,
}

/// What tells a file from the one that replaced it.
type Stamp = (Option<SystemTime>, u64, u64);

fn stamp(path: &Path) -> Option<Stamp> {
    let found = std::fs::metadata(path).ok()?;
    #[cfg(unix)]
    let number = std::os::unix::fs::MetadataExt::ino(&found);
    #[cfg(not(unix))]
    let number = 0;
    Some((found.modified().ok(), found.len(), number))
}

impl KeyFile {
    pub fn new(path: &Path) -> KeyFile {
        KeyFile {
            path: path.to_path_buf(),
            seen: Mutex::new(None),
        }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn name(&self) -> String {
        self.path.display().to_string()
    }

    fn fault(&self, does: &str, fault: &std::io::Error) -> Error {
        Error::internal(format!(
            "cannot {does} the sealing key {}: {fault}",
            self.name()
        ))
    }

    fn note(&self, stamp: Option<Stamp>) {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = stamp;
    }

    /// Its text; of two processes that start at once without one, the second reads what the first one wrote.
    pub fn read_or_create(&self, dice: &Dice) -> Result<Zeroizing<String>> {
        let stamp = stamp(&self.path);
        match std::fs::read_to_string(&self.path) {
            Ok(text) => {
                self.note(stamp);
                Ok(Zeroizing::new(text))
            }
            Err(fault) if fault.kind() == std::io::ErrorKind::NotFound => self.create(dice),
            Err(fault) => Err(self.fault("read", &fault)),
        }
    }

    /// Its text, if it is not the file that was read last. What is wrong with it shows when a key is missing.
    pub fn read_if_changed(&self) -> Option<Zeroizing<String>> {
        let now = stamp(&self.path)?;
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if *seen == Some(now) {
            return None;
        }
        let text = std::fs::read_to_string(&self.path).ok()?;
        *seen = Some(now);
        Some(Zeroizing::new(text))
    }

    /// Replaces the text by what `change` makes of it (none: by itself), one process after the other. Whoever reads
    /// finds the old file or the new one, also after a crash.
    pub fn rewrite(
        &self,
        change: impl FnOnce(&Zeroizing<String>) -> Option<Zeroizing<String>>,
    ) -> Result<Zeroizing<String>> {
        let fail = |fault: std::io::Error| self.fault("replace", &fault);
        let lock = private(&self.path.with_extension("key.lock")).map_err(fail)?;
        lock.lock().map_err(fail)?;
        let old = Zeroizing::new(std::fs::read_to_string(&self.path).map_err(fail)?);
        let Some(new) = change(&old) else {
            return Ok(old);
        };
        let draft = self.draft(&new).map_err(fail)?;
        std::fs::rename(&draft, &self.path).map_err(fail)?;
        if let Some(folder) = self.path.parent()
            && let Ok(folder) = File::open(folder)
        {
            // Some systems cannot; the rename itself is done.
            let _ = folder.sync_all();
        }
        self.note(stamp(&self.path));
        Ok(new)
    }

    /// Writes a new one that nobody else may read. Never overwrites.
    fn create(&self, dice: &Dice) -> Result<Zeroizing<String>> {
        let fail = |fault: std::io::Error| self.fault("create", &fault);
        let secret = Zeroizing::new(dice.bytes::<KEY>()?);
        let text = Zeroizing::new(format!("{REMARK}{}\n", STANDARD.encode(*secret)));
        // Linked into place, so that nobody ever reads half a key.
        let draft = self.draft(&text).map_err(fail)?;
        let linked = std::fs::hard_link(&draft, &self.path);
        std::fs::remove_file(&draft).map_err(fail)?;
        match linked {
            Ok(()) => {
                self.note(stamp(&self.path));
                Ok(text)
            }
            Err(fault) if fault.kind() == std::io::ErrorKind::AlreadyExists => {
                let text = std::fs::read_to_string(&self.path).map_err(fail)?;
                Ok(Zeroizing::new(text))
            }
            Err(fault) => Err(fail(fault)),
        }
    }

    /// The text in a file beside it, on the disk.
    fn draft(&self, text: &str) -> std::io::Result<PathBuf> {
        let path = self
            .path
            .with_extension(format!("key-{}", std::process::id()));
        let mut file = private(&path)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        Ok(path)
    }
}

/// An empty file that only its owner may read.
fn private(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}
