//! A live run is protected by a lock of the operating system on a file: it ends with its process, however that ends.

use crate::model::RunId;
use std::{
    fs::{File, OpenOptions, TryLockError},
    io,
    path::{Path, PathBuf},
};

/// The lock on one run, held until dropped.
#[derive(Debug)]
pub struct RunLock {
    // Held for its lock; the operating system lets go of it with the file.
    _file: File,
}

impl RunLock {
    /// Takes the lock of a run; `None` if a living process holds it.
    ///
    /// # Errors
    /// If the lock file cannot be made.
    pub fn take(state: &Path, run: &RunId) -> io::Result<Option<Self>> {
        std::fs::create_dir_all(folder(state))?;
        let file = OpenOptions::new().create(true).write(true).truncate(false).open(path(state, run))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { _file: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

/// Whether a living process works on the run.
pub fn is_held(state: &Path, run: &RunId) -> bool {
    File::open(path(state, run)).is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

fn folder(state: &Path) -> PathBuf {
    state.join("locks")
}

fn path(state: &Path, run: &RunId) -> PathBuf {
    folder(state).join(run.as_str())
}
