//! The senders against scripted servers, well-behaved and hostile ones. Each case names the exact evidence that must be left behind.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on fails")]

mod auth;
mod conversation;
mod hostile;
mod mx;
mod names;
mod peer;
mod reuse;
mod tls;

use mailflow::{
    clock::Clock,
    credentials::Credentials,
    model::{Endpoint, ProbeId, RunId, TagKey, TlsMode},
    send::{Answer, Conduct, Parcel, Sender, SmtpSender, Timeouts, Trouble},
};
use std::{path::Path, time::Duration};

/// A step of a script that takes a message by the shortest way.
pub const TAKES: &str = "
    C: MAIL FROM:<probe@a.example>
    S: 250 2.1.0 ok
    C: RCPT TO:<x@b.example>
    S: 250 2.1.5 ok
    C: DATA
    S: 354 go on
    MESSAGE
    S: 250 2.0.0 Ok: queued as 4XyZ";

/// A greeting, and an EHLO without extensions.
pub const GREETS: &str = "
    S: 220 mail.example ESMTP
    C: EHLO probe.example
    S: 250 mail.example";

/// One script of several parts.
pub fn script(steps: &[&str]) -> String {
    steps.join("\n")
}

/// The usual conduct: one connection, and more patience than any well-behaved peer needs.
pub fn conduct() -> Conduct {
    Conduct {
        clock: Clock::start(),
        host_name: "probe.example".to_owned(),
        connections: 1,
        rate: None,
        timeouts: Timeouts {
            connect: Duration::from_secs(5),
            command: Duration::from_secs(5),
            body: Duration::from_secs(5),
            final_reply: Duration::from_secs(5),
        },
    }
}

/// The conduct of a sender that soon loses its patience: for servers that are meant to try it.
pub fn impatient() -> Conduct {
    let second = Duration::from_secs(1);
    Conduct {
        timeouts: Timeouts {
            connect: second,
            command: second,
            body: second,
            final_reply: second,
        },
        ..conduct()
    }
}

/// The host `mail.example`, on 127.0.0.1.
pub fn endpoint(port: u16, tls: TlsMode, ca: Option<&Path>) -> Endpoint {
    Endpoint {
        host: "mail.example".to_owned(),
        port,
        connect: Some("127.0.0.1".to_owned()),
        tls,
        ca: ca.map(Path::to_owned),
    }
}

/// A sender in the clear, to that port.
pub fn plain_sender(port: u16, conduct: &Conduct) -> SmtpSender {
    SmtpSender::new(&endpoint(port, TlsMode::None, None), None, conduct).unwrap()
}

/// The user `probe` with this password.
pub fn password(password: &str) -> Option<Credentials> {
    Some(Credentials::password("probe", password.into()))
}

/// A parcel with this recipient and message.
pub fn parcel(recipient: &str, message: &[u8]) -> Parcel {
    let probe = ProbeId::new(&RunId::from_random([1; 6]), [2; 16]);
    Parcel {
        probe,
        tag: TagKey::new(&[3; 32]).tag(probe),
        envelope_sender: "probe@a.example".to_owned(),
        recipient: recipient.to_owned(),
        hop: None,
        message: message.into(),
    }
}

/// One attempt for `x@b.example`, as [`told`].
pub async fn attempt(sender: &dyn Sender, tries: u32) -> String {
    attempt_of(sender, &parcel("x@b.example", b"Subject: x\r\n\r\n.dot\r\n"), tries).await
}

/// One attempt for this parcel, as [`told`].
pub async fn attempt_of(sender: &dyn Sender, parcel: &Parcel, tries: u32) -> String {
    let permit = sender.ready().await;
    told(&sender.send(&permit, parcel, tries).await)
}

/// An outcome in one line, all of it but host, TLS and times.
pub fn told(outcome: &Result<Answer, Trouble>) -> String {
    let (word, attempt, marks) = match outcome {
        Ok(answer) => ("answer", &answer.attempt, vec![(answer.more_hosts, "more hosts")]),
        Err(trouble) => (
            "trouble",
            &trouble.attempt,
            vec![(trouble.hopeless, "hopeless"), (trouble.more_hosts, "more hosts")],
        ),
    };
    assert!(attempt.at <= attempt.ended_at);
    assert_eq!(
        attempt.reply.ours,
        attempt.reply.code.is_none() || attempt.stage == "dns",
        "{attempt:?}"
    );
    let mut told = format!("{word} at {}: {}", attempt.stage, attempt.reply);
    for (_, mark) in marks.iter().chain([&(attempt.in_doubt, "in doubt")]).filter(|(set, _)| *set) {
        told.push_str(" (");
        told.push_str(mark);
        told.push(')');
    }
    told
}
