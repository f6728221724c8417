//! Site and scenario files as people write them: what they come to, and the exact words for each mistake.
//!
//! `tests/config/invalid/` holds pairs of a wrong file and what is shown for it; a name that begins with `scenario-` is a scenario, which is also
//! checked on `tests/config/valid/site.yaml`. A new case is two new files. What differs is written beside the build as `NAME.failed`.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

use mailflow::{
    config::{Diagnostics, FileKind, MAX_FILE, check_scenario_on_site, load, read_scenario, read_site, schema},
    model::{
        Case, Expectation, GraphAccess, GroupAccess, ImapAccess, Mailbox, MailboxAccess, MailboxName, MessageKind, Placement, Proof,
        QuarantinePolicy, RouteKind, Scenario, SecretSource, SignIn, Site, Tenant, TenantCloud, TlsMode, TraceExplainer, Verdict,
    },
};
use std::{
    fs,
    path::{Path, PathBuf},
};

const INVALID: &str = "tests/config/invalid";
const SITE: &str = "tests/config/valid/site.yaml";

fn files(folder: &str, extension: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{folder}: {error}"));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|of_path| of_path == extension));
    files.sort();
    assert!(!files.is_empty(), "{folder} holds no .{extension}");
    files
}

fn is_scenario(path: &Path) -> bool {
    path.file_name().unwrap().to_str().unwrap().starts_with("scenario-")
}

fn site(path: &Path) -> Result<Site, Diagnostics> {
    load(path).and_then(|text| read_site(path, &text))
}

/// As `mailflow run` does: read the scenario, and check it on the site unless it brings its own.
fn scenario(path: &Path, site: &Site) -> Result<Scenario, Diagnostics> {
    let text = load(path)?;
    let scenario = read_scenario(path, &text)?;
    if scenario.site.is_none() {
        check_scenario_on_site(path, &text, site)?;
    }
    Ok(scenario)
}

fn mistakes_of(path: &Path, known: &Site) -> Option<Diagnostics> {
    if is_scenario(path) {
        scenario(path, known).err()
    } else {
        site(path).err()
    }
}

#[test]
fn every_mistake_is_shown_in_exactly_these_words() {
    let known = site(Path::new(SITE)).unwrap_or_else(|mistakes| panic!("{mistakes}"));
    let mut failed = Vec::new();
    for path in files(INVALID, "yaml") {
        let shown = mistakes_of(&path, &known).map_or_else(|| "no mistake\n".to_owned(), |mistakes| mistakes.render(false));
        let expected = fs::read_to_string(path.with_extension("expected")).unwrap_or_default();
        if shown != expected {
            let name = path.file_stem().unwrap().to_str().unwrap();
            let beside = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.failed"));
            fs::write(&beside, &shown).unwrap();
            failed.push(format!(
                "{} differs from {}:\n{shown}",
                path.with_extension("expected").display(),
                beside.display()
            ));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn each_expectation_has_its_file() {
    for path in files(INVALID, "expected") {
        assert!(path.with_extension("yaml").exists(), "{} belongs to nothing", path.display());
    }
}

/// Every wrong file that holds a secret calls it `hunter2`, in one way or another.
#[test]
fn no_secret_is_ever_shown() {
    let known = site(Path::new(SITE)).unwrap_or_else(|mistakes| panic!("{mistakes}"));
    let mut with_secrets = 0;
    for path in files(INVALID, "yaml") {
        let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
        with_secrets += usize::from(text.contains("hunter"));
        let Some(mistakes) = mistakes_of(&path, &known) else { continue };
        for shown in [mistakes.render(false), mistakes.render(true), format!("{mistakes:?}")] {
            assert!(!shown.contains("hunter"), "{}: {shown}", path.display());
        }
    }
    assert!(with_secrets > 5, "the fixtures hold secrets");
}

#[test]
fn color_adds_nothing_but_styles() {
    let known = site(Path::new(SITE)).unwrap_or_else(|mistakes| panic!("{mistakes}"));
    let path = Path::new(INVALID).join("unknown-keys.yaml");
    let mistakes = mistakes_of(&path, &known).expect("the file is wrong");
    let colored = mistakes.render(true);
    assert!(colored.contains("\u{1b}["));
    let mut plain = String::new();
    let mut parts = colored.split("\u{1b}[");
    plain.push_str(parts.next().unwrap_or_default());
    parts.for_each(|part| plain.push_str(part.split_once('m').map_or("", |(_, text)| text)));
    assert_eq!(plain, mistakes.render(false));
}

#[test]
fn valid_files_are_read() {
    let known = site(Path::new(SITE)).unwrap_or_else(|mistakes| panic!("{mistakes}"));
    for path in files("tests/config/valid", "yaml") {
        if let Some(mistakes) = mistakes_of(&path, &known) {
            panic!("{mistakes}");
        }
    }
}

#[test]
fn shipped_files_are_read_and_name_their_schema() {
    let names_schema = |path: &Path, schema: &str| {
        let text = load(path).unwrap();
        let first = text.lines().next().unwrap_or_default().to_owned();
        assert_eq!(first, format!("# yaml-language-server: $schema={schema}"), "{}", path.display());
        assert!(path.with_file_name(schema).exists(), "{} names {schema}", path.display());
    };
    for path in files("scenarios", "yaml") {
        names_schema(&path, "scenario.schema.json");
        let text = load(&path).unwrap();
        if let Err(mistakes) = read_scenario(&path, &text) {
            panic!("{mistakes}");
        }
    }
    for path in files("examples", "yaml") {
        names_schema(&path, "site.schema.json");
        if let Err(mistakes) = site(&path) {
            panic!("{mistakes}");
        }
    }
}

#[test]
fn shipped_schemas_are_those_of_this_version() {
    for (kind, path) in [
        (FileKind::Site, "examples/site.schema.json"),
        (FileKind::Scenario, "scenarios/scenario.schema.json"),
    ] {
        let shipped = fs::read_to_string(path).unwrap_or_default();
        // Compared as values: the order of the keys is serde_json's, and other crates may change it.
        if serde_json::from_str::<serde_json::Value>(&shipped).ok() != Some(schema(kind)) {
            let shown = serde_json::to_string_pretty(&schema(kind)).unwrap() + "\n";
            let beside = Path::new(env!("CARGO_TARGET_TMPDIR")).join(Path::new(path).file_name().unwrap());
            fs::write(&beside, shown).unwrap();
            panic!("{path} is not what `mailflow schema` prints; copy {}", beside.display());
        }
    }
}

fn read(text: &str) -> Site {
    read_site(Path::new("mailflow.yaml"), text).unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

fn names(names: &[MailboxName]) -> Vec<&str> {
    names.iter().map(MailboxName::as_str).collect()
}

fn imap<'a>(site: &'a Site, name: &str) -> &'a ImapAccess {
    let mailbox = site
        .mailbox(&MailboxName::from(name))
        .unwrap_or_else(|| panic!("no mailbox {name}"));
    let MailboxAccess::Imap(access) = &mailbox.access else {
        unreachable!()
    };
    access
}

#[test]
fn servers_get_their_ports_and_protection() {
    let site = read(
        "sender: { address: probe@sender.example }
domains: { contoso.example: { old: mxa.example } }
routes:
  relay: { smtp: { url: 'smtp://{domain.old}' }, default: true }
  submission: { smtp: { url: smtp://a.example, user: u, password: { env: P } } }
  implicit: { smtp: { url: smtps://a.example } }
  high: { smtp: { url: 'smtp://a.example:2525' } }
  strict: { smtp: { url: 'smtp://[2001:db8::1]:25' }, tls: required, connect: '192.0.2.1:2525' }
  open: { smtp: { url: 'smtp://127.0.0.1:2525', user: u, password: { env: P }, tls: none } }
  mx: { mx: {}, connections: 7, rate: 30/min }
recipients: [{ address: a@contoso.example }]
",
    );
    let found: Vec<_> = site
        .routes
        .iter()
        .map(|route| match &route.kind {
            RouteKind::Smtp(smtp) => (route.name.as_str(), smtp.endpoint.port, smtp.endpoint.tls),
            RouteKind::Mx(mx) => (route.name.as_str(), mx.port, mx.tls),
            RouteKind::Graph(_) => unreachable!("there is none"),
        })
        .collect();
    let expected = [
        ("relay", 25, TlsMode::Opportunistic),
        ("submission", 587, TlsMode::Required),
        ("implicit", 465, TlsMode::Implicit),
        ("high", 2525, TlsMode::Required),
        ("strict", 25, TlsMode::Required),
        ("open", 2525, TlsMode::None),
        ("mx", 25, TlsMode::Opportunistic),
    ];
    assert_eq!(found, expected);
    let RouteKind::Smtp(strict) = &site.routes[4].kind else {
        panic!("a named host")
    };
    assert_eq!(
        (strict.endpoint.host.as_str(), strict.endpoint.connect.as_deref()),
        ("2001:db8::1", Some("192.0.2.1:2525"))
    );
    let mx = site.route("mx").unwrap();
    assert_eq!(
        (mx.connections, mx.rate.map(|rate| (rate.messages, rate.per.as_secs()))),
        (7, Some((30, 60)))
    );
    assert!(site.route("relay").unwrap().default && !mx.default);
}

#[test]
fn own_domains_and_signing_keys_are_read() {
    let site = site(Path::new(SITE)).unwrap_or_else(|mistakes| panic!("{mistakes}"));
    assert_eq!(site.own_domains, ["contoso.example", "fabrikam.example"]);
    let dkim = &site.dkim["default"];
    assert_eq!((dkim.domain.as_str(), dkim.selector.as_str()), ("sender.example", "s1"));
    assert_eq!((&dkim.key, dkim.place.line), (&SecretSource::File("dkim.pem".into()), 2));
}

#[test]
fn kinds_of_message_are_read_with_what_they_need() {
    let path = Path::new("tests/config/valid/scenario-messages.yaml");
    let scenario = read_scenario(path, &load(path).unwrap()).unwrap_or_else(|mistakes| panic!("{mistakes}"));
    let [own, one, another] = scenario.rounds.as_slice() else {
        panic!("three rounds")
    };
    let notice = MessageKind::Template("notice.eml".to_owned());
    assert!(own.messages.contains(&notice) && own.messages.contains(&MessageKind::Eicar));
    assert!(own.messages.contains(&MessageKind::Large(5 << 20)) && own.messages.contains(&MessageKind::Large(20 << 20)));
    assert_eq!((own.messages_place.line, one.messages_place.line), (5, 7));
    assert_eq!(
        (&one.messages, &another.messages),
        (&vec![notice], &vec![MessageKind::Large(300 << 10)])
    );
    let read: Vec<&str> = scenario.templates.keys().map(String::as_str).collect();
    assert_eq!(read, ["notice.eml"], "each file once");
    assert_eq!(
        scenario.templates["notice.eml"],
        fs::read_to_string("tests/config/valid/notice.eml").unwrap()
    );
}

#[test]
fn mx_routes_ask_the_dns_server_of_the_site_unless_they_name_their_own() {
    let site = read(
        "sender: { address: probe@sender.example }
resolver: 192.0.2.53
routes:
  inherits: { mx: {}, default: true }
  own: { mx: { resolver: '[2001:db8::53]:5353' } }
recipients: [{ address: a@contoso.example }]
",
    );
    let asked = |name: &str| match &site.route(name).unwrap().kind {
        RouteKind::Mx(mx) => mx.resolver.map(|address| address.to_string()),
        other => panic!("{other:?}"),
    };
    assert_eq!(site.resolver.map(|address| address.to_string()).as_deref(), Some("192.0.2.53:53"));
    assert_eq!(asked("inherits").as_deref(), Some("192.0.2.53:53"));
    assert_eq!(asked("own").as_deref(), Some("[2001:db8::53]:5353"));
}

#[test]
fn defaults_are_filled_in_for_each_recipient() {
    let site = read(
        "sender: { address: probe@sender.example, mailbox: { imap: { url: imaps://s.example, user: probe, password: { env: P } } } }
routes: { only: { mx: {} } }
defaults:
  quarantine: [held]
  mailbox:
    imap: { url: 'imaps://{domain}', user: '{address}', watch_as: { user: '{local}*watcher', password: { file: '{local}.secret' }, root: 'All/{user}/' } }
mailboxes:
  held: { imap: { url: imaps://q.example, user: q, password: { env: Q } } }
  shared: { imap: { url: 'imap://s.example', user: s, token: { env: T }, auth: xoauth2 }, folders: { quarantine: Held }, peek: true }
recipients:
  - { address: a@contoso.example }
  - { address: b@contoso.example, mailbox: none, quarantine: unreadable }
  - { address: c@contoso.example, mailbox: shared, quarantine: none, expect: [junk, { folder: Old }] }
  - { address: gone@contoso.example, expect: returned }
  - { address: d@contoso.example, mailbox: { imap: { url: imaps://s.example, user: probe, password: { env: P } } } }
  - { address: e@contoso.example, mailbox: { imap: { url: imaps://other.example, user: probe, password: { env: P } } } }
  - { address: all@contoso.example, reaches: [shared, A@contoso.example, elsewhere@contoso.example] }
",
    );
    let meant: Vec<_> = site.recipients.iter().map(|recipient| names(&recipient.meant)).collect();
    let expected: [&[&str]; 7] = [
        &["a@contoso.example"],
        &[],
        &["shared"],
        &[],
        &["probe"],
        &["probe at other.example"],
        &["shared", "a@contoso.example", "elsewhere@contoso.example"],
    ];
    assert_eq!(meant, expected, "an address that must refuse has no mailbox by default");
    let access = imap(&site, "a@contoso.example");
    let password = SecretSource::File("a.secret".into());
    let user = "a*watcher".to_owned();
    assert_eq!(access.sign_in, SignIn::Password { user, password });
    assert_eq!(
        (access.endpoint.host.as_str(), access.endpoint.port, access.root.as_deref()),
        ("contoso.example", 993, Some("All/a@contoso.example"))
    );
    assert_eq!(
        (imap(&site, "shared").endpoint.port, imap(&site, "shared").endpoint.tls),
        (143, TlsMode::Required)
    );
    let policies: Vec<_> = site.recipients.iter().map(|recipient| recipient.quarantine.clone()).collect();
    assert_eq!(policies[0], QuarantinePolicy::Mailboxes(vec!["held".into()]));
    assert_eq!(policies[1..3], [QuarantinePolicy::Unreadable, QuarantinePolicy::None]);
    let mailbox = |name: &str| site.mailbox(&name.into()).unwrap();
    assert_eq!(
        mailbox("held").placement,
        Some(Placement::Quarantine),
        "it holds mail and does nothing else"
    );
    assert_eq!(mailbox("shared").placement, None);
    assert_eq!(
        mailbox("shared").folders.get(&Placement::Quarantine).map(String::as_str),
        Some("Held")
    );
    let peeked: Vec<_> = site
        .mailboxes
        .iter()
        .filter(|mailbox| mailbox.peek_bodies)
        .map(|mailbox| mailbox.name.as_str())
        .collect();
    assert_eq!(peeked, ["shared", "probe"], "the sender's, and where the site says so");
    assert!(site.recipients[6].group && !site.recipients[0].group);
    assert_eq!(site.senders[0].name, "default");
    assert!(site.routes[0].default, "the only route is the default one");
    assert_eq!(site.recipients[2].place.to_string(), "mailflow.yaml:13");
}

#[test]
fn a_mailbox_that_names_its_quarantine_says_where_one_is() {
    let site = read(
        "sender: { address: probe@sender.example }
routes: { r: { smtp: { url: 'smtp://smtp.sender.example' } } }
mailboxes:
  both: { imap: { url: 'imaps://i.example', user: a, password: { env: A } }, folders: { quarantine: Held } }
  plain: { imap: { url: 'imaps://i.example', user: b, password: { env: B } } }
recipients:
  - { address: a@contoso.example, mailbox: both }
  - { address: b@contoso.example, mailbox: plain }
  - { address: list@contoso.example, reaches: [both, plain] }
",
    );
    let policies: Vec<_> = site.recipients.iter().map(|recipient| recipient.quarantine.clone()).collect();
    assert_eq!(
        policies,
        [
            QuarantinePolicy::Mailboxes(Vec::new()),
            QuarantinePolicy::Unsaid,
            QuarantinePolicy::Unsaid
        ]
    );
}

#[test]
fn traces_speak_for_quarantine_and_for_mailboxes_that_are_not_read() {
    let site = site(Path::new("tests/config/valid/traces.yaml")).unwrap_or_else(|mistakes| panic!("{mistakes}"));
    let told = |recipient: &mailflow::model::Recipient| {
        let quarantine = match &recipient.quarantine {
            QuarantinePolicy::Mailboxes(names) => names.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
            other => format!("{other:?}"),
        };
        let meant: Vec<String> = recipient.meant.iter().map(ToString::to_string).collect();
        format!("{}: {} / {quarantine}", recipient.address, meant.join(", "))
    };
    assert_eq!(
        site.recipients.iter().map(told).collect::<Vec<_>>(),
        [
            "admin@contoso.example: admin@contoso.example / message trace of contoso",
            "billing@contoso.example: billing@contoso.example / message trace of contoso",
            "both@contoso.example: both@contoso.example / held, message trace of fabrikam",
            "open@contoso.example: open@contoso.example / None",
            "ceo@contoso.example: ceo / message trace of contoso",
            "cfo@contoso.example: cfo@contoso.example / message trace of fabrikam",
            "silent@silent.example: silent@silent.example / Unsaid",
            "all@contoso.example: ceo, admin@contoso.example / message trace of contoso",
            "mixed@contoso.example: ceo, silent@silent.example / Unsaid",
        ]
    );
    let delay = |name: &str| match &site.mailbox(&name.into()).unwrap().access {
        MailboxAccess::Trace(trace) => trace.reading.delay,
        other => panic!("{other:?}"),
    };
    assert_eq!(delay("ceo"), std::time::Duration::from_mins(15));
    assert_eq!(delay("message trace of fabrikam"), std::time::Duration::from_mins(25));
    let explain = |name: &str| site.tenant(name).unwrap().trace.and_then(|reading| reading.explain);
    assert_eq!(explain("fabrikam"), Some(TraceExplainer::Hunting));
    assert_eq!(explain("contoso"), None);
}

#[test]
fn tenants_and_their_mailboxes_are_read() {
    let folder = Path::new("tests/config/valid");
    let site = site(&folder.join("tenants.yaml")).unwrap_or_else(|mistakes| panic!("{mistakes}"));
    let certificate = |file: PathBuf, password| Proof::Certificate { file, password };
    let password = Some(SecretSource::File("pfx.secret".into()));
    let lab = TenantCloud::Loopback {
        authority: "https://127.0.0.1:8443".into(),
        graph: "http://localhost:8080".into(),
        ca: Some(folder.join("lab-ca.pem")),
    };
    let expected = [
        (
            "secret",
            TenantCloud::Global,
            Proof::Secret(SecretSource::Env("GRAPH_SECRET".into())),
        ),
        ("pem", TenantCloud::Global, certificate(folder.join("app.pem"), None)),
        ("pfx", TenantCloud::UsGovL5, certificate("/etc/app.pfx".into(), password)),
        ("pod", TenantCloud::UsGovL4, Proof::TokenFile(folder.join("tokens/azure"))),
        ("job", TenantCloud::China, Proof::GitHub),
        ("machine", TenantCloud::Global, Proof::Managed),
        ("broom", TenantCloud::Global, certificate(folder.join("app.pem"), None)),
        ("lab", lab, Proof::DeviceCode),
    ];
    let found = |tenant: &Tenant| (tenant.name.clone(), tenant.cloud.clone(), tenant.proof.clone());
    let expected = expected.map(|(name, cloud, proof)| (name.to_owned(), cloud, proof));
    assert_eq!(site.tenants.iter().map(found).collect::<Vec<_>>(), expected);
    let cleaned: Vec<_> = site
        .tenants
        .iter()
        .filter_map(|tenant| Some((tenant.name.as_str(), tenant.clean_with.as_deref()?)))
        .collect();
    assert_eq!(cleaned, [("pem", "broom")]);
    let graph = |tenant: &str, user: &str| [tenant.to_owned(), user.to_owned()];
    let parts = |access: &GraphAccess| [access.tenant.clone(), access.user.clone()];
    assert!(matches!(&site.routes[0].kind, RouteKind::Graph(access) if parts(access) == graph("pem", "probe@contoso.example")));
    let group = |access: &GroupAccess| [access.tenant.clone(), format!("group {}", access.group)];
    let of = |mailbox: &Mailbox| match &mailbox.access {
        MailboxAccess::Graph(access) => (mailbox.name.to_string(), parts(access)),
        MailboxAccess::Group(access) => (mailbox.name.to_string(), group(access)),
        MailboxAccess::Imap(_) | MailboxAccess::Trace(_) => unreachable!("there is none"),
    };
    let expected = [
        ("admins", graph("secret", "9f20aaaa-0000-4000-8000-000000000002")),
        ("held", graph("pem", "held@contoso.example")),
        ("partners", graph("pem", "group partners@contoso.example")),
        ("dana@contoso.example", graph("pem", "dana@contoso.example")),
        (
            "9F20AAAA-0000-4000-8000-000000000009",
            graph("secret", "group 9F20AAAA-0000-4000-8000-000000000009"),
        ),
        ("Kim@contoso.example", graph("pem", "Kim@contoso.example")),
        ("dana@contoso.example in lab", graph("lab", "dana@contoso.example")),
        ("probe@contoso.example", graph("pem", "probe@contoso.example")),
    ];
    assert_eq!(
        site.mailboxes.iter().map(of).collect::<Vec<_>>(),
        expected.map(|(name, access)| (name.to_owned(), access))
    );
    assert_eq!(site.recipients[1].meant, site.recipients[4].meant, "two addresses of one mailbox");
}

#[test]
fn cases_inherit_what_they_leave_out() {
    let text = "name: all
routes: internet
messages: [plain, html]
expect: [inbox, { folder: Team }]
within: 1m30s
require: [dmarc-pass]
recipients: { tags: vip, roles: ['*Admin*'] }
cases:
  - { name: one }
  - { name: two, routes: [mx], messages: gtube, expect: returned, within: 250ms, require: [], recipients: { domains: contoso.example } }
";
    let scenario = read_scenario(Path::new("s.yaml"), text).unwrap_or_else(|mistakes| panic!("{mistakes}"));
    let [own, one, two] = scenario.rounds.as_slice() else {
        panic!("three rounds")
    };
    assert_eq!(
        Case {
            name: None,
            place: own.place.clone(),
            ..one.clone()
        },
        *own
    );
    assert_eq!((one.name.as_deref(), one.place.line, own.place.line), (Some("one"), 9, 1));
    assert_eq!(
        (two.routes.as_slice(), two.messages.as_slice()),
        (&["mx".to_owned()][..], &[MessageKind::Gtube][..])
    );
    assert_eq!(
        (two.expect.as_deref(), two.within.as_millis()),
        (Some(&[Expectation::Returned][..]), 250)
    );
    assert!(two.require.is_empty() && two.recipients.tags.is_empty() && two.recipients.domains == ["contoso.example"]);
    assert_eq!(two.give_up_after, own.give_up_after);
    assert_eq!(
        (own.within.as_secs(), own.give_up_after.as_secs(), own.settle.as_secs()),
        (90, 1800, 20)
    );
    assert_eq!(
        scenario.expect,
        [Expectation::Verdict(Verdict::Inbox), Expectation::Folder("Team".into())]
    );
    assert_eq!(scenario.expect_place.line, 4);
    let least = read_scenario(Path::new("s.yaml"), "# nothing else\nname: least").unwrap_or_else(|mistakes| panic!("{mistakes}"));
    assert_eq!(
        (least.rounds.len(), least.rounds[0].messages.as_slice()),
        (1, &[MessageKind::Plain][..])
    );
    assert_eq!(
        (least.expect.as_slice(), least.expect_place.line),
        (&[Expectation::Verdict(Verdict::Inbox)][..], 2)
    );
}

#[test]
fn a_sender_may_state_whence_its_mail_leaves() {
    let site = |addresses: &str| {
        format!(
            "sender: {{ address: probe@sender.example, sending_addresses: {addresses} }}
routes: {{ mx: {{ mx: {{}} }} }}
recipients: [{{ address: a@contoso.example }}]
"
        )
    };
    let stated: Vec<String> = read(&site("[192.0.2.25, '2001:db8::25']")).senders[0]
        .sending_addresses
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(stated, ["192.0.2.25", "2001:db8::25"]);
    let mistakes = read_site(Path::new("mailflow.yaml"), &site("[mail.sender.example]"))
        .unwrap_err()
        .render(false);
    let said = "expected an IP address such as 192.0.2.25 or 2001:db8::25, found `mail.sender.example`";
    assert!(mistakes.contains(said), "{mistakes}");
}

#[test]
fn huge_and_hostile_files_are_refused_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let huge = folder.path().join("huge.yaml");
    fs::File::create(&huge).unwrap().set_len(100 * 1024 * 1024).unwrap();
    let refused = |path: &Path| load(path).map(|_| ()).unwrap_err().render(false);
    assert!(refused(&huge).contains("longer than 1 MiB"));
    assert!(refused(folder.path()).contains("a folder"));
    assert!(refused(&folder.path().join("none.yaml")).contains("cannot be read"));
    // Each of these would end in a stack overflow, or be slow or large, if anything were recursive or quadratic.
    let longest = usize::try_from(MAX_FILE).unwrap() / 8;
    for text in [
        "- ".repeat(longest / 2),
        "a: {".repeat(longest / 4),
        "x: 1\n".repeat(longest / 5),
        "'".repeat(longest),
        "a: &a [*a, ".repeat(longest / 11),
        "\u{1b}".repeat(longest),
        format!("password: {}", "é".repeat(longest / 2 - 10)),
        format!("k: {}", "https://@".repeat(longest / 9 - 1)),
        (0..longest / 12)
            .map(|number| format!("k{number:08}: \n"))
            .collect::<Vec<_>>()
            .concat(),
    ] {
        let mistakes = read_site(Path::new("hostile.yaml"), &text).map(|_| ()).unwrap_err();
        assert!(mistakes.render(true).len() < 200_000, "{} mistakes", mistakes.mistakes.len());
    }
}

#[test]
fn a_large_site_is_read() {
    let recipients = (0..5_000).map(|number| format!("  - {{ address: user{number}@contoso.example, role: Staff }}\n"));
    let recipients = recipients.collect::<Vec<_>>().concat();
    let site = read(&format!(
        "sender: {{ address: probe@sender.example }}
routes: {{ internet: {{ mx: {{}} }} }}
defaults: {{ mailbox: {{ imap: {{ url: imaps://imap.example, user: '{{address}}', watch_as: {{ user: w, password: {{ env: W }}, root: 'All/{{user}}' }} }} }} }}
recipients:
{recipients}"
    ));
    assert_eq!((site.recipients.len(), site.mailboxes.len()), (5_000, 5_000));
}

/// One character too many or too few, anywhere: whatever the parser makes of the rest, what stood under a secret's key stays hidden.
#[test]
fn a_slip_of_the_finger_shows_no_secret() {
    const TEXT: &str = "sender: { address: probe@sender.example }
tag_key: hunter2
routes:
  a: { smtp: { url: 'smtp://bob:hunter2@a.example', user: u, password: hunter2 }, default: true }
  b:
    smtp:
      url: smtp://b.example
      password: 'hunter2'
      token: \"hunter2\"
      user: u
  c:
    smtp:
      password: |
        hunter2
      url: smtp://c.example
mailboxes:
  d: { imap: { url: imaps://d.example, user: u, password: { env: hunter2, command: [hunter2, x] } } }
recipients: [{ address: a@contoso.example }]
";
    // A third of them at each place; all of them everywhere takes minutes.
    const SLIPS: &str = ":{}[]\"'#&*!|-\n\t ,@";
    let mut leaks = Vec::new();
    let mut check = |text: &str, slip: &str| {
        let Err(mistakes) = read_site(Path::new("slip.yaml"), text) else {
            return;
        };
        let shown = mistakes.render(false);
        if shown.contains("hunter2") {
            leaks.push(format!("{slip}:\n{shown}"));
        }
    };
    let around = TEXT.match_indices("hunter2").flat_map(|(at, _)| at.saturating_sub(24)..at + 16);
    let places: std::collections::BTreeSet<usize> = around.filter(|at| *at < TEXT.len()).collect();
    for at in places {
        let (before, after) = TEXT.split_at(at);
        check(&format!("{before}{}", &after[1..]), &format!("{at} deleted"));
        for inserted in SLIPS.chars().skip(at % 3).step_by(3) {
            check(&format!("{before}{inserted}{after}"), &format!("{inserted:?} inserted at {at}"));
        }
    }
    assert!(leaks.is_empty(), "{} leaks:\n{}", leaks.len(), leaks.join("\n"));
}
