//! Exchange Online by SMTP and IMAP with the tokens of a tenant, by the real binary, against the embedded post office and its simulated tenant.
//!
//! What it cannot show: a live tenant. How Exchange words its refusals follows its documentation and what others report.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on ends")]

use mailflow::{
    clock::Clock,
    config::read_site,
    microsoft::{self, Cloud, Http, HttpSettings, Random, Resource, Tokens, sign_in::Credential},
    model::{Judged, MailboxAccess, RouteKind, SignIn, Verdict},
    postoffice::{
        PostOffice, Settings,
        tenant::{
            App, Config,
            config::{ALL_ROLES, EXCHANGE_ROLES},
        },
    },
    report::read_json,
};
use secrecy::ExposeSecret;
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    time::Duration,
};
use tokio::time::Instant;

const CLIENT: &str = "9f20c1d2-3a4b-4c5d-8e6f-7a8b9c0d1e2f";
const SECRET: &str = "kept between the tenant and us";
/// How every token of the tenant begins: `{"typ"` in base64.
const TOKEN: &str = "eyJ0eXAi";
const PROBER: &str = "probe@contoso.example";
const BOXES: [&str; 4] = [PROBER, "ok@contoso.example", "junk@contoso.example", "late-9s@contoso.example"];

struct World {
    office: PostOffice,
    folder: tempfile::TempDir,
}

impl World {
    /// A tenant whose app may read the boxes and send as the prober, but for what `change` changes.
    async fn new(change: impl FnOnce(&mut Config)) -> Self {
        let clock = Clock::start();
        let roles = ALL_ROLES.iter().chain(&EXCHANGE_ROLES);
        let mut config = Config::new(App {
            roles: roles.map(|role| (*role).to_owned()).collect(),
            full_access: Some(BOXES.map(str::to_owned).into()),
            ..App::with_secret(CLIENT, SECRET)
        });
        change(&mut config);
        let mut settings = Settings::new(move || clock.now());
        settings.tenant = Some(config);
        let office = PostOffice::open(settings).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let world = Self { office, folder };
        world.write("mailflow.yaml", &world.site());
        world.write("ca.pem", world.office.ca_pem());
        world.write("app.secret", SECRET);
        world.write(
            "scenario.yaml",
            "name: exchange\nexpect: [inbox, junk]\nwithin: 20s\ngive_up_after: 25s\nsettle: 1s\n",
        );
        world
    }

    fn site(&self) -> String {
        let tenant = self.office.tenant().expect("there is a tenant");
        let addresses = self.office.addresses();
        format!(
            r#"
sender: {{ address: {PROBER}, mailbox: returns }}
tenants:
  lab: {{ tenant_id: {id}, client_id: {CLIENT}, secret: {{ file: app.secret }}, cloud: {{ authority: "{authority}", graph: "{graph}", ca: {{ file: ca.pem }} }} }}
routes:
  exchange: {{ smtp: {{ url: "smtp://smtp.sender.example", connect: "{submission}", ca: {{ file: ca.pem }}, user: {PROBER}, tenant: lab }}, rate: 600/min }}
mailboxes:
  returns: {{ imap: {{ url: "imaps://imap.contoso.example", connect: "{imaps}", ca: {{ file: ca.pem }}, user: {PROBER}, tenant: lab }} }}
defaults:
  mailbox: {{ imap: {{ url: "imaps://imap.contoso.example", connect: "{imaps}", ca: {{ file: ca.pem }}, user: "{{address}}", tenant: lab }} }}
  quarantine: none
recipients:
  - {{ address: ok@contoso.example }}
  - {{ address: junk@contoso.example }}
  - {{ address: late-9s@contoso.example }}
"#,
            id = Config::new(App::default()).id,
            authority = tenant.authority(),
            graph = tenant.graph(),
            submission = addresses.submission,
            imaps = addresses.imaps,
        )
    }

    fn write(&self, file: &str, text: &str) {
        fs::write(self.folder.path().join(file), text).unwrap();
    }

    /// What `check` says, on one line however it was wrapped.
    async fn check(&self) -> (Option<i32>, String) {
        let (code, told) = self.mailflow(&["check"]).await;
        (code, told.split_whitespace().collect::<Vec<_>>().join(" "))
    }

    async fn mailflow(&self, arguments: &'static [&'static str]) -> (Option<i32>, String) {
        let folder = self.folder.path().to_owned();
        let run = move || {
            Command::new(env!("CARGO_BIN_EXE_mailflow"))
                .current_dir(folder)
                .args(arguments)
                .args(["--state", "state"])
                .output()
                .unwrap()
        };
        let Output { status, stdout, stderr } = tokio::task::spawn_blocking(run).await.unwrap();
        let told = format!("{}\n{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
        assert!(!told.contains(SECRET) && !told.contains(TOKEN), "{told}");
        (status.code(), told)
    }

    async fn run(&self) -> (Judged, String) {
        let (_, told) = self.mailflow(&["run", "scenario.yaml", "--report", "json=report.json"]).await;
        let report = fs::read(self.folder.path().join("report.json")).unwrap_or_else(|error| panic!("no report ({error})\n{told}"));
        (read_json(&report).unwrap(), told)
    }

    /// How often a token was asked for.
    fn tokens(&self) -> usize {
        let requests = self.office.tenant().unwrap().requests();
        requests
            .iter()
            .filter(|request| request.path.ends_with("/oauth2/v2.0/token"))
            .count()
    }
}

/// Every file below, as text.
fn texts(folder: &Path) -> Vec<(PathBuf, String)> {
    let mut texts = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            texts.append(&mut self::texts(&path));
        } else {
            texts.push((path.clone(), String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned()));
        }
    }
    texts
}

#[test]
fn a_site_names_the_tenant_that_gives_the_token() {
    let path = Path::new("tests/config/valid/exchange.yaml");
    let site = read_site(path, &fs::read_to_string(path).unwrap()).unwrap_or_else(|mistakes| panic!("{mistakes}"));
    let tenant = |user: &str| SignIn::Tenant {
        user: user.to_owned(),
        tenant: "contoso".to_owned(),
    };
    for (name, user, port, connections, a_minute) in [
        ("modest", "probe", 587, 1, 30),
        ("quick", "probe", 587, 2, 60),
        ("other", "other", 587, 3, 30),
    ] {
        let route = site.route(name).unwrap();
        let RouteKind::Smtp(smtp) = &route.kind else {
            panic!("{name} is no SMTP route")
        };
        assert_eq!(smtp.sign_in, Some(tenant(&format!("{user}@contoso.example"))));
        let rate = route.rate.map(|rate| (rate.messages, rate.per.as_secs()));
        assert_eq!(
            (smtp.endpoint.port, route.connections, rate),
            (port, connections, Some((a_minute, 60))),
            "{name}"
        );
    }
    for name in [PROBER, "billing@contoso.example"] {
        let name = if name == PROBER { "own" } else { name };
        let MailboxAccess::Imap(imap) = &site.mailbox(&name.into()).unwrap().access else {
            panic!("{name} is not read over IMAP")
        };
        let user = if name == "own" { PROBER } else { name };
        assert_eq!(imap.sign_in, tenant(user));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_outlives_its_tokens() {
    let world = World::new(|_| {}).await;
    let revoking = async {
        // When every mailbox is open and the last probe is still on its way.
        while world.office.messages("ok@contoso.example") == 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        world.office.tenant().unwrap().expire_tokens();
        world.office.cut_imap();
    };
    let ((judged, told), ()) = tokio::join!(world.run(), revoking);
    let verdicts: Vec<_> = judged
        .probes
        .iter()
        .map(|probe| (probe.recipient.as_str(), probe.verdict))
        .collect();
    assert_eq!(
        verdicts,
        [
            ("ok@contoso.example", Verdict::Inbox),
            ("junk@contoso.example", Verdict::Junk),
            ("late-9s@contoso.example", Verdict::Inbox)
        ],
        "{told}"
    );
    assert_eq!(world.tokens(), 2, "one for all doors, and one when that was revoked");
    for (path, text) in texts(&world.folder.path().join("state")) {
        assert!(!text.contains(SECRET) && !text.contains(TOKEN), "{}", path.display());
    }
    let report = fs::read_to_string(world.folder.path().join("report.json")).unwrap();
    assert!(!report.contains(SECRET) && !report.contains(TOKEN));
}

#[tokio::test(flavor = "multi_thread")]
async fn check_signs_in_and_says_what_is_missing() {
    let world = World::new(|_| {}).await;
    let (code, told) = world.check().await;
    assert!(code == Some(0) && told.contains("signed in by XOAUTH2"), "{told}");

    let world = World::new(|config| {
        config.smtp_auth = false;
        config.apps[0].full_access = Some([PROBER.to_owned()].into());
    })
    .await;
    let (code, told) = world.check().await;
    assert_eq!(code, Some(1), "{told}");
    assert!(told.contains("SMTP AUTH is switched off for the whole tenant"), "{told}");
    assert!(told.contains("Full Access to junk@contoso.example"), "{told}");

    let world = World::new(|config| config.apps[0].full_access = None).await;
    let (_, told) = world.check().await;
    for expected in ["New-ServicePrincipal", "Add-MailboxPermission", "Add-RecipientPermission"] {
        assert!(told.contains(expected), "{expected}: {told}");
    }

    let world = World::new(|config| config.apps[0].roles.retain(|role| !EXCHANGE_ROLES.contains(&role.as_str()))).await;
    let (_, told) = world.check().await;
    for role in EXCHANGE_ROLES {
        assert!(told.contains(&format!("the token carries no {role}")), "{told}");
    }

    let world = World::new(|_| {}).await;
    world.write("app.secret", "another secret that is wrong");
    let (_, told) = world.check().await;
    assert!(told.contains("AADSTS7000215") && !told.contains("another secret"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_route_says_so_of_its_probes() {
    let world = World::new(|config| config.smtp_auth = false).await;
    let (judged, told) = world.run().await;
    assert_eq!(judged.probes.len(), 3);
    for probe in &judged.probes {
        assert_eq!(probe.verdict, Verdict::Unknown, "{told}");
        assert!(
            probe.explanation.contains("Set-CASMailbox -Identity probe@contoso.example"),
            "{}",
            probe.explanation
        );
        assert!(
            probe
                .remedy
                .as_deref()
                .is_some_and(|remedy| remedy.starts_with("Have an administrator")),
            "{:?}",
            probe.remedy
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_signs_in_before_anything_is_opened() {
    let world = World::new(|config| {
        config.mailboxes.insert(0, PROBER.to_owned());
        config.signs_in_after = Some(1);
        config.poll_interval = 1;
        config.apps[0].public = true;
        config.apps[0].roles = ["IMAP.AccessAsUser.All", "SMTP.Send"].map(str::to_owned).into();
    })
    .await;
    world.write(
        "mailflow.yaml",
        &world.site().replace("secret: { file: app.secret }", "device_code: true"),
    );
    let (_, told) = world.check().await;
    assert_eq!(told.matches("To sign in, use a web browser").count(), 1, "{told}");
    assert!(told.contains("signed in by XOAUTH2"), "{told}");
    assert!(told.contains("ok mailbox returns"), "{told}");
    let other = "See that the person who signed in has Full Access to ok@contoso.example";
    assert!(told.contains(other), "{told}");
}

/// A token that somebody fetched by a command of their own is easily one for Graph.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_for_another_resource_is_told_apart() {
    let world = World::new(|_| {}).await;
    let (tenant, folder) = (world.office.tenant().unwrap(), world.folder.path());
    let settings = HttpSettings {
        ca: Some(folder.join("ca.pem")),
        ..HttpSettings::default()
    };
    let sign_in = microsoft::SignIn::new("tenant.example", CLIENT, Credential::Secret(SECRET.into())).unwrap();
    let cloud = Cloud::loopback(tenant.authority(), tenant.graph()).unwrap();
    let tokens = Tokens::new(
        sign_in,
        cloud,
        Http::new(&settings).unwrap(),
        Clock::start(),
        Random::new(|| [7; 16]),
    );
    let token = tokens
        .token(Resource::Graph, Instant::now() + Duration::from_secs(20))
        .await
        .unwrap();
    fs::write(folder.join("graph.token"), token.bearer().expose_secret()).unwrap();
    let site = fs::read_to_string(folder.join("mailflow.yaml")).unwrap();
    world.write("mailflow.yaml", &site.replace("tenant: lab }", "token: { file: graph.token } }"));
    let (code, told) = world.mailflow(&["check"]).await;
    assert_eq!(code, Some(1), "{told}");
    assert_eq!(told.matches("the token is for Microsoft Graph").count(), 5, "{told}");
    // Others than Exchange say why in a challenge, and refuse after an empty answer.
    world.write("graph.token", "of-somebody-else-and-no-more");
    let (code, told) = world.mailflow(&["check"]).await;
    assert_eq!(code, Some(1), "{told}");
    assert_eq!(told.matches(r#""status":"400""#).count(), 5, "{told}");
    assert!(!told.contains("of-somebody-else"), "{told}");
}
