//! Where a secret comes from; never the secret itself.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// The source of a password, a token or a key. Literals do not exist here on purpose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SecretSource {
    /// An environment variable.
    Env(String),
    /// The first line of a file; relative paths are relative to the site file.
    File(PathBuf),
    /// What this command prints, its first line.
    Command(Vec<String>),
}
