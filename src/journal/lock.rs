//! A live run is protected by a lock of the operating system on a file: it ends with its process, however that ends.

use crate::model::RunId;
use std::{
    fs::{File, OpenOptions, TryLockError},
    io,
    path::{Path, PathBuf},
};

/// A lock of the state folder, held until dropped.
#[derive(Debug)]
pub struct FileLock {
    // Held for its lock; the operating system lets go of it with the file.
    _file: File,
}

impl FileLock {
    /// Takes the lock of this name; `None` if a living process holds it.
    ///
    /// # Errors
    /// If the lock file cannot be made.
    pub fn take(state: &Path, name: &str) -> io::Result<Option<Self>> {
        std::fs::create_dir_all(folder(state))?;
        let path = folder(state).join(name);
        let file = OpenOptions::new().create(true).write(true).truncate(false).open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { _file: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

/// The lock on one run, held until dropped.
#[derive(Debug)]
pub struct RunLock {
    _lock: FileLock,
}

impl RunLock {
    /// Takes the lock of a run; `None` if a living process holds it.
    ///
    /// # Errors
    /// If the lock file cannot be made.
    pub fn take(state: &Path, run: &RunId) -> io::Result<Option<Self>> {
        Ok(FileLock::take(state, run.as_str())?.map(|lock| Self { _lock: lock }))
    }
}

/// Whether a living process works on the run.
pub fn is_held(state: &Path, run: &RunId) -> bool {
    let path = folder(state).join(run.as_str());
    File::open(path).is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

fn folder(state: &Path) -> PathBuf {
    state.join("locks")
}
