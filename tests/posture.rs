//! What the DNS and the mail hosts show of a domain, against real servers: dnsmasq, Postfix and Exim with the lab's CA, and Knot DNS for a zone
//! that is signed. Beside them a few that are hostile.
//!
//! What it cannot show: the public DNS, with its chain of signatures from zone to zone.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on ends")]

mod lab;
mod posture {
    pub mod dns;
    pub mod policies;
}

use data_encoding::HEXLOWER;
use lab::Lab;
use mailflow::{
    clock::Clock,
    model::{
        CheckKind, DomainFact,
        FactState::{self, Doubtful, Right, Unknown, Wrong},
    },
    posture::{Outgoing, Part, Settings, Subject, Toward, examine},
};
use posture::{
    dns::Dns,
    policies::{http, policies},
};
use ring::digest::{SHA256, digest};
use rustls::pki_types::{CertificateDer, pem::PemObject};
use std::{fs, net::UdpSocket, path::Path, process::Command, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

/// The SHA-256 of the certificate that the lab's servers show.
fn pin(lab: &Lab) -> String {
    let certificate = CertificateDer::from_pem_file(lab.folder().join("tls/server.pem")).unwrap();
    HEXLOWER.encode(digest(&SHA256, &certificate).as_ref())
}

fn sender(domain: &str, outgoing: Vec<Outgoing>) -> Subject {
    Subject {
        domain: domain.to_owned(),
        part: Part::Sender { outgoing },
        checks: CheckKind::ALL.to_vec(),
    }
}

fn recipient(domain: &str, checks: &[CheckKind]) -> Subject {
    Subject {
        domain: domain.to_owned(),
        part: Part::Recipient { refuses: false },
        checks: checks.to_vec(),
    }
}

fn told(facts: &[DomainFact]) -> Vec<(CheckKind, FactState, String)> {
    facts.iter().map(|fact| (fact.check, fact.state, fact.said.clone())).collect()
}

#[tokio::test]
async fn a_domain_in_good_order() {
    let lab = Lab::start();
    let port = lab.mx_port();
    let policy = http("200 OK", "version: STSv1\nmode: enforce\nmx: *.contoso.example\nmax_age: 604800\n");
    let (https_port, ca) = policies(vec![policy], &["right.example"]).await;
    let dns = Dns::masq(&format!(
        "mx-host=right.example,gw-a.contoso.example,10\n\
         mx-host=right.example,gw-b.contoso.example,20\n\
         host-record=gw-a.contoso.example,127.0.0.2\n\
         host-record=gw-b.contoso.example,127.0.0.3\n\
         host-record=smtp.right.example,192.0.2.1\n\
         host-record=mta-sts.right.example,127.0.0.1\n\
         txt-record=right.example,\"v=spf1 include:_spf.right.example -all\"\n\
         txt-record=_spf.right.example,\"v=spf1 ip4:192.0.2.1 mx -all\"\n\
         txt-record=_dmarc.right.example,\"v=DMARC1; p=reject\"\n\
         txt-record=_mta-sts.right.example,\"v=STSv1; id=1\"\n\
         txt-record=_smtp._tls.right.example,\"v=TLSRPTv1; rua=mailto:tls@right.example\"\n\
         txt-record=k1._domainkey.right.example,\"v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\"\n\
         dns-rr=_{port}._tcp.gw-a.contoso.example,52,030001{}\n",
        pin(&lab)
    ));
    let ca_file = dns.folder.path().join("ca.pem");
    fs::write(&ca_file, fs::read_to_string(lab.ca_file()).unwrap() + &ca).unwrap();
    let settings = Settings {
        resolver: Some(dns.at),
        smtp_port: port,
        https_port,
        ca: Some(ca_file),
        host_name: "probe.right.example".to_owned(),
        ..Settings::default()
    };
    let stated = Outgoing::Stated("192.0.2.1".parse().unwrap());
    let selectors = [("right.example".to_owned(), "k1".to_owned())];
    let facts = examine(&settings, Clock::start(), &[sender("Right.Example", vec![stated])], &selectors).await;
    let told = told(&facts);
    assert!(facts.iter().all(|fact| fact.domain == "right.example"));
    let starttls = "STARTTLS and certificate hold at gw-a.contoso.example (TLSv1.3, and TLSv1.2) and gw-b.contoso.example (TLSv1.3, and TLSv1.2), until ";
    assert!(told[4].2.starts_with(starttls), "{told:?}");
    let expected = [
        (
            CheckKind::Mx,
            Right,
            "mail for right.example goes to gw-a.contoso.example (10) and gw-b.contoso.example (20)",
        ),
        (CheckKind::Spf, Right, "SPF of right.example lists 192.0.2.1"),
        (CheckKind::Dkim, Right, "the DKIM key at k1._domainkey.right.example is published"),
        (CheckKind::Dmarc, Right, "DMARC of right.example: p=reject"),
        (CheckKind::Starttls, Right, told[4].2.as_str()),
        (
            CheckKind::MtaSts,
            Right,
            "right.example enforces MTA-STS, and its MX hosts fit the policy (7 days)",
        ),
        (
            CheckKind::TlsRpt,
            Right,
            "failures of TLS towards right.example are reported to tls@right.example",
        ),
        // dnsmasq signs nothing, and hides whether anybody would.
        (
            CheckKind::Dane,
            Unknown,
            "the certificate of gw-a.contoso.example is the one that its TLSA records pin; whether the DNS is signed cannot be told from here",
        ),
        (
            CheckKind::Reverse,
            Right,
            "192.0.2.1, which sends for right.example, is smtp.right.example, and that leads back",
        ),
    ];
    assert_eq!(told, expected.map(|(check, state, said)| (check, state, said.to_owned())));
}

#[tokio::test]
async fn domains_in_disorder() {
    let lab = Lab::start();
    let dns = Dns::masq(
        "mx-host=wrong.example,mx.wrong.example,10\n\
         host-record=mx.wrong.example,127.0.0.3\n\
         txt-record=wrong.example,\"v=spf1 ip4:192.0.2.1 -all\"\n\
         txt-record=_mta-sts.wrong.example,\"v=STSv1; id=1\"\n\
         mx-host=null.example,.,0\n\
         mx-host=closed.example,closed.example,10\n\
         host-record=closed.example,127.0.0.77\n",
    );
    let settings = Settings {
        resolver: Some(dns.at),
        smtp_port: lab.mx_port(),
        ca: Some(lab.ca_file()),
        ..Settings::default()
    };
    let outgoing = vec![
        Outgoing::Stated("192.0.2.1".parse().unwrap()),
        Outgoing::Stated("192.0.2.66".parse().unwrap()),
    ];
    let direct = vec![Outgoing::Direct {
        route: "mx".to_owned(),
        toward: Toward::Domain("wrong.example".to_owned()),
    }];
    let subjects = [
        sender("wrong.example", outgoing),
        sender("null.example", vec![]),
        recipient("none.example", &[CheckKind::Mx, CheckKind::Dmarc]),
        recipient("closed.example", &[CheckKind::Starttls]),
        Subject {
            checks: vec![CheckKind::Spf],
            ..sender("wrong.example", direct)
        },
    ];
    let selectors = [("wrong.example".to_owned(), "k1".to_owned())];
    let facts = examine(&settings, Clock::start(), &subjects, &selectors).await;
    let closed = format!(
        "STARTTLS at closed.example, an MX of closed.example, is not known: no connection to 127.0.0.77:{}: Connection refused",
        lab.mx_port()
    );
    let expected = [
        (CheckKind::Mx, Right, "mail for wrong.example goes to mx.wrong.example (10)"),
        (CheckKind::Spf, Right, "SPF of wrong.example lists 192.0.2.1"),
        (
            CheckKind::Spf,
            Wrong,
            "SPF of wrong.example does not list 192.0.2.66 (fail): receivers may refuse its mail",
        ),
        (
            CheckKind::Dkim,
            Wrong,
            "there is no DKIM key at k1._domainkey.wrong.example: signatures with it fail",
        ),
        (CheckKind::Dmarc, Doubtful, "wrong.example has no DMARC policy"),
        (
            CheckKind::Starttls,
            Doubtful,
            "the certificate of mx.wrong.example, an MX of wrong.example, does not hold: the certificate is not for mx.wrong.example but for \
             localhost, mail.contoso.example, smtp.sender.example, gw-a.contoso.example, gw-b.contoso.example",
        ),
        (
            CheckKind::MtaSts,
            Doubtful,
            "wrong.example announces MTA-STS, but its policy cannot be had: mta-sts.wrong.example has no address",
        ),
        (CheckKind::TlsRpt, Right, "wrong.example does not use TLS-RPT"),
        (CheckKind::Dane, Right, "wrong.example does not use DANE"),
        (
            CheckKind::Reverse,
            Doubtful,
            "192.0.2.1, which sends for wrong.example, has no reverse name: many receivers refuse such senders",
        ),
        (
            CheckKind::Reverse,
            Doubtful,
            "192.0.2.66, which sends for wrong.example, has no reverse name: many receivers refuse such senders",
        ),
        (
            CheckKind::Mx,
            Wrong,
            "null.example takes no mail (null MX, RFC 7505): bounces and replies cannot come back",
        ),
        (CheckKind::Spf, Doubtful, "null.example publishes no SPF record"),
        (CheckKind::Dmarc, Doubtful, "null.example has no DMARC policy"),
        (CheckKind::MtaSts, Right, "null.example does not use MTA-STS"),
        (CheckKind::TlsRpt, Right, "null.example does not use TLS-RPT"),
        (
            CheckKind::Mx,
            Wrong,
            "the domain none.example does not exist: nothing can be delivered there",
        ),
        (CheckKind::Dmarc, Doubtful, "none.example has no DMARC policy"),
        (CheckKind::Starttls, Unknown, closed.as_str()),
        (
            CheckKind::Spf,
            Unknown,
            "whether SPF of wrong.example passes cannot be told: by route mx this machine sends from 127.0.0.1, which is behind a NAT: others see another",
        ),
    ];
    assert_eq!(told(&facts), expected.map(|(check, state, said)| (check, state, said.to_owned())));
}

#[tokio::test]
async fn a_signed_zone_pins_its_certificate() {
    let lab = Lab::start();
    let port = lab.mx_port();
    let zone = |pin: &str| {
        format!(
            "$TTL 60\n. SOA ns.example. hostmaster.example. 1 3600 600 86400 60\n. NS ns.example.\nns.example. A 127.0.0.1\n\
             signed.example. MX 10 mx.signed.example.\nmx.signed.example. A 127.0.0.2\n_{port}._tcp.mx.signed.example. TLSA 3 0 1 {pin}\n"
        )
    };
    let another = "00".repeat(32);
    for (pin, state, said) in [
        (pin(&lab), Right, "the certificates of mx.signed.example are those that DANE pins"),
        (
            another,
            Doubtful,
            "the certificate of mx.signed.example, an MX of signed.example, is none that its TLSA records pin: senders that use DANE deliver \
             nothing there",
        ),
    ] {
        let dns = Dns::knot(&zone(&pin));
        let mut settings = Settings {
            resolver: Some(dns.at),
            smtp_port: port,
            ca: Some(lab.ca_file()),
            trust_anchor: Some(dns.anchor()),
            ..Settings::default()
        };
        let subjects = [recipient("signed.example", &[CheckKind::Dane])];
        let facts = examine(&settings, Clock::start(), &subjects, &[]).await;
        assert_eq!(told(&facts), [(CheckKind::Dane, state, said.to_owned())]);
        // The keys of the true root did not sign this one.
        settings.trust_anchor = None;
        let facts = examine(&settings, Clock::start(), &subjects, &[]).await;
        assert!(
            facts[0].said.ends_with("; whether the DNS is signed cannot be told from here"),
            "{facts:?}"
        );
    }
}

#[tokio::test]
async fn policy_hosts_that_misbehave() {
    let names = ["moved.example", "endless.example", "html.example", "stranger.example"];
    let endless = [http("200 OK", "").as_slice(), &vec![b'x'; 200_000]].concat();
    let endless = String::from_utf8(endless)
        .unwrap()
        .replace("content-length: 0\r\n", "")
        .into_bytes();
    let answers = [
        b"HTTP/1.1 301 Moved\r\nlocation: https://elsewhere.example/\r\ncontent-length: 0\r\n\r\n".to_vec(),
        endless,
        http("200 OK", "<html>not found</html>"),
        http("200 OK", "version: STSv1\nmode: enforce\nmx: mx.example\nmax_age: 1\n"),
    ];
    let said = [
        "moved.example announces MTA-STS, but its policy cannot be had: mta-sts.moved.example answers HTTP 301 instead of 200",
        "endless.example announces MTA-STS, but its policy cannot be had: the policy at mta-sts.endless.example is longer than 65536 bytes",
        "the MTA-STS policy of html.example does not count: it does not say `version: STSv1`",
        "stranger.example announces MTA-STS, but its policy cannot be had: mta-sts.stranger.example: ",
    ];
    for ((name, answer), said) in names.into_iter().zip(answers).zip(said) {
        // The last host shows a certificate for somebody else.
        let certificate_of = if name == "stranger.example" { "other.example" } else { name };
        let (https_port, ca) = policies(vec![answer], &[certificate_of]).await;
        let dns = Dns::masq(&format!(
            "host-record=mta-sts.{name},127.0.0.1\ntxt-record=_mta-sts.{name},\"v=STSv1; id=1\"\n"
        ));
        let ca_file = dns.folder.path().join("ca.pem");
        fs::write(&ca_file, ca).unwrap();
        let settings = Settings {
            resolver: Some(dns.at),
            https_port,
            ca: Some(ca_file),
            ..Settings::default()
        };
        let facts = examine(&settings, Clock::start(), &[recipient(name, &[CheckKind::MtaSts])], &[]).await;
        assert_eq!((facts.len(), facts[0].state), (1, Doubtful));
        assert!(facts[0].said.starts_with(said), "{}", facts[0].said);
    }
}

#[tokio::test]
async fn hosts_that_flood_or_interfere() {
    let greeting = b"220 mx.example ESMTP\r\n".to_vec();
    let ehlo = b"250-mx.example\r\n250 STARTTLS\r\n".to_vec();
    let table: [(Vec<Vec<u8>>, FactState, &str); 6] = [
        (vec![vec![b'2'; 100_000]], Unknown, "is not known: its reply does not end"),
        (vec![b"220-x\r\n".repeat(10_000)], Unknown, "is not known: its reply does not end"),
        (
            vec![b"SSH-2.0-OpenSSH\r\n".to_vec()],
            Unknown,
            "is not known: its answer is not SMTP: SSH-2.0-OpenSSH",
        ),
        (
            vec![b"554 go \x1b[31maway\r\n".to_vec()],
            Unknown,
            "is not known: it greets with 554 go \\u{1b}[31maway",
        ),
        (
            vec![greeting.clone(), ehlo.clone(), b"220 go on\r\n250 injected\r\n".to_vec()],
            Doubtful,
            "fails: it sends plain text after its reply to STARTTLS: somebody may stand in between",
        ),
        (
            vec![greeting, ehlo, b"454 not today\r\n".to_vec()],
            Doubtful,
            "fails: it refuses STARTTLS: 454 not today",
        ),
    ];
    let dns = Dns::masq("mx-host=d.example,mx.example,10\nhost-record=mx.example,127.0.0.1\n");
    for (script, state, ending) in table {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let smtp_port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            for (number, answer) in script.into_iter().enumerate() {
                if number > 0 {
                    let mut command = [0; 512];
                    let _ = stream.read(&mut command).await;
                }
                let _ = stream.write_all(&answer).await;
            }
            // Kept open, so that nothing is taken for an end.
            sleep_long().await;
            drop(stream);
        });
        let settings = Settings {
            resolver: Some(dns.at),
            smtp_port,
            ..Settings::default()
        };
        let facts = examine(&settings, Clock::start(), &[recipient("d.example", &[CheckKind::Starttls])], &[]).await;
        assert_eq!((facts.len(), facts[0].state), (1, state), "{facts:?}");
        assert!(facts[0].said.ends_with(ending), "{}", facts[0].said);
    }
}

async fn sleep_long() {
    tokio::time::sleep(Duration::from_mins(1)).await;
}

#[tokio::test]
async fn a_dns_that_says_nothing_proves_nothing() {
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let settings = Settings {
        resolver: Some(silent.local_addr().unwrap()),
        step: Duration::from_millis(400),
        whole: Duration::from_secs(2),
        ..Settings::default()
    };
    let stated = Outgoing::Stated("192.0.2.1".parse().unwrap());
    let selectors = [("d.example".to_owned(), "k1".to_owned())];
    let facts = examine(&settings, Clock::start(), &[sender("d.example", vec![stated])], &selectors).await;
    assert!(!facts.is_empty());
    assert!(facts.iter().all(|fact| fact.state == Unknown), "{facts:?}");
    for check in [CheckKind::Mx, CheckKind::Spf, CheckKind::Dkim, CheckKind::Dmarc, CheckKind::MtaSts] {
        assert!(facts.iter().any(|fact| fact.check == check), "{check}: {facts:?}");
    }
}

#[tokio::test]
async fn reserved_names_are_not_asked_of_the_public_dns() {
    let facts = examine(
        &Settings::default(),
        Clock::start(),
        &[recipient("d.example", &CheckKind::ALL)],
        &[],
    )
    .await;
    assert_eq!(
        told(&facts),
        [(
            CheckKind::Mx,
            Unknown,
            "d.example was not examined: its name is reserved (RFC 2606), and the public DNS is not asked about it".to_owned()
        )]
    );
}

/// What `mailflow check` says of a site, at 80 columns.
fn check(folder: &Path, site: &str) -> (Option<i32>, String) {
    fs::write(folder.join("mailflow.yaml"), site).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_mailflow"))
        .current_dir(folder)
        .args(["check", "--state", "state"])
        .env("COLUMNS", "80")
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
    (output.status.code(), text)
}

#[test]
fn check_fails_for_the_senders_own_domain_only() {
    let lab = Lab::start();
    let dns = Dns::masq(
        "mx-host=sender.example,gw-a.contoso.example,10\n\
         mx-host=fabrikam.example,gw-b.contoso.example,10\n\
         host-record=gw-a.contoso.example,127.0.0.2\n\
         host-record=gw-b.contoso.example,127.0.0.3\n\
         txt-record=sender.example,\"v=spf1 ip4:127.0.0.1 -all\"\n\
         txt-record=_dmarc.sender.example,\"v=DMARC1; p=reject\"\n",
    );
    let folder = tempfile::tempdir().unwrap();
    let site = |more: &str| {
        format!(
            "sender: {{ address: probe@sender.example, mailbox: none{more} }}\nresolver: \"{}\"\n\
             routes: {{ mx: {{ mx: {{ port: {}, ca: {{ file: \"{}\" }} }} }} }}\n\
             recipients: [{{ address: ok@fabrikam.example, mailbox: none }}]\n",
            dns.at,
            lab.mx_port(),
            lab.ca_file().display()
        )
    };
    let (code, told) = check(folder.path(), &site(", sending_addresses: [127.0.0.1]"));
    println!("{told}");
    assert_eq!(code, Some(0), "{told}");
    assert!(told.lines().all(|line| line.chars().count() <= 80), "{told}");
    for line in [
        "ok    domain sender.example\n      mail for sender.example goes to gw-a.contoso.example (10)\n      SPF of sender.example lists 127.0.0.1\n",
        "look  domain fabrikam.example: DMARC\n      fabrikam.example has no DMARC policy\n      → ",
    ] {
        assert!(told.contains(line), "{line}\n{told}");
    }
    let (code, told) = check(folder.path(), &site(", sending_addresses: [127.0.0.1, \"2001:db8::66\"]"));
    println!("{told}");
    assert_eq!(code, Some(1), "{told}");
    let words = told.split_whitespace().collect::<Vec<_>>().join(" ");
    for part in [
        "WRONG domain sender.example: SPF SPF of sender.example does not list 2001:db8::66 (fail): receivers may refuse its mail → add \
         `ip6:2001:db8::66` to the SPF record of sender.example, or send by a host that it lists",
        "1 finding about a domain is wrong.",
        "Nothing was sent.",
    ] {
        assert!(words.contains(part), "{part}\n{told}");
    }
    let (code, told) = check(folder.path(), &site(""));
    assert_eq!(code, Some(0), "{told}");
    let words = told.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        words.contains("whether SPF of sender.example passes cannot be told: by route mx this machine sends from 127.0.0.1"),
        "{told}"
    );
}
