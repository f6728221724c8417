//! Comparing on real servers, by the real binary: what two gateways do differently, what a change of policy changed, and that nothing is made up
//! where nothing changed.
//!
//! What it cannot show: differences of vendors' products. Which difference is named for which pair of probes is tested beside the code.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on ends")]

mod lab;

use lab::{
    Lab,
    accounts::{PASSWORD, QUARANTINE, SENDER, WATCHER_PASSWORD},
};
use mailflow::{
    model::{Comparison, Judged, Outcome, ProbeChange, Ready, ShiftFinding},
    report::read_json,
};
use std::{collections::BTreeSet, fs, net::SocketAddr, process::Command};

const RECIPIENTS: &[&str] = &["ok", "junk", "folder", "greylisted"];

/// A lab with a site and room for reports.
struct Bench {
    lab: Lab,
    folder: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let (lab, folder) = (Lab::start(), tempfile::tempdir().unwrap());
        fs::copy(lab.ca_file(), folder.path().join("ca.pem")).unwrap();
        fs::write(folder.path().join("watcher.secret"), WATCHER_PASSWORD).unwrap();
        fs::write(folder.path().join("sender.secret"), PASSWORD).unwrap();
        let bench = Self { lab, folder };
        bench.write("mailflow.yaml", &bench.site(bench.lab.gateway_b()));
        bench
    }

    fn write(&self, file: &str, text: &str) {
        fs::write(self.folder.path().join(file), text).unwrap();
    }

    /// The site; `provider` is the door past the gateways.
    fn site(&self, provider: SocketAddr) -> String {
        let store = format!(
            "url: \"imaps://mail.contoso.example\", connect: \"{}\", ca: {{ file: ca.pem }}",
            self.lab.imaps()
        );
        let open = |user: &str| format!("imap: {{ {store}, user: \"{user}*watcher\", password: {{ file: watcher.secret }} }}");
        let one =
            |local: &&str| format!("  - {{ address: {local}@contoso.example, role: Administrator, expect: [inbox, junk, folder] }}\n");
        let recipients: String = RECIPIENTS.iter().map(one).collect();
        let route = |name: &str, to: SocketAddr| format!("  {name}: {{ smtp: {{ url: \"smtp://{to}\", ca: {{ file: ca.pem }} }} }}\n");
        let routes: String = [
            ("gateway-a", self.lab.gateway_a()),
            ("gateway-b", self.lab.gateway_b()),
            ("new-gateway", self.lab.gateway_a()),
            // Its users sign in; nobody else may send through it.
            ("old-gateway", self.lab.submission()),
            ("provider", provider),
        ]
        .iter()
        .map(|(name, to)| route(name, *to))
        .collect();
        format!(
            "sender: {{ address: {SENDER}, mailbox: returns }}\nroutes:\n{routes}paths:\n  by-a: {{ via: gw-a.contoso.example }}\n  by-b: {{ via: gw-b.contoso.example }}\n\
             defaults:\n  quarantine: [held]\n  mailbox: {{ {} }}\nmailboxes:\n  returns: {{ {} }}\n  held: {{ {}, placement: quarantine }}\nrecipients:\n{recipients}",
            open("{address}"),
            open(SENDER),
            open(QUARANTINE),
        )
    }

    /// Exit code, and everything that was said.
    fn mailflow(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let output = Command::new(env!("CARGO_BIN_EXE_mailflow"))
            .current_dir(self.folder.path())
            .args(arguments)
            .args(["--state", "state", "--color", "never"])
            .output()
            .unwrap();
        let told = [output.stderr, output.stdout].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        (output.status.code(), told.join("\n"))
    }

    fn run(&self, scenario: &str) -> (Option<i32>, Judged, String) {
        let (code, told) = self.mailflow(&["run", scenario, "--report", "json=report.json"]);
        let report = fs::read(self.folder.path().join("report.json")).unwrap_or_else(|error| panic!("{error}: no report\n{told}"));
        (code, read_json(&report).unwrap(), told)
    }

    fn compare(&self, before: &str, after: &str) -> (Option<i32>, Comparison, String) {
        let (code, told) = self.mailflow(&["compare", before, after, "--report", "json=comparison.json"]);
        let comparison =
            fs::read(self.folder.path().join("comparison.json")).unwrap_or_else(|error| panic!("{error}: no comparison\n{told}"));
        (code, serde_json::from_slice(&comparison).unwrap(), told)
    }
}

/// `ok plain: alteration subject: unchanged → …`, each difference of each probe.
fn named(changes: &[ProbeChange]) -> BTreeSet<String> {
    let of = |change: &ProbeChange| {
        let (local, _) = change.recipient.split_once('@').unwrap();
        let what = format!("{local} {}", change.message);
        let one = |difference: &mailflow::model::Difference| {
            let of = difference.of.as_ref().map(|of| format!(" {of}")).unwrap_or_default();
            format!(
                "{what}: {}{of}: {} → {}",
                difference.kind.word(),
                difference.before,
                difference.after
            )
        };
        change.differences.iter().map(one).collect::<Vec<_>>()
    };
    changes.iter().flat_map(of).collect()
}

fn set(lines: &[&str]) -> BTreeSet<String> {
    lines.iter().map(|line| (*line).to_owned()).collect()
}

#[test]
fn a_parity_table_names_what_the_gateways_do_differently_and_nothing_else() {
    let bench = Bench::new();
    // The old gateway has seen this sender write to everybody; to the new one it is a stranger.
    bench.write(
        "before.yaml",
        "name: before\nroutes: gateway-a\nrecipients: { addresses: greylisted@contoso.example }\nwithin: 30s\ngive_up_after: 30s\nsettle: 1s\n",
    );
    assert_eq!(bench.run("before.yaml").0, Some(0));
    bench.write(
        "parity.yaml",
        "name: parity\nroutes: [gateway-a, gateway-b]\ncompare: routes\nwithin: 30s\ngive_up_after: 30s\nsettle: 2s\ncases:\n  \
         - { name: spam is stopped, recipients: { addresses: ok@contoso.example }, messages: gtube, expect: [junk, quarantine, rejected] }\n",
    );
    let (code, judged, told) = bench.run("parity.yaml");
    let [parity] = judged.parity.as_slice() else {
        panic!("{told}");
    };
    let mut truth = set(&[
        "greylisted plain: delay: taken at once → delayed",
        "ok gtube: verdict: rejected → inbox",
    ]);
    for local in RECIPIENTS {
        truth.insert(format!("{local} plain: alteration subject: unchanged → “[EXTERNAL]” added before"));
        truth.insert(format!(
            "{local} plain: authentication: dkim=none dmarc=pass spf=pass → nothing stated"
        ));
    }
    assert_eq!(named(&parity.probes), truth, "{told}");
    assert_eq!(
        (code, parity.ready, parity.pairs, parity.differences),
        (Some(1), Ready::No, 5, 4),
        "{told}"
    );
    assert!(
        parity.remarks.is_empty() && told.contains("Ready to cut over: no, 4 differences."),
        "{told}"
    );

    // A gateway beside itself is at par, under whatever name.
    bench.write(
        "same.yaml",
        "name: same\nroutes: [gateway-b, gateway-a, new-gateway]\ncompare: { routes: [gateway-a, new-gateway] }\nwithin: 30s\ngive_up_after: 30s\nsettle: 1s\n",
    );
    let (code, judged, told) = bench.run("same.yaml");
    assert_eq!(
        (code, judged.parity[0].ready, judged.parity[0].same),
        (Some(0), Ready::Yes, 4),
        "{told}"
    );
}

#[test]
fn a_door_that_was_left_open_is_found() {
    let bench = Bench::new();
    let scenario = fs::canonicalize("scenarios/lock-down.yaml").unwrap();
    let scenario = scenario.to_str().unwrap();
    let only = ["--only", "recipient:ok@*"];
    let run = |report: &str| bench.mailflow(&[&["run", scenario, "--report", report], only.as_slice()].concat());
    let failed = |file: &str| -> Vec<String> {
        let judged = read_json(&fs::read(bench.folder.path().join(file)).unwrap()).unwrap();
        let failed = judged.probes.iter().filter(|probe| probe.outcome == Outcome::Failed);
        failed.map(|probe| format!("{} by {}", probe.verdict, probe.route)).collect()
    };
    let (code, told) = run("json=open.json");
    assert_eq!(
        (code, failed("open.json")),
        (Some(1), vec!["inbox by provider".to_owned()]),
        "{told}"
    );

    bench.write("mailflow.yaml", &bench.site(bench.lab.submission()));
    let (code, told) = run("json=shut.json");
    assert_eq!((code, failed("shut.json")), (Some(0), Vec::new()), "{told}");
    // Reports of two machines are compared as stored runs are.
    let (code, compared, told) = bench.compare("open.json", "./shut.json");
    assert_eq!(named(&compared.probes), set(&["ok plain: verdict: inbox → rejected"]), "{told}");
    assert_eq!((code, compared.summary.improvements), (Some(0), 1), "{told}");
    let (code, _, told) = bench.compare("shut.json", "open.json");
    assert_eq!(code, Some(1), "{told}");
}

#[test]
fn a_change_of_policy_is_named_and_nothing_is_where_nothing_changed() {
    let mut bench = Bench::new();
    let rule = "LAB_MARKED { re = \"/words that this filter marks/{sa_raw_body}\"";
    let off = "LAB_MARKED { re = \"/words that nobody writes/{sa_raw_body}\"";
    bench.lab.edit("rspamd/rspamd.conf", rule, off);
    bench.lab.reload_rspamd();
    bench.write(
        "marked.eml",
        "Subject: A notice for {role} [tag {tag}]\n\nGood day,\n\nthis notice holds words that this filter marks.\n\nReference: {tag}\n",
    );
    bench.write(
        "policy.yaml",
        "name: policy\nroutes: gateway-a\nrecipients: { addresses: [ok@contoso.example, junk@contoso.example, folder@contoso.example] }\n\
         messages: [plain, attachment, { template: marked.eml }]\nwithin: 30s\ngive_up_after: 30s\nsettle: 2s\n",
    );
    let (code, _, told) = bench.run("policy.yaml");
    assert_eq!(code, Some(0), "{told}");
    let (code, told) = bench.mailflow(&["baseline", "last", "old"]);
    assert_eq!(code, Some(0), "{told}");
    let (code, told) = bench.mailflow(&["baseline", "--rename", "old", "before"]);
    assert!(code == Some(0) && told.contains("What was called old is before now."), "{told}");
    let (code, told) = bench.mailflow(&["baseline"]);
    assert!(
        code == Some(0) && told.contains("before") && told.contains("9 passed") && !told.contains("old"),
        "{told}"
    );
    let (code, told) = bench.mailflow(&["compare", "befor", "last"]);
    assert!(
        code == Some(2) && told.contains("there is no run \"befor\"; did you mean before?"),
        "{told}"
    );
    bench.run("policy.yaml");
    let (code, compared, told) = bench.compare("before", "last");
    assert!(
        compared.probes.is_empty() && compared.roles.is_empty() && compared.remarks.is_empty(),
        "{told}"
    );
    assert!(
        !matches!(compared.latency[0].finding, ShiftFinding::Slower | ShiftFinding::Faster),
        "{told}"
    );
    assert_eq!((code, compared.summary.same), (Some(0), 9), "{told}");

    bench.lab.edit("rspamd/rspamd.conf", off, rule);
    bench.lab.reload_rspamd();
    bench.lab.edit(
        "store/sieve/fates.sieve",
        "} elsif envelope :localpart \"to\" \"junk\" {",
        "} elsif header :contains \"Content-Type\" \"multipart/mixed\" {\n    fileinto \"Alerts\";\n} elsif envelope :localpart \"to\" \"junk\" {",
    );
    bench.run("policy.yaml");
    let (code, compared, told) = bench.compare("before", "last");
    let truth = [
        // Sieve: what has an attachment goes into the folder Alerts, as everything for folder@ does already.
        "ok attachment: verdict: inbox → folder “Alerts”",
        "junk attachment: verdict: junk → folder “Alerts”",
        // rspamd: the rule marks the notice, and what is marked is junk already.
        "ok template marked.eml: verdict: inbox → junk",
        "folder template marked.eml: verdict: folder “Alerts” → junk",
        "ok template marked.eml: filter rspamd: clean → spam",
        "junk template marked.eml: filter rspamd: clean → spam",
        "folder template marked.eml: filter rspamd: clean → spam",
    ];
    assert_eq!(named(&compared.probes), set(&truth), "{told}");
    assert!(told.contains("new: LAB_MARKED (7)"), "{told}");
    assert!(compared.remarks.is_empty() && compared.summary.same == 4, "{told}");
    // All of it was expected, but nobody finds a message to the role in an inbox any more.
    assert_eq!((code, compared.roles.len()), (Some(1), 1), "{told}");
    assert_eq!(compared.summary.regressions, 0, "{told}");
}

#[test]
fn what_cannot_be_compared_is_refused_in_plain_words() {
    let state = tempfile::tempdir().unwrap();
    let mailflow = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_mailflow"))
            .current_dir(state.path())
            .args(arguments)
            .arg("--state")
            .arg(state.path())
            .output()
            .unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let report = include_str!("report/judged.json");
    for (file, text) in [
        ("run.json", report),
        ("newer.json", &report.replacen("mailflow.report/1", "mailflow.report/2", 1)),
        ("comparison.json", "{ \"schema\": \"mailflow.comparison/1\" }"),
        ("cut.json", &report[..report.len() / 2]),
        ("notes.txt", "The gateway is slow today.\n"),
    ] {
        fs::write(state.path().join(file), text).unwrap();
    }
    for (arguments, words) in [
        (&["compare", "last~1", "last"][..], "no run is stored yet"),
        (&["compare", "nowhere.json", "last"], "the report nowhere.json cannot be read"),
        (&["compare", "notes.txt", "last"], "notes.txt: not a report in JSON"),
        (
            &["compare", "cut.json", "run.json"],
            "cut.json: not a report in JSON: EOF while parsing",
        ),
        (
            &["compare", "run.json", "newer.json"],
            "newer.json: a later version of mailflow wrote this report",
        ),
        (
            &["compare", "run.json", "newer.json"],
            "help: compare with a mailflow that is at least as new",
        ),
        (
            &["compare", "comparison.json", "run.json"],
            "comparison.json: this is no report of a run: it follows the schema `mailflow.comparison/1`",
        ),
        (
            &["compare", "run.json", "run.json", "--only", "recipient:zzz@*"],
            "neither run has a probe of what `--only` names",
        ),
        (
            &["compare", "run.json", "run.json", "--report", "otlp=trace.json"],
            "a comparison has no format `otlp`; it has terminal,",
        ),
        (
            &["compare", "run.json", "run.json", "--push", "http://localhost:9"],
            "this verb has nothing to send",
        ),
        (&["baseline", "last", "last~1"], "made of letters, digits"),
        (&["baseline", "last", "last"], "`last` is the latest run"),
        (&["baseline", "--remove", "before"], "there is no baseline before"),
        (&["baseline", "--rename", "before", "after"], "there is no baseline before"),
        (&["baseline", "--rename", "before", "last"], "`last` is the latest run"),
        (&["baseline", "last"], "<NAME>"),
    ] {
        let (code, told) = mailflow(arguments);
        assert!(code == Some(2) && told.contains(words), "{arguments:?}: {told}");
    }
    assert!(!state.path().join("trace.json").exists(), "refused before anything is done");
    let (code, told) = mailflow(&["baseline"]);
    assert!(code == Some(0) && told.contains("No run has a name yet"), "{told}");
}
