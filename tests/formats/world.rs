//! The reports that are read: made once by the real binary, and by the library of the stored run.

use mailflow::{
    explain::explain,
    model::Judged,
    report::{Format, Style, read_json, render},
};
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::LazyLock,
};
use tempfile::TempDir;

/// A folder with the reports of a demonstration, each in a file named after its format, and the journal in `state`.
pub static DEMO: LazyLock<TempDir> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let reports = Format::ALL.map(|format| format!("--report={format}={format}"));
    let output = mailflow(folder.path(), &["demo"])
        .args(reports)
        .args(["--state", "state", "--quiet"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", said(&output));
    folder
});

/// The demonstration as the JSON report has it.
pub fn demo() -> Judged {
    read_json(&fs::read(DEMO.path().join("json")).unwrap()).unwrap()
}

/// A stored run with every verdict and flag, and a server that means ill.
pub fn stored() -> Judged {
    let mut judged = read_json(include_bytes!("../report/judged.json")).unwrap();
    for probe in &mut judged.probes {
        (probe.explanation, probe.remedy) = explain(probe);
    }
    judged
}

/// The reports in one format: the file of the demonstration, and that of the stored run, with the runs that they tell of.
pub fn reports(format: Format) -> [(PathBuf, Judged); 2] {
    let stored = stored();
    let path = DEMO.path().join(format!("{format}-stored"));
    fs::write(&path, render(format, &stored, &Style::default()).unwrap()).unwrap();
    [(DEMO.path().join(format.word()), demo()), (path, stored)]
}

/// The real binary in `folder`, told nothing by this environment.
pub fn mailflow(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mailflow"));
    command.current_dir(folder).args(arguments);
    for name in [
        "MAILFLOW_PUSH",
        "MAILFLOW_SITE",
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "OTEL_EXPORTER_OTLP_HEADERS",
    ] {
        command.env_remove(name);
    }
    command
}

/// The stored run of the demonstration again.
pub fn report(arguments: &[&str]) -> Output {
    mailflow(DEMO.path(), &["report", "last", "--state", "state"])
        .args(arguments)
        .output()
        .unwrap()
}

/// All that a process said.
pub fn said(output: &Output) -> String {
    let text = [output.stdout.as_slice(), &output.stderr].concat();
    String::from_utf8_lossy(&text).into_owned()
}

/// The Python with what `requirements.txt` names.
pub fn python() -> Command {
    let below = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let python = below.join("formats/bin/python");
    assert!(python.exists(), "{} is missing; tests/run installs it", python.display());
    Command::new(python)
}

/// What a reader found in a file.
pub fn read(arguments: &[&str]) -> Value {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/formats/read.py");
    let output = python().arg(script).args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", said(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}
