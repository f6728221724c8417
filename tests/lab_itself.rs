//! The lab does to each recipient's mail what `lab::accounts` says: sent by raw SMTP on every way in, looked up in the store itself.
//!
//! Nothing of mailflow takes part, so that its tests rest on a truth that was found without it.

#![allow(clippy::expect_used, clippy::panic, reason = "a test ends where the lab is not as it must be")]

mod lab;

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpStream;
use std::thread::{self, sleep};
use std::time::Duration;

use hickory_resolver::proto::rr::RData;

use lab::Lab;
use lab::accounts::{
    CATCH_ALL, DOMAINS, INSIDER, MAILBOXES, OVERSEER, PASSWORD, QUARANTINE, SENDER, WATCHER, WATCHER_PASSWORD, WITHOUT_MAIL,
};
use lab::talk::{Answer, Way, connect, greet, secure, send};

/// A message as it lies in the store.
#[derive(Debug, Clone)]
struct Stored {
    place: String,
    text: String,
}

/// Everything in every mailbox.
fn stored(lab: &Lab) -> Vec<Stored> {
    let addresses = DOMAINS
        .iter()
        .flat_map(|domain| MAILBOXES.iter().map(move |(local, _)| format!("{local}@{domain}")));
    let fixed = [SENDER, INSIDER, QUARANTINE, CATCH_ALL].map(str::to_owned);
    let list = tempfile::NamedTempFile::new().expect("a file for the list of mailboxes");
    fs::write(&list, addresses.chain(fixed).map(|address| address + "\n").collect::<String>()).expect("the list can be written");
    let list = list.path().to_str().expect("an UTF-8 path");
    let found = lab.doveadm(&["-f", "json", "fetch", "-F", list, "user mailbox text", "ALL"]);
    let found: Vec<BTreeMap<String, String>> = serde_json::from_str(&found).expect("doveadm prints JSON");
    found
        .iter()
        .map(|row| Stored {
            place: format!("{} {}", row["user"], row["mailbox"]),
            text: row["text"].clone(),
        })
        .collect()
}

/// Where the message lies itself, copies of one place repeated.
fn places(stored: &[Stored], message_id: &str) -> Vec<String> {
    let own = format!("\nMessage-ID: {message_id}\n");
    let mut places: Vec<_> = stored
        .iter()
        .filter(|copy| header(copy).contains(&own))
        .map(|copy| copy.place.clone())
        .collect();
    places.sort();
    places
}

/// What came back to the sender about the message.
fn returned<'a>(stored: &'a [Stored], message_id: &str) -> Vec<&'a str> {
    let back = format!("{SENDER} INBOX");
    stored
        .iter()
        .filter(|copy| copy.place == back && copy.text.contains(message_id))
        .map(|copy| copy.text.as_str())
        .collect()
}

/// The header, with the line ends of the store made one.
fn header(copy: &Stored) -> String {
    let text = copy.text.replace("\r\n", "\n");
    format!("\n{}\n", text.split("\n\n").next().unwrap_or_default())
}

/// What must come of a message: where it lies in the end, and what each message that came back contains.
struct Fate {
    places: Vec<String>,
    returned: Vec<Vec<&'static str>>,
}

fn fate(way: Way, local: &str) -> Fate {
    let at = |local: &str, folder: &str| format!("{local}@contoso.example {folder}");
    let exim = way == Way::GatewayB;
    let mut returned: Vec<Vec<&'static str>> = Vec::new();
    let places = match local {
        "junk" => vec![at(local, "Courrier indésirable")],
        "held" => vec![format!("{QUARANTINE} INBOX")],
        "folder" => vec![at(local, "Alerts")],
        "elsewhere" => vec![at("someone-else", "INBOX")],
        "list" => vec![at("member-1", "INBOX"), at("member-2", "INBOX")],
        "twice" => vec![at(local, "INBOX"); 2],
        "deleted" => vec![at(local, "Trash")],
        "moved" => vec![at(local, "Junk")],
        "lost" | "full" | "bounce-5.1.1" | "reject-550" | "insiders-only" => vec![],
        _ => vec![at(local, "INBOX")],
    };
    match local {
        "list" | "full" => returned.push(vec![
            "Action: failed",
            "full@contoso.example",
            "552 5.2.2",
            if exim { "5.0.0" } else { "5.2.2" },
        ]),
        "bounce-5.1.1" => returned.push(vec!["Action: failed", "550 5.1.1", if exim { "5.0.0" } else { "Status: 5.1.1" }]),
        "delayed" => returned.push(vec!["Action: delayed"]),
        "vacation" => returned.push(vec!["Subject: Out of the office", "Auto-Submitted: auto-replied"]),
        "reject-550" if way == Way::Submission => returned.push(vec!["Action: failed", "Status: 5.1.1"]),
        "insiders-only" if way == Way::Submission => returned.push(vec!["Action: failed", "Status: 5.7.1"]),
        _ => {}
    }
    Fate { places, returned }
}

/// What is not (yet) as it must be.
fn differences(stored: &[Stored], message_id: &str, fate: &Fate) -> Option<String> {
    let places = places(stored, message_id);
    let back = returned(stored, message_id);
    let told = back.len() == fate.returned.len()
        && fate
            .returned
            .iter()
            .all(|words| back.iter().any(|text| words.iter().all(|word| text.contains(word))));
    (places != fate.places || !told).then(|| {
        format!(
            "{message_id}\n  lies in {places:?}\n  must be {:?}\n  returned {back:?}",
            fate.places
        )
    })
}

/// Looks until all is as it must be, then what is not.
fn settle(lab: &Lab, expected: &[(String, Fate)]) -> Vec<String> {
    let mut wrong = Vec::new();
    for _ in 0..120 {
        let stored = stored(lab);
        wrong = expected
            .iter()
            .filter_map(|(message_id, fate)| differences(&stored, message_id, fate))
            .collect();
        if wrong.is_empty() {
            break;
        }
        sleep(Duration::from_millis(500));
    }
    wrong
}

fn message_id(way: Way, local: &str) -> String {
    format!("<{local}.{way:?}@probe.sender.example>")
}

#[test]
fn each_recipient_meets_its_fate_on_each_way() {
    let lab = Lab::start();
    let locals: Vec<_> = MAILBOXES.iter().chain(&WITHOUT_MAIL).map(|(local, _)| *local).collect();
    for way in [Way::Submission, Way::GatewayA, Way::GatewayB] {
        thread::scope(|scope| {
            for local in &locals {
                let lab = &lab;
                scope.spawn(move || {
                    let to = format!("{local}@contoso.example");
                    let answer = send(lab, way, SENDER, &to, &message_id(way, local), "Good morning.");
                    match (*local, way, &answer) {
                        (_, Way::Submission, Answer::Accepted { after_refusals }) if after_refusals.is_empty() => {}
                        ("reject-550", _, Answer::Rejected(reply)) => assert!(reply.starts_with("550 5.1.1"), "{reply}"),
                        ("insiders-only", _, Answer::Rejected(reply)) => assert!(reply.starts_with("550 5.7.1"), "{reply}"),
                        ("greylisted", Way::GatewayA, Answer::Accepted { after_refusals }) => {
                            assert!(
                                after_refusals.first().is_some_and(|reply| reply.starts_with("450 4.7.1")),
                                "{after_refusals:?}"
                            );
                        }
                        ("greylisted", Way::GatewayB, Answer::Accepted { after_refusals }) => {
                            assert!(
                                after_refusals.first().is_some_and(|reply| reply.starts_with("451 4.7.1")),
                                "{after_refusals:?}"
                            );
                        }
                        (_, _, Answer::Accepted { after_refusals }) if after_refusals.is_empty() => {}
                        _ => panic!("{to} by {way:?}: {answer:?}"),
                    }
                });
            }
        });
    }
    let expected: Vec<_> = [Way::Submission, Way::GatewayA, Way::GatewayB]
        .iter()
        .flat_map(|way| locals.iter().map(|local| (message_id(*way, local), fate(*way, local))))
        .collect();
    let wrong = settle(&lab, &expected);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));

    let stored = stored(&lab);
    let headers = |way, local| {
        let own = format!("\nMessage-ID: {}\n", message_id(way, local));
        stored
            .iter()
            .map(header)
            .find(|header| header.contains(&own))
            .expect("it was found before")
    };
    for way in [Way::Submission, Way::GatewayA, Way::GatewayB] {
        for local in ["late-2s", "late-6s", "delayed"] {
            assert!(
                headers(way, local).contains("hub.contoso.example"),
                "{local} by {way:?} went past the inner hop"
            );
        }
        assert_eq!(headers(way, "ok").contains("\nSubject: [EXTERNAL] A word\n"), way == Way::GatewayB);
    }
    assert!(headers(Way::GatewayA, "ok").contains("\nAuthentication-Results: gw-a.contoso.example;"));

    let arrivals = lab.true_arrivals();
    let came = |local: &str| -> Vec<_> {
        let id = message_id(Way::GatewayA, local);
        arrivals
            .iter()
            .filter(|arrival| arrival.message_id == id)
            .map(|arrival| (arrival.mailbox.as_str(), arrival.folder.as_str()))
            .collect()
    };
    assert_eq!(came("ok"), [("ok@contoso.example", "INBOX")]);
    assert_eq!(came("twice"), [("twice@contoso.example", "INBOX"); 2]);
    assert_eq!(
        came("moved"),
        [("moved@contoso.example", "INBOX")],
        "it was in the inbox before it was moved"
    );
    assert_eq!(came("lost"), []);
}

#[test]
fn other_domains_senders_and_contents_have_their_fates_too() {
    let lab = Lab::start();
    let cases = [
        (
            Way::Submission,
            SENDER,
            "ok@fabrikam.example",
            "",
            vec!["ok@fabrikam.example INBOX"],
        ),
        (
            Way::Submission,
            SENDER,
            "whoever@catchall.example",
            "",
            vec!["catch-all@contoso.example INBOX"],
        ),
        (
            Way::GatewayB,
            SENDER,
            "whoever@catchall.example",
            "",
            vec!["catch-all@contoso.example INBOX"],
        ),
        (
            Way::GatewayA,
            SENDER,
            "ok@first-down.example",
            "",
            vec!["ok@first-down.example INBOX"],
        ),
        (Way::GatewayA, SENDER, "twice@nomx.example", "", vec!["twice@nomx.example INBOX"; 2]),
        (
            Way::GatewayA,
            INSIDER,
            "insiders-only@contoso.example",
            "",
            vec!["insiders-only@contoso.example INBOX"],
        ),
        (
            Way::GatewayB,
            INSIDER,
            "insiders-only@contoso.example",
            "",
            vec!["insiders-only@contoso.example INBOX"],
        ),
        // rspamd's own test patterns: "add header", and for the next one "reject".
        (
            Way::GatewayA,
            SENDER,
            "ok@contoso.example",
            "YJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X",
            vec!["ok@contoso.example Junk"],
        ),
    ];
    let mut expected = Vec::new();
    for (number, (way, from, to, body, places)) in cases.into_iter().enumerate() {
        let id = format!("<case-{number}@probe.sender.example>");
        assert_eq!(
            send(&lab, way, from, to, &id, body),
            Answer::Accepted { after_refusals: vec![] },
            "{to}"
        );
        expected.push((
            id,
            Fate {
                places: places.into_iter().map(str::to_owned).collect(),
                returned: vec![],
            },
        ));
    }
    let gtube = "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X";
    assert_eq!(
        send(
            &lab,
            Way::GatewayA,
            SENDER,
            "ok@contoso.example",
            "<gtube@probe.sender.example>",
            gtube
        ),
        Answer::Rejected("554 5.7.1 Gtube pattern".to_owned())
    );
    let wrong = settle(&lab, &expected);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn first_contacts_can_be_forgotten_and_mailboxes_added() {
    let mut lab = Lab::start();
    for _ in 0..2 {
        for (way, code) in [(Way::GatewayA, "450 4.7.1"), (Way::GatewayB, "451 4.7.1")] {
            match send(&lab, way, SENDER, "greylisted@contoso.example", "<again@probe.sender.example>", "") {
                Answer::Accepted { after_refusals } => assert!(after_refusals.first().is_some_and(|reply| reply.starts_with(code))),
                rejected @ Answer::Rejected(_) => panic!("{rejected:?}"),
            }
        }
        lab.forget_first_contacts();
    }
    let bulk = lab.provision_mailboxes(3).pop().expect("three mailboxes");
    for way in [Way::Submission, Way::GatewayA, Way::GatewayB] {
        let id = format!("<bulk.{way:?}@probe.sender.example>");
        assert_eq!(
            send(&lab, way, SENDER, &bulk.address, &id, ""),
            Answer::Accepted { after_refusals: vec![] }
        );
    }
    for _ in 0..100 {
        if lab.true_arrivals().iter().filter(|arrival| arrival.mailbox == bulk.address).count() == 3 {
            return;
        }
        sleep(Duration::from_millis(100));
    }
    panic!("three messages to {}: {:?}", bulk.address, lab.true_arrivals());
}

#[test]
fn the_store_can_be_watched_in_each_way() {
    let lab = Lab::start();
    let imaps = || {
        let mut talk = secure(&lab, connect(lab.imaps()), "mail.contoso.example");
        assert!(talk.line().starts_with("* OK"));
        talk
    };
    assert_eq!(
        send(&lab, Way::GatewayA, SENDER, "ok@contoso.example", "<seen@probe.sender.example>", ""),
        Answer::Accepted { after_refusals: vec![] }
    );
    let expected = [(
        "<seen@probe.sender.example>".to_owned(),
        Fate {
            places: vec!["ok@contoso.example INBOX".to_owned()],
            returned: vec![],
        },
    )];
    assert_eq!(settle(&lab, &expected), Vec::<String>::new());

    let mut junk = imaps();
    let capabilities = junk.imap(&format!("LOGIN junk@contoso.example \"{PASSWORD}\""));
    for capability in ["IDLE", "NOTIFY", "SPECIAL-USE", "LIST-STATUS", "MOVE"] {
        assert!(capabilities.contains(capability), "{capability} in {capabilities}");
    }
    let folders = junk.imap("LIST \"\" \"*\" RETURN (SPECIAL-USE STATUS (UIDNEXT UIDVALIDITY))");
    assert!(folders.contains("(\\Junk) \"/\" \"Courrier ind&AOk-sirable\""), "{folders}");
    assert_eq!(folders.matches("\\Junk").count(), 1, "{folders}");

    let mut watcher = imaps();
    assert!(
        watcher
            .imap(&format!("LOGIN ok@contoso.example*{WATCHER} \"{WATCHER_PASSWORD}\""))
            .contains("a OK")
    );
    assert!(watcher.imap("STATUS INBOX (MESSAGES)").contains("(MESSAGES 1)"));
    assert!(watcher.imap("NOTIFY SET (PERSONAL (MessageNew MessageExpunge))").contains("a OK"));

    let mut overseer = imaps();
    assert!(overseer.imap(&format!("LOGIN {OVERSEER} \"{PASSWORD}\"")).contains("a OK"));
    let all = overseer.imap("LIST \"\" \"All/%\" RETURN (STATUS (UIDNEXT))");
    assert!(
        all.contains("STATUS All/ok (UIDNEXT 2)") && all.contains("STATUS All/vacation (UIDNEXT 1)"),
        "{all}"
    );
    assert!(overseer.imap("LIST \"\" \"All/ok/%\"").contains("All/ok/Junk"));

    // STARTTLS on the other port.
    let mut plain = connect(lab.imap());
    assert!(plain.line().starts_with("* OK"));
    assert!(plain.imap("STARTTLS").contains("a OK"));
    assert!(
        secure(&lab, plain, "localhost")
            .imap(&format!("LOGIN {SENDER} \"{PASSWORD}\""))
            .contains("a OK")
    );
    // Implicit TLS at the sending server.
    assert!(secure(&lab, connect(lab.smtps()), "localhost").reply().starts_with("220"));
    for gateway in [lab.gateway_a(), lab.gateway_b()] {
        let mut talk = greet(gateway);
        assert!(talk.say("STARTTLS").starts_with("220"));
        assert!(secure(&lab, talk, "localhost").say("EHLO probe.sender.example").starts_with("250"));
    }
}

#[tokio::test]
async fn dns_tells_mx_null_mx_no_mx_and_no_such_domain_apart() {
    use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
    use hickory_resolver::net::runtime::TokioRuntimeProvider;

    let lab = Lab::start();
    let mut connection = ConnectionConfig::udp();
    connection.port = lab.dns().port();
    let config = ResolverConfig::from_parts(None, vec![], vec![NameServerConfig::new(lab.dns().ip(), true, vec![connection])]);
    let resolver = hickory_resolver::Resolver::builder_with_config(config, TokioRuntimeProvider::default())
        .build()
        .expect("a resolver");
    let hosts = async |domain: &str| -> Result<Vec<(u16, String)>, String> {
        let answer = resolver.mx_lookup(format!("{domain}.")).await.map_err(|error| error.to_string())?;
        let mut hosts: Vec<_> = answer
            .answers()
            .iter()
            .filter_map(|record| match &record.data {
                RData::MX(mx) => Some((mx.preference, mx.exchange.to_ascii())),
                _ => None,
            })
            .collect();
        hosts.sort();
        Ok(hosts)
    };
    let (a, b) = ("gw-a.contoso.example.".to_owned(), "gw-b.contoso.example.".to_owned());
    assert_eq!(hosts("contoso.example").await, Ok(vec![(10, a.clone()), (20, b.clone())]));
    assert_eq!(hosts("fabrikam.example").await, Ok(vec![(10, b)]));
    assert_eq!(
        hosts("first-down.example").await,
        Ok(vec![(10, "down.first-down.example.".to_owned()), (20, a)])
    );
    assert_eq!(hosts("nullmx.example").await, Ok(vec![(0, ".".to_owned())]));
    let (none, nothing) = (hosts("nomx.example").await, hosts("nxdomain.example").await);
    assert!(none.is_err() && nothing.is_err() && none != nothing, "{none:?} {nothing:?}");
    let addresses: Vec<_> = resolver.lookup_ip("nomx.example.").await.expect("an address").iter().collect();
    assert_eq!(addresses, [lab.gateway_a().ip()]);
}

#[test]
fn labs_run_side_by_side_and_leave_nothing() {
    let (one, other) = (Lab::start(), Lab::start());
    assert_ne!(one.submission(), other.submission());
    assert_eq!(
        send(&one, Way::GatewayA, SENDER, "ok@contoso.example", "<one@probe.sender.example>", ""),
        Answer::Accepted { after_refusals: vec![] }
    );
    let expected = [(
        "<one@probe.sender.example>".to_owned(),
        Fate {
            places: vec!["ok@contoso.example INBOX".to_owned()],
            returned: vec![],
        },
    )];
    assert_eq!(settle(&one, &expected), Vec::<String>::new());
    assert!(other.true_arrivals().is_empty());

    let (folder, listeners) = (
        one.folder().to_owned(),
        [one.submission(), one.gateway_a(), one.gateway_b(), one.imap(), one.dns()],
    );
    drop(one);
    assert!(!folder.exists());
    for address in listeners {
        assert!(TcpStream::connect(address).is_err(), "{address} still answers");
    }
    assert!(TcpStream::connect(other.imap()).is_ok());
}
