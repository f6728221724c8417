//! The state folder: the journal and the tag key. Readable by its owner only.

use crate::model::{KEY_LENGTH, TagKey};
use data_encoding::BASE64;
use etcetera::BaseStrategy;
use std::{
    fs,
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

/// The state folder, or the key in it, cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// No home folder.
    #[error("there is no home folder to keep state in\n  help: name a folder with `--state DIR`")]
    NoHome,
    /// The folder cannot be made or entered.
    #[error("the state folder {path} cannot be used: {error}\n  help: name another one with `--state DIR`")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The key cannot be read or written.
    #[error("the tag key {path} cannot be used: {error}")]
    Key {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The key is not one.
    #[error(
        "the tag key {0} is damaged: it must hold 32 bytes in base64\n  help: restore it from a copy; a new key would not recognise probes that are still under way"
    )]
    Damaged(PathBuf),
    /// Others can read the key.
    #[error("the tag key {path} can be read by others (mode {mode:03o}): whoever has it can forge arrivals\n  help: chmod 600 {path}")]
    Open {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
}

/// The user's own state folder, by the conventions of the system (`~/.local/state/mailflow` on Linux).
///
/// # Errors
/// If there is no home folder.
pub fn default_state() -> Result<PathBuf, StateError> {
    let strategy = etcetera::choose_base_strategy().map_err(|_| StateError::NoHome)?;
    Ok(strategy.state_dir().unwrap_or_else(|| strategy.data_dir()).join("mailflow"))
}

/// Makes the folder, for its owner only, if it is not there.
///
/// # Errors
/// If it cannot be made.
pub fn open_state(path: &Path) -> Result<(), StateError> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|error| StateError::Folder {
            path: path.to_owned(),
            error,
        })
}

/// The tag key of the state folder, made from `random` at first use.
///
/// # Errors
/// If it cannot be read or made, is damaged, or can be read by others.
pub fn tag_key(state: &Path, random: [u8; KEY_LENGTH]) -> Result<TagKey, StateError> {
    let path = state.join("tag.key");
    let trouble = |error| StateError::Key { path: path.clone(), error };
    if !path.try_exists().map_err(trouble)? {
        make_key(state, &path, random).map_err(trouble)?;
    }
    let mode = fs::metadata(&path).map_err(trouble)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(StateError::Open { path, mode });
    }
    let mut text = String::new();
    fs::File::open(&path)
        .and_then(|file| file.take(1024).read_to_string(&mut text))
        .map_err(trouble)?;
    let bytes = BASE64
        .decode(text.trim().as_bytes())
        .ok()
        .and_then(|bytes| <[u8; KEY_LENGTH]>::try_from(bytes).ok());
    bytes.map(|bytes| TagKey::new(&bytes)).ok_or(StateError::Damaged(path))
}

/// Written apart and linked into place, so that two first runs at the same time agree on one key, and a crash leaves none that is half written.
fn make_key(state: &Path, path: &Path, random: [u8; KEY_LENGTH]) -> io::Result<()> {
    let draft = state.join(format!("tag.key.{}", std::process::id()));
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&draft)?;
    writeln!(file, "{}", BASE64.encode(&random))?;
    file.sync_all()?;
    let linked = match fs::hard_link(&draft, path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    };
    fs::remove_file(&draft)?;
    linked
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ProbeId, RunId};

    #[test]
    fn the_key_is_made_once_and_only_its_owner_may_read_it() {
        let state = tempfile::tempdir().unwrap();
        let id = ProbeId::new(&RunId::from_random([1; 6]), [2; 16]);
        let first = tag_key(state.path(), [3; KEY_LENGTH]).unwrap().tag(id);
        assert_eq!(
            tag_key(state.path(), [4; KEY_LENGTH]).unwrap().tag(id),
            first,
            "the random bytes of later runs change nothing"
        );
        let path = state.path().join("tag.key");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(
            tag_key(state.path(), [4; KEY_LENGTH]),
            Err(StateError::Open { mode: 0o640, .. })
        ));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&path, "short").unwrap();
        assert!(matches!(tag_key(state.path(), [4; KEY_LENGTH]), Err(StateError::Damaged(_))));
    }
}
