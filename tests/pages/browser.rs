//! A real browser: Debian's Chromium, driven by the Python of `requirements.txt`, with the rules of axe-core.

use serde_json::{Value, json};
use std::{
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// Opens the page once for each visit (see `browser.py`) and says what was to be seen. A browser that is missing fails.
pub fn visit(url: &str, visits: &Value) -> Vec<Value> {
    visit_with(url, None, visits)
}

/// The same with a bearer's token, as the page of `serve` may want it.
pub fn visit_with(url: &str, token: Option<&str>, visits: &Value) -> Vec<Value> {
    let mut child = Command::new(python())
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/pages/browser.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let asked = json!({ "url": url, "token": token, "visits": visits });
    child.stdin.take().unwrap().write_all(asked.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The URL of a file.
pub fn url_of(file: &Path) -> String {
    format!("file://{}", file.display())
}

/// Where pictures are put, for people to look at.
pub fn picture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

/// What a page must never do, whatever it shows.
pub fn assert_quiet(seen: &Value) {
    assert_eq!(seen["errors"], json!([]), "the console");
    assert_eq!(seen["requests"], json!([]), "requests beyond the page");
    assert_eq!(seen["ran"], json!(false), "something that came with mail ran");
    assert_eq!(
        (&seen["foreign"], &seen["handlers"]),
        (&json!(0), &json!(0)),
        "elements that no page of ours has"
    );
}

fn python() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("browser");
    let python = folder.join("bin/python");
    assert!(
        python.exists(),
        "the browser's driver is missing: run `tests/run` once, which installs {}",
        folder.display()
    );
    python
}
