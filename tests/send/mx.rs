//! Straight to the MX hosts: what the DNS says, and which host is asked.

use super::{GREETS, TAKES, attempt_of, conduct, names::Names, parcel, peer::Peer, script};
use mailflow::{
    model::{MxRoute, TlsMode},
    send::{Conduct, MxSender, Sender},
};
use std::{net::SocketAddr, sync::atomic::Ordering, time::Duration};

const TAKEN: &str = "answer at body: 250 2.0.0 Ok: queued as 4XyZ";

fn sender(resolver: SocketAddr, port: u16, conduct: &Conduct) -> MxSender {
    let route = MxRoute {
        resolver: Some(resolver),
        port,
        tls: TlsMode::Opportunistic,
        ca: None,
    };
    MxSender::new(&route, conduct).unwrap()
}

async fn to(sender: &MxSender, recipient: &str, tries: u32) -> String {
    attempt_of(sender, &parcel(recipient, b"x\r\n"), tries).await
}

/// Peers on the same port of 127.0.0.2, 127.0.0.3 … with these scripts.
async fn hosts(scripts: &[&[&str]]) -> (u16, Vec<Peer>) {
    for _ in 0..50 {
        let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = free.local_addr().unwrap().port();
        let mut peers = Vec::new();
        for (host, scripts) in (2_u8..).zip(scripts) {
            peers.extend(Peer::plays_at([127, 0, 0, host].into(), port, scripts).await);
        }
        if peers.len() == scripts.len() {
            return (port, peers);
        }
    }
    panic!("no port is free on all loopback addresses")
}

#[tokio::test]
async fn what_the_dns_says_for_good_is_our_refusal() {
    let names = Names::serve(&[
        ("null.example", "MX 0 ."),
        ("dangling.example", "MX 10 gone.example"),
        ("dangling.example", "MX 20 bare.example"),
        ("bare.example", "MX 10 bare.example"),
        ("text.example", "TXT x"),
    ])
    .await;
    let sender = sender(names.at, 1, &conduct());
    for (recipient, expected) in [
        (
            "x@null.example",
            "556 5.1.10 the domain null.example takes no mail (null MX, RFC 7505)",
        ),
        ("x@none.example", "550 5.1.2 the domain none.example does not exist"),
        (
            "x@text.example",
            "550 5.1.2 the domain text.example has neither an MX nor an address",
        ),
        (
            "x@dangling.example",
            "550 5.4.4 no MX host of dangling.example has an address: gone.example, bare.example",
        ),
        ("x@[1.2.3]", "550 5.1.3 [1.2.3] is not an address literal"),
        ("x@a..example", r#"550 5.1.2 "a..example" is no domain name"#),
    ] {
        assert_eq!(to(&sender, recipient, 0).await, format!("answer at dns: {expected}"));
    }
    let asked = names.asked.load(Ordering::Relaxed);
    to(&sender, "y@NULL.example", 0).await;
    assert_eq!(names.asked.load(Ordering::Relaxed), asked, "an answer is kept");
}

#[tokio::test]
async fn a_dns_that_does_not_answer_is_trouble_and_asked_again() {
    let names = Names::serve(&[
        ("broken.example", "SERVFAIL"),
        ("silent.example", "SILENCE"),
        ("half.example", "MX 10 broken.example"),
    ])
    .await;
    let mut conduct = conduct();
    conduct.timeouts.connect = Duration::from_secs(1);
    let sender = sender(names.at, 1, &conduct);
    for name in ["broken.example", "half.example"] {
        let told = to(&sender, &format!("x@{name}"), 0).await;
        assert!(
            told.starts_with(&format!("trouble at dns: the DNS server {} could not say the ", names.at)),
            "{told}"
        );
        assert!(!told.contains("hopeless"), "{told}");
    }
    assert_eq!(
        to(&sender, "x@silent.example", 0).await,
        format!("trouble at dns: the DNS server {} did not answer within 1s", names.at)
    );
    let asked = names.asked.load(Ordering::Relaxed);
    to(&sender, "x@broken.example", 1).await;
    assert!(names.asked.load(Ordering::Relaxed) > asked);
}

#[tokio::test]
async fn hosts_are_asked_in_the_order_of_preference() {
    let names = Names::serve(&[
        ("b.example", "MX 20 second.example"),
        ("b.example", "MX 10 first.example"),
        ("b.example", "MX 5 gone.example"),
        ("first.example", "A 127.0.0.2"),
        ("second.example", "CNAME alias.example"),
        ("alias.example", "A 127.0.0.3"),
    ])
    .await;
    let refuses = script(&[
        GREETS,
        "C: MAIL\nS: 250 ok\nC: RCPT\nS: 450 4.2.0 greylisted",
        "C: RSET\nS: 250 ok",
        TAKES,
    ]);
    let (port, peers) = hosts(&[&[&refuses], &["S: 421 4.3.2 busy\nCLOSE"]]).await;
    let sender = sender(names.at, port, &conduct());
    assert_eq!(
        to(&sender, "x@b.example", 0).await,
        "answer at rcpt: 450 4.2.0 greylisted (more hosts)"
    );
    assert_eq!(to(&sender, "x@b.example", 1).await, "answer at greeting: 421 4.3.2 busy");
    assert_eq!(
        to(&sender, "x@b.example", 2).await,
        format!("{TAKEN} (more hosts)"),
        "the next round, on the same connection"
    );
    sender.close().await;
    for peer in peers {
        peer.heard().await;
    }
}

#[tokio::test]
async fn the_host_is_named_with_its_address() {
    let names = Names::serve(&[("b.example", "MX 10 first.example"), ("first.example", "A 127.0.0.2")]).await;
    let (port, _peers) = hosts(&[&[&script(&[GREETS, TAKES])]]).await;
    let sender = sender(names.at, port, &conduct());
    let outcome = sender
        .send(&sender.ready().await, &parcel("x@b.example", b"x\r\n"), 0)
        .await
        .unwrap();
    assert_eq!(outcome.attempt.host, format!("first.example [127.0.0.2]:{port}"));
    assert_eq!(outcome.attempt.tls, None);
}

#[tokio::test]
async fn a_domain_without_mx_is_its_own_host() {
    let names = Names::serve(&[("b.example", "A 127.0.0.2"), ("xn--bcher-kva.example", "A 127.0.0.2")]).await;
    let (port, peers) = hosts(&[&[&script(&[
        GREETS,
        TAKES,
        "C: MAIL\nS: 250 ok\nC: RCPT TO:<x@[127.0.0.2]>\nS: 550 no",
    ])]])
    .await;
    let sender = sender(names.at, port, &conduct());
    assert_eq!(to(&sender, "x@b.example", 0).await, TAKEN);
    sender.close().await;
    assert_eq!(
        sender.check(None, "x@bücher.example").await.unwrap_err(),
        format!("xn--bcher-kva.example, at connect: no connection to 127.0.0.2:{port}: Connection refused")
    );
    drop(peers);
}

#[tokio::test]
async fn an_address_literal_needs_no_dns() {
    let names = Names::serve(&[]).await;
    let takes = TAKES.replace("x@b.example", "x@[127.0.0.2]");
    let (port, peers) = hosts(&[&[&script(&[GREETS, &takes])]]).await;
    let sender = sender(names.at, port, &conduct());
    assert_eq!(to(&sender, "x@[127.0.0.2]", 0).await, TAKEN);
    sender.close().await;
    for peer in peers {
        peer.heard().await;
    }
    assert_eq!(names.asked.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn an_unreachable_address_gives_way_to_the_next() {
    // Nobody listens on ::1 there; the IPv4 address of the same host answers within the same attempt.
    let names = Names::serve(&[
        ("b.example", "MX 10 first.example"),
        ("first.example", "A 127.0.0.2"),
        ("first.example", "AAAA ::1"),
    ])
    .await;
    let (port, peers) = hosts(&[&[&script(&[GREETS, TAKES])]]).await;
    let sender = sender(names.at, port, &conduct());
    assert_eq!(to(&sender, "x@b.example", 0).await, TAKEN);
    sender.close().await;
    for peer in peers {
        peer.heard().await;
    }
}

#[tokio::test]
async fn a_host_that_hangs_keeps_nobody_else_waiting() {
    let names = Names::serve(&[
        ("slow.example", "MX 10 slow.example"),
        ("slow.example", "A 127.0.0.2"),
        ("good.example", "A 127.0.0.3"),
    ])
    .await;
    let takes = TAKES.replace("x@b.example", "x@good.example");
    let (port, peers) = hosts(&[&["SILENCE", "SILENCE"], &[&script(&[GREETS, &takes])]]).await;
    let mut conduct = conduct();
    conduct.timeouts.command = Duration::from_secs(2);
    let sender = sender(names.at, port, &conduct);
    let hanging = async { futures::join!(to(&sender, "x@slow.example", 0), to(&sender, "y@slow.example", 0)) };
    let mut hanging = Box::pin(hanging);
    let good = tokio::select! {
        _ = &mut hanging => panic!("it hangs"),
        told = to(&sender, "x@good.example", 0) => told,
    };
    assert_eq!(good, TAKEN);
    let silent = "trouble at greeting: the server did not answer within 2s".to_owned();
    assert_eq!(
        hanging.await,
        (silent.clone(), silent),
        "one after the other: one connection to a host"
    );
    sender.close().await;
    for peer in peers {
        peer.heard().await;
    }
}
