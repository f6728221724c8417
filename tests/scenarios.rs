//! Every shipped scenario runs unchanged on the embedded mail world, by the real binary.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on ends")]

use mailflow::{
    model::{Difference, Judged, JudgedProbe, Outcome, Ready, Verdict},
    report::read_json,
};
use std::{fs, path::PathBuf, process::Command, thread};

/// The recipients for whom a healthy mail system does the same by every route.
const HEALTHY: &str = "recipient:ok@*";

fn run(scenario: &PathBuf, only: Option<&str>) -> (Option<i32>, Judged, String) {
    let folder = tempfile::tempdir().unwrap();
    let report = folder.path().join("report.json");
    let mut command = Command::new(env!("CARGO_BIN_EXE_mailflow"));
    command
        .arg("demo")
        .arg(scenario)
        .arg("--report")
        .arg(format!("json={}", report.display()));
    command.args(only.into_iter().flat_map(|only| ["--only", only]));
    let output = command.output().unwrap();
    let told = format!(
        "{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    let report = fs::read(&report).unwrap_or_else(|error| panic!("{}: no report ({error})\n{told}", scenario.display()));
    (output.status.code(), read_json(&report).unwrap(), told)
}

#[test]
fn each_shipped_scenario_runs_on_the_post_office() {
    let files = fs::read_dir("scenarios").unwrap().map(|entry| entry.unwrap().path());
    let scenarios: Vec<PathBuf> = files
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .collect();
    assert!(scenarios.len() >= 6, "{scenarios:?}");
    thread::scope(|scope| {
        for scenario in &scenarios {
            scope.spawn(move || {
                let (code, judged, told) = run(scenario, Some(HEALTHY));
                assert!(!judged.probes.is_empty(), "{told}");
                assert!(
                    judged
                        .probes
                        .iter()
                        .all(|probe| probe.verdict != Verdict::Unknown && probe.verdict != Verdict::Lost),
                    "{told}"
                );
                let failed = |wanted: &dyn Fn(&JudgedProbe) -> bool| {
                    let failed = judged.probes.iter().filter(|probe| wanted(probe));
                    failed.filter(|probe| probe.outcome == Outcome::Failed).count()
                };
                if scenario.ends_with("gateway-parity.yaml") {
                    // The new gateway of this world tags subjects, and that is what a migration must find.
                    let parity = &judged.parity[0];
                    assert_eq!((code, parity.ready), (Some(1), Ready::No), "{told}");
                    assert!(failed(&|probe| probe.route == "new-gateway") > 0, "{told}");
                    let tagged = |difference: &Difference| difference.of.as_deref() == Some("subject");
                    assert!(parity.probes.iter().flat_map(|probe| &probe.differences).any(tagged), "{told}");
                    assert!(told.contains("Ready to cut over: no"), "{told}");
                } else if scenario.ends_with("lock-down.yaml") {
                    // Nothing is locked in this world, and every open door must be found.
                    let doors = judged.probes.iter().filter(|probe| probe.case.is_some()).count();
                    assert_eq!((code, failed(&|probe| probe.case.is_some())), (Some(1), doors), "{told}");
                    assert!(doors >= 2 && failed(&|probe| probe.case.is_none()) == 0, "{told}");
                } else {
                    // What the sending server hands over itself carries no authentication results here, so that what requires them is unknown, and
                    // only the verdicts are asked for.
                    let as_expected = |probe: &JudgedProbe| probe.expected.iter().any(|expected| expected == probe.verdict.word());
                    assert!(judged.probes.iter().all(as_expected), "{}\n{told}", scenario.display());
                    assert!(matches!(code, Some(0 | 1 | 3)), "{told}");
                }
            });
        }
    });
}

#[test]
fn the_demo_shows_every_verdict_but_pending() {
    let (code, judged, told) = run(&PathBuf::from("scenarios/demo.yaml"), None);
    for verdict in Verdict::ALL.into_iter().filter(|verdict| *verdict != Verdict::Pending) {
        assert!(judged.summary.verdicts.contains_key(&verdict), "no probe came to {verdict}\n{told}");
    }
    assert_eq!(code, Some(1), "a scenario that is named is judged as any other");
}
