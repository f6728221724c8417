//! Reading configuration files, with bounds: a wrong path may lead to a disk image.

use super::{Diagnostics, mistakes::Mistakes, source::Source};
use std::{fs::File, io::Read, path::Path};

/// The longest configuration file, in bytes. A site of ten thousand recipients has about that size.
pub const MAX_FILE: u64 = 1024 * 1024;

/// The text of a configuration file.
///
/// # Errors
/// If it cannot be read, is no plain file, is longer than [`MAX_FILE`] (found out without reading it whole), or is not UTF-8.
pub fn load(path: &Path) -> Result<String, Diagnostics> {
    let failed = |title: String| Diagnostics::of_file(path, title, None);
    let metadata = path
        .metadata()
        .map_err(|error| failed(format!("this file cannot be read: {error}")))?;
    if metadata.is_dir() {
        return Err(failed("this is a folder, not a file".to_owned()));
    }
    let file = File::open(path).map_err(|error| failed(format!("this file cannot be read: {error}")))?;
    let mut bytes = Vec::new();
    // The length is not believed: pipes have none, and files grow.
    file.take(MAX_FILE + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| failed(format!("this file cannot be read: {error}")))?;
    if bytes.len() as u64 > MAX_FILE {
        let title = format!("this file is longer than {} MiB", MAX_FILE / (1024 * 1024));
        return Err(Diagnostics::of_file(
            path,
            title,
            Some("site and scenario files are far smaller: is this the right one?"),
        ));
    }
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        // Up to there both texts are the same; from there the first character that stands for what is none.
        let lossy = String::from_utf8_lossy(error.as_bytes());
        let mut mistakes = Mistakes::default();
        let at = valid..valid + char::REPLACEMENT_CHARACTER.len_utf8();
        mistakes.note(at, "this file is not UTF-8").help("save it as UTF-8");
        Diagnostics::of_text(path, &Source::new(&lossy), None, mistakes)
    })
}
