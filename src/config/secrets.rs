//! Fetching secrets from where the site says they are.
//!
//! No error, log line or `Debug` of this module holds any part of a secret, nor anything that a command printed. What it cannot see: whether the
//! secret is the right one.

use crate::model::{KEY_LENGTH, SecretSource, TagKey};
use ring::digest;
use secrecy::{ExposeSecret, SecretString, zeroize::Zeroizing};
use std::{
    io,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};
use tokio::{
    fs::File,
    io::{AsyncRead, AsyncReadExt},
    process::Command,
    time::timeout,
};

/// The longest secret: OAuth 2.0 tokens have a few thousand bytes.
const LONGEST: usize = 64 * 1024;
/// How long a command may take: it may ask a person to unlock a store.
pub const PATIENCE: Duration = Duration::from_mins(1);
/// Fewer characters could be guessed, and with them a forged arrival be made.
const LEAST_KEY: usize = 32;

/// Why a secret could not be had.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The environment lacks it.
    #[error("the environment variable `{0}` is not set")]
    NotSet(String),
    /// The file cannot be read.
    #[error("the secret file {} cannot be read: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The program cannot be started.
    #[error("the command `{program}` cannot be run: {error}")]
    Command {
        /// The program.
        program: String,
        /// Why.
        error: io::Error,
    },
    /// The program ended with a failure.
    #[error("the command `{program}` failed: {status}")]
    Failed {
        /// The program.
        program: String,
        /// How it ended.
        status: ExitStatus,
    },
    /// The program or a pipe gave no end of output.
    #[error("{0} gave no secret within {limit} s", limit = PATIENCE.as_secs())]
    TooSlow(String),
    /// There is nothing.
    #[error("the first line of {0} is empty")]
    Empty(String),
    /// There is more than any secret has.
    #[error("{0} is longer than {LONGEST} bytes")]
    TooLong(String),
    /// It is not text.
    #[error("the first line of {0} is not text")]
    NotText(String),
    /// The key of the tags could be guessed.
    #[error("a tag key needs at least {LEAST_KEY} characters; `openssl rand -base64 32` makes one")]
    ShortKey,
}

/// Fetches a secret. Relative files, and the working folder of commands, begin at `folder`, the site's; `env` reads the environment.
///
/// Files and commands give their first line. A command is run without a shell and with nothing on its standard input; what it writes to its
/// standard error is thrown away.
///
/// # Errors
/// If there is no secret, or it is too long, or no text; after a minute without one as well.
pub async fn resolve(
    source: &SecretSource,
    folder: &Path,
    env: &(dyn Fn(&str) -> Option<String> + Sync),
) -> Result<SecretString, SecretError> {
    let (bytes, name) = fetch(source, folder, env).await?;
    first_line(&bytes, name)
}

/// The same for a secret of several lines, such as a private key in PEM: all of them.
///
/// # Errors
/// As [`resolve`].
pub async fn resolve_whole(
    source: &SecretSource,
    folder: &Path,
    env: &(dyn Fn(&str) -> Option<String> + Sync),
) -> Result<SecretString, SecretError> {
    let (bytes, name) = fetch(source, folder, env).await?;
    text(&bytes, bytes.len(), name)
}

/// The octets of a secret, with the name of its source.
async fn fetch(
    source: &SecretSource,
    folder: &Path,
    env: &(dyn Fn(&str) -> Option<String> + Sync),
) -> Result<(Zeroizing<Vec<u8>>, String), SecretError> {
    let name = named(source);
    let read = async {
        match source {
            SecretSource::Env(variable) => Ok(env(variable).map(|value| Zeroizing::new(value.into_bytes()))),
            SecretSource::File(path) => from_file(&folder.join(path)).await.map(Some),
            SecretSource::Command(words) => from_command(words, folder).await.map(Some),
        }
    };
    let bytes = timeout(PATIENCE, read).await.map_err(|_| SecretError::TooSlow(name.clone()))??;
    match (bytes, source) {
        (Some(bytes), _) => Ok((bytes, name)),
        (None, SecretSource::Env(variable)) => Err(SecretError::NotSet(variable.clone())),
        (None, _) => Err(SecretError::Empty(name)),
    }
}

/// The key of the tags: SHA-256 of any text of at least 32 characters, so that every machine with that text has the same key.
///
/// # Errors
/// If the text is shorter.
pub fn tag_key(secret: &SecretString) -> Result<TagKey, SecretError> {
    let text = secret.expose_secret().trim();
    if text.chars().count() < LEAST_KEY {
        return Err(SecretError::ShortKey);
    }
    let digest = digest::digest(&digest::SHA256, text.as_bytes());
    let mut key = Zeroizing::new([0; KEY_LENGTH]);
    key.iter_mut().zip(digest.as_ref()).for_each(|(byte, of_digest)| *byte = *of_digest);
    Ok(TagKey::new(&key))
}

/// Whether other users of the machine may read a secret's file: worth a warning, not a refusal, since containers mount secrets that way.
#[cfg(unix)]
pub fn is_open_to_others(source: &SecretSource, folder: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    let SecretSource::File(path) = source else { return false };
    folder
        .join(path)
        .metadata()
        .is_ok_and(|metadata| metadata.permissions().mode() & 0o004 != 0)
}

/// Nothing is known of permissions here.
#[cfg(not(unix))]
pub fn is_open_to_others(_: &SecretSource, _: &Path) -> bool {
    false
}

/// What an error calls the source. The arguments of a command may be telling, so only its program is named.
fn named(source: &SecretSource) -> String {
    match source {
        SecretSource::Env(name) => format!("the environment variable `{name}`"),
        SecretSource::File(path) => format!("the secret file {}", path.display()),
        SecretSource::Command(words) => format!("the command `{}`", words.first().map_or("", String::as_str)),
    }
}

async fn from_file(path: &Path) -> Result<Zeroizing<Vec<u8>>, SecretError> {
    let failed = |error| SecretError::File {
        path: path.to_owned(),
        error,
    };
    let file = File::open(path).await.map_err(failed)?;
    bounded(file).await.map_err(failed)
}

async fn from_command(words: &[String], folder: &Path) -> Result<Zeroizing<Vec<u8>>, SecretError> {
    let (program, arguments) = words.split_first().ok_or_else(|| SecretError::Empty("the command".into()))?;
    let failed = |error| SecretError::Command {
        program: program.clone(),
        error,
    };
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    // Where a relative program begins is otherwise up to the platform.
    let folder = std::path::absolute(folder).map_err(failed)?;
    let path = if program.contains('/') {
        folder.join(program)
    } else {
        program.into()
    };
    let mut child = Command::new(path)
        .args(arguments)
        .current_dir(&folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(failed)?;
    let output = match child.stdout.take() {
        Some(stdout) => bounded(stdout).await.map_err(failed)?,
        None => Zeroizing::new(Vec::new()),
    };
    // A command that writes on and on would otherwise wait for a reader that has gone.
    if output.len() > LONGEST {
        return Ok(output);
    }
    let status = child.wait().await.map_err(failed)?;
    if status.success() {
        Ok(output)
    } else {
        Err(SecretError::Failed {
            program: program.clone(),
            status,
        })
    }
}

async fn bounded(input: impl AsyncRead + Unpin) -> io::Result<Zeroizing<Vec<u8>>> {
    // Never grown: a grown vector leaves copies of its content behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(LONGEST + 1));
    input.take(LONGEST as u64 + 1).read_to_end(&mut bytes).await?;
    Ok(bytes)
}

fn first_line(bytes: &[u8], name: String) -> Result<SecretString, SecretError> {
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    text(line, bytes.len(), name)
}

/// These octets as text. `length` is that of all that was read.
fn text(octets: &[u8], length: usize, name: String) -> Result<SecretString, SecretError> {
    if length > LONGEST {
        return Err(SecretError::TooLong(name));
    }
    match std::str::from_utf8(octets) {
        Ok("") => Err(SecretError::Empty(name)),
        Ok(text) if text.contains('\0') => Err(SecretError::NotText(name)),
        Ok(text) => Ok(text.into()),
        Err(_) => Err(SecretError::NotText(name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn exposed(source: SecretSource, folder: &Path) -> Result<String, String> {
        let env = |name: &str| (name == "PROBE_PASSWORD").then(|| "of env\nsecond".to_owned());
        let secret = resolve(&source, folder, &env).await.map_err(|error| format!("{error} {error:?}"))?;
        Ok(secret.expose_secret().to_owned())
    }

    fn command(words: &[&str]) -> SecretSource {
        SecretSource::Command(words.iter().map(|word| (*word).to_owned()).collect())
    }

    #[tokio::test]
    async fn each_source_gives_its_first_line() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a.secret"), " of file \r\nsecond\n").unwrap();
        let path = folder.path();
        assert_eq!(
            exposed(SecretSource::Env("PROBE_PASSWORD".into()), path).await.as_deref(),
            Ok("of env")
        );
        assert_eq!(
            exposed(SecretSource::File("a.secret".into()), path).await.as_deref(),
            Ok(" of file ")
        );
        assert_eq!(
            exposed(command(&["cat", "a.secret"]), path).await.as_deref(),
            Ok(" of file "),
            "it runs in the site's folder"
        );
        assert_eq!(
            exposed(command(&["printf", "$HOME"]), path).await.as_deref(),
            Ok("$HOME"),
            "there is no shell"
        );
    }

    #[tokio::test]
    async fn failures_name_the_source_and_show_no_secret() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        std::fs::write(path.join("empty"), "\nhunter2\n").unwrap();
        std::fs::write(path.join("bytes"), b"hunter2\xff").unwrap();
        std::fs::write(path.join("nul"), "hunter2\0x").unwrap();
        std::fs::write(path.join("long"), "hunter2".repeat(10_000)).unwrap();
        let cases = [
            (SecretSource::Env("OTHER".into()), "`OTHER` is not set"),
            (SecretSource::File("none".into()), "cannot be read"),
            (SecretSource::File("empty".into()), "is empty"),
            (SecretSource::File("bytes".into()), "is not text"),
            (SecretSource::File("nul".into()), "is not text"),
            (SecretSource::File("long".into()), "longer than"),
            (command(&["./no-such-program", "hunter2"]), "cannot be run"),
            (command(&["sh", "-c", "echo hunter2; exit 3"]), "failed"),
            (command(&["sh", "-c", "while :; do echo hunter2; done"]), "longer than"),
            (command(&["true"]), "is empty"),
            (command(&[]), "is empty"),
        ];
        for (source, expected) in cases {
            let message = exposed(source.clone(), path).await.expect_err("no secret is to be had");
            assert!(message.contains(expected), "{source:?}: {message}");
            assert!(!message.contains("hunter2"), "{source:?}: {message}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_command_that_never_ends_is_given_up() {
        let message = exposed(command(&["sleep", "3600"]), Path::new(""))
            .await
            .expect_err("it gives nothing");
        assert!(message.contains("gave no secret"), "{message}");
    }

    #[test]
    fn the_same_text_is_the_same_key_everywhere() {
        let run = crate::model::RunId::from_random([1; 6]);
        let id = crate::model::ProbeId::new(&run, [2; 16]);
        let text = "correct horse battery staple, twice";
        let tag = |text: &str| tag_key(&text.into()).map(|key| key.tag(id)).map_err(|error| error.to_string());
        assert_eq!(tag(text), tag(&format!("{text} \n")));
        assert_ne!(tag(text), tag(&text.to_uppercase()));
        assert!(tag("too short").unwrap_err().contains("at least 32"));
    }
}
