//! Comparisons as they are read: the page in a real browser, the other formats by the readers of those who use them; and the parity table on the
//! page of its run. What is compared is the stored run that holds everything, a server that means ill included, with itself after a bad night.
//!
//! Needs what `tests/formats.rs` and `tests/pages.rs` need, which `tests/run` installs. What is missing fails.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on ends")]

#[path = "pages/browser.rs"]
mod browser;

use browser::{assert_quiet, picture, url_of, visit};
use mailflow::{
    compare,
    explain::explain,
    judge::roles,
    model::{Comparison, Effect, Flag, Judged, Outcome, ProbeId, RoutePair, Summary, Verdict},
    report::{Format, Style, read_json, render, render_comparison},
};
use serde_json::{Value, json};
use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
};
use tempfile::TempDir;

/// What somebody who means ill would put into a folder's name.
const POISON: &str = "<script>owned=1</script><img src=x onerror=\"owned=1\">|=1+1";

fn stored() -> Judged {
    told(read_json(include_bytes!("report/judged.json")).unwrap())
}

fn told(mut judged: Judged) -> Judged {
    for probe in &mut judged.probes {
        (probe.explanation, probe.remedy) = explain(probe);
    }
    judged.summary = Summary::of(&judged.probes);
    judged.roles = roles(&judged.probes);
    judged
}

/// The stored run after a bad night: what had passed fails in several ways, something failed passes, somebody is gone and somebody new.
fn night() -> Judged {
    let mut judged = stored();
    let mut passed = judged
        .probes
        .iter_mut()
        .filter(|probe| probe.verdict == Verdict::Inbox && probe.outcome == Outcome::Passed);
    let junk = passed.next().unwrap();
    (junk.verdict, junk.outcome, junk.folder) = (Verdict::Junk, Outcome::Failed, Some(POISON.to_owned()));
    let late = passed.next().unwrap();
    late.flags.push(Flag::Late);
    late.outcome = Outcome::Failed;
    late.latency_ms = late.latency_ms.map(|latency| latency + late.within_ms);
    let mut failed = judged
        .probes
        .iter_mut()
        .filter(|probe| probe.outcome == Outcome::Failed && probe.verdict == Verdict::Junk);
    let mended = failed.find(|probe| probe.folder.as_deref() != Some(POISON)).unwrap();
    (mended.verdict, mended.outcome, mended.folder) = (Verdict::Inbox, Outcome::Passed, Some("INBOX".to_owned()));
    let mut new = judged.probes.pop().unwrap();
    "new@contoso.example".clone_into(&mut new.recipient);
    judged.probes.push(new);
    told(judged)
}

fn comparison() -> Comparison {
    let compared = compare::runs(&stored(), &night(), ["before", "last"]);
    let of = |effect| compared.probes.iter().filter(|change| change.effect == effect).count();
    assert_eq!((of(Effect::Regression), of(Effect::Improvement)), (2, 1), "{:?}", compared.summary);
    assert!(of(Effect::NotCompared) > 0 && compared.summary.gone > 0 && compared.summary.added > 0);
    compared
}

/// The comparison in a file of its own.
fn written(format: Format, comparison: &Comparison) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(format!("comparison.{format}"));
    fs::write(&path, render_comparison(format, comparison, &Style::default()).unwrap()).unwrap();
    (folder, path)
}

/// What a reader that is not ours finds in it.
fn read(arguments: &[&str]) -> Value {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("formats");
    let output = Command::new(folder.join("bin/python"))
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/formats/read.py"))
        .args(arguments)
        .output()
        .unwrap_or_else(|error| panic!("{}: {error}: run `tests/run` once", folder.display()));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn the_page_shows_all_asks_nobody_and_shuts_nobody_out() {
    let compared = comparison();
    let (_folder, path) = written(Format::Html, &compared);
    let visits = [("light", 1280), ("dark", 1280), ("light", 360), ("dark", 360)].map(|(scheme, width)| {
        json!({ "scheme": scheme, "width": width, "axe": true, "whole": true, "print": picture("comparison.pdf"),
            "picture": picture(&format!("comparison-{scheme}-{width}.png")) })
    });
    for seen in visit(&url_of(&path), &json!(visits)) {
        assert_quiet(&seen);
        assert_eq!(seen["violations"], json!([]));
        assert!(seen["checked"].as_u64().unwrap() > 20, "axe-core looked: {}", seen["checked"]);
        assert_eq!(seen["scripts"], json!(0));
        let headline = seen["headline"].as_str().unwrap();
        assert!(
            headline.starts_with("2 of ") && headline.contains(" probes passed before and fail now: "),
            "{headline}"
        );
        let text = seen["text"].as_str().unwrap();
        assert!(text.contains(POISON), "it stands there as text");
        for change in compared.probes.iter().filter(|change| change.effect == Effect::Regression) {
            assert!(headline.contains(&change.recipient), "{headline}");
            for difference in &change.differences {
                assert!(text.contains(&difference.after), "{difference}");
            }
            assert!(text.contains(change.remedy.as_ref().unwrap()), "{}", change.recipient);
        }
    }
    // The other widths have no sideways scrolling either: it is within the tables.
    for seen in visit(&url_of(&path), &json!([{ "width": 360 }, { "width": 700 }])) {
        assert!(seen["wide"].as_u64().unwrap() <= 700, "{}", seen["wide"]);
    }
}

#[test]
fn two_routes_stand_side_by_side_on_the_page_of_their_run() {
    let mut judged = stored();
    let routes = RoutePair {
        old: "internet".to_owned(),
        new: "new-gateway".to_owned(),
    };
    let mut by_the_other = night().probes;
    for (number, probe) in (0u128..).zip(&mut by_the_other) {
        probe.id = ProbeId::new(&probe.run, number.to_be_bytes());
        probe.route.clone_from(&routes.new);
    }
    judged.probes.retain(|probe| probe.route == routes.old);
    judged.probes.extend(by_the_other);
    judged.runs[0].compare = Some(routes);
    let mut judged = told(judged);
    judged.parity = compare::parity(&judged);
    let [parity] = judged.parity.as_slice() else {
        panic!("{:?}", judged.parity);
    };
    assert!(parity.differences > 1 && parity.pairs > 10, "{}", parity.headline);
    let folder = tempfile::tempdir().unwrap();
    let path = picture("parity.html");
    fs::write(&path, render(Format::Html, &judged, &Style::default()).unwrap()).unwrap();
    let visits =
        json!([{ "axe": true }, { "width": 360, "axe": true, "scheme": "dark", "whole": true, "picture": picture("parity-dark-360.png") }]);
    for seen in visit(&url_of(&path), &visits) {
        assert_quiet(&seen);
        assert_eq!(seen["violations"], json!([]));
        assert!(seen["wide"].as_u64().unwrap() <= 1280);
        let headline = seen["headline"].as_str().unwrap();
        assert!(headline.contains("new-gateway does not do the same as internet"), "{headline}");
        let title = json!("internet → new-gateway, side by side");
        assert!(seen["headings"].as_array().unwrap().contains(&title), "{}", seen["headings"]);
        let text = seen["text"].as_str().unwrap();
        assert!(text.contains(parity.headline.split_once(": ").unwrap().1), "{}", parity.headline);
    }
    let markdown = folder.path().join("report.md");
    fs::write(&markdown, render(Format::Markdown, &judged, &Style::default()).unwrap()).unwrap();
    assert_eq!(read(&["markdown", markdown.to_str().unwrap()])["mentions"], json!([]));
}

#[test]
fn readers_of_the_other_formats_find_what_was_compared() {
    let compared = comparison();
    let summary = &compared.summary;
    let (_folder, path) = written(Format::Junit, &compared);
    let schema = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/formats/junit.xsd");
    let found = read(&["junit", path.to_str().unwrap(), schema]);
    let roles = |effect: Effect| compared.roles.iter().filter(|role| role.effect == effect).count();
    assert_eq!(found["failures"], json!(summary.regressions as usize + roles(Effect::Regression)));
    assert_eq!(found["errors"], json!(summary.not_compared as usize + roles(Effect::NotCompared)));

    let (_folder, path) = written(Format::Nagios, &compared);
    let found = read(&["nagios", path.to_str().unwrap()]);
    assert!(
        found["status"].as_str().unwrap().starts_with("MAILFLOW CRITICAL - 2 of "),
        "{found}"
    );
    assert_eq!(found["invalid"], json!([]));
    assert_eq!(found["metrics"]["regressions"], json!(["2", "", "", "0"]));
    assert!(found["bytes"].as_u64().unwrap() < 8192);

    let (_folder, path) = written(Format::Markdown, &compared);
    let found = read(&["markdown", path.to_str().unwrap()]);
    let allowed = [
        "br", "code", "h2", "h3", "li", "p", "strong", "table", "tbody", "td", "th", "thead", "tr", "ul",
    ];
    for tag in found["tags"].as_array().unwrap() {
        assert!(allowed.contains(&tag.as_str().unwrap()), "{tag}");
    }
    for table in found["tables"].as_array().unwrap() {
        let widths = table.as_array().unwrap();
        assert!(widths.len() > 1 && widths.iter().all(|width| width == &widths[0]), "{widths:?}");
    }
    assert_eq!(found["mentions"], json!([]));

    let (_folder, path) = written(Format::Csv, &compared);
    let found = read(&["csv", path.to_str().unwrap()]);
    assert!(found["rows"].as_u64().unwrap() >= compared.probes.len() as u64);
    assert_eq!(
        (&found["formulas"], found["widths"].as_array().unwrap().len()),
        (&json!([]), 1),
        "{found}"
    );

    let (_folder, path) = written(Format::Prometheus, &compared);
    let output = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(File::open(&path).unwrap())
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr]
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .concat();
    assert!(output.status.success() && said.is_empty(), "{said}");
    let metrics = fs::read_to_string(&path).unwrap();
    let worse = metrics
        .lines()
        .filter(|line| line.starts_with("mailflow_comparison_probe_info") && line.contains("effect=\"regression\""));
    assert_eq!(worse.count(), 2, "{metrics}");
}
