//! Signatures, verified by the verifying half of `mail-auth` against the record that we would publish. The messages are composed ones, so that what
//! is signed is what leaves.

use super::*;
use hickory_resolver::config::{ResolverConfig, ResolverOpts};
use mail_auth::{
    AuthenticatedMessage, DkimResult, MessageAuthenticator, Parameters, ResolverCache, Txt,
    common::{parse::TxtRecordParser, verify::DomainKey},
};
use std::{borrow::Borrow, collections::HashMap, hash::Hash, sync::Arc, time::Instant};

const RSA: &str = include_str!("../../../tests/send/keys/rsa-pkcs8.pem");
const RSA_PKCS1: &str = include_str!("../../../tests/send/keys/rsa-pkcs1.pem");
const RSA_1024: &str = include_str!("../../../tests/send/keys/rsa-1024.pem");
const RSA_PUBLIC: &str = include_str!("../../../tests/send/keys/rsa.public");
const ED25519: &str = include_str!("../../../tests/send/keys/ed25519.pem");
const EC: &str = include_str!("../../../tests/send/keys/ec.pem");

const MESSAGE: &str = "From: Mail-flow probe <probe@sender.example>\r\nTo: billing@contoso.example\r\nSubject: Mail-flow test for a\r\n very long role\r\n\
                       Date: Mon, 23 Nov 2026 10:00:00 +0000\r\nMessage-ID: <a@sender.example>\r\nX-Mailflow-Probe: a\r\nAuto-Submitted: auto-generated\r\n\
                       MIME-Version: 1.0\r\nList-Id: <list.sender.example>\r\nContent-Type: text/plain; charset=utf-8\r\n\
                       Content-Transfer-Encoding: 7bit\r\n\r\nHello  there,\r\n\r\nthis is a test.  \r\n";

/// The records of the DNS, as far as a verifier asks for them.
struct Dns(HashMap<Box<str>, Txt>);

impl ResolverCache<Box<str>, Txt> for Dns {
    fn get<Q>(&self, name: &Q) -> Option<Txt>
    where
        Box<str>: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.0.get(name).cloned()
    }

    fn remove<Q>(&self, _: &Q) -> Option<Txt>
    where
        Box<str>: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        None
    }

    fn insert(&self, _: Box<str>, _: Txt, _: Instant) {}
}

fn signer(pem: &str) -> Signer {
    Signer::new("sender.example", "s1", &pem.to_owned().into()).unwrap()
}

/// What a verifier says that finds our record in the DNS.
async fn verified(signer: &Signer, message: &[u8]) -> Vec<bool> {
    let key = DomainKey::parse(signer.record().as_bytes()).unwrap();
    let dns = Dns(HashMap::from([(
        format!("{}.", signer.record_name()).into_boxed_str(),
        Txt::DomainKey(Arc::new(key)),
    )]));
    let authenticator = MessageAuthenticator::new(ResolverConfig::from_name_servers(vec![]), ResolverOpts::default()).unwrap();
    let message = AuthenticatedMessage::parse(message).unwrap();
    let results = authenticator.verify_dkim(Parameters::new(&message).with_txt_cache(&dns)).await;
    results.iter().map(|result| result.result() == &DkimResult::Pass).collect()
}

#[tokio::test]
async fn what_is_signed_verifies_and_what_is_altered_does_not() {
    for pem in [RSA, RSA_PKCS1, ED25519] {
        let signer = signer(pem);
        let signed = signer.sign(MESSAGE.as_bytes().to_vec());
        assert_eq!(verified(&signer, &signed).await, [true]);
        let text = String::from_utf8(signed).unwrap();
        let header = text.split("\r\n\r\n").next().unwrap();
        assert!(
            header.starts_with("DKIM-Signature: v=1; ") && header.contains("c=relaxed/relaxed"),
            "{header}"
        );
        assert!(text.ends_with(MESSAGE), "the message itself is not touched");
        assert!(text.lines().all(|line| line.len() < 998));
        // White space at line ends, folds and the case of names carry no meaning in this canonical form.
        let rewrapped = text
            .replace("a\r\n very long", "a very\r\n\tlong")
            .replace("test.  ", "test.")
            .replace("\r\nSubject:", "\r\nSUBJECT:");
        assert_eq!(verified(&signer, rewrapped.as_bytes()).await, [true]);
        for (from, to) in [
            ("Hello", "Hallo"),
            ("Subject: Mail-flow", "Subject: [EXTERNAL] Mail-flow"),
            ("X-Mailflow-Probe: a", "X-Mailflow-Probe: b"),
            ("List-Id: <list", "List-Id: <lost"),
        ] {
            assert_eq!(verified(&signer, text.replace(from, to).as_bytes()).await, [false], "{from}");
        }
        let added = text.replace("MIME-Version", "X-Spam: no\r\nReceived: from a by b\r\nMIME-Version");
        assert_eq!(verified(&signer, added.as_bytes()).await, [true], "what hops add is not signed");
    }
}

#[test]
fn only_fields_that_stand_in_the_message_are_signed() {
    let message = "From: a@b.example\r\nSubject: x\r\n\r\nSender: x\r\n".to_owned();
    let signed = String::from_utf8(signer(ED25519).sign(message.into_bytes())).unwrap();
    let unfolded = signed.replace("\r\n\t", "");
    let fields = unfolded.split("h=").nth(1).unwrap().split(';').next().unwrap();
    let mut fields: Vec<&str> = fields.split(':').map(str::trim).collect();
    fields.sort_unstable();
    assert_eq!(fields, ["From", "Subject"]);
}

#[test]
fn the_record_is_what_openssl_makes_of_the_key() {
    for pem in [RSA, RSA_PKCS1] {
        assert_eq!(signer(pem).record(), format!("v=DKIM1; k=rsa; p={}", RSA_PUBLIC.trim()));
    }
    assert_eq!(signer(RSA).record_name(), "s1._domainkey.sender.example");
    assert_eq!(signer(ED25519).public_key().len(), 32);
}

#[test]
fn keys_that_cannot_sign_are_refused_and_never_shown() {
    let cut = &RSA[..RSA.len() / 2];
    for (pem, said) in [
        ("", "no private key"),
        ("hunter2", "no private key"),
        (cut, "no private key"),
        (RSA_1024, "2048 bits"),
        (EC, "2048 bits"),
    ] {
        let refused = Signer::new("sender.example", "s1", &pem.to_owned().into()).unwrap_err();
        assert!(refused.contains(said), "{refused}");
        assert!(!refused.contains("hunter2") && !refused.contains("MII"), "{refused}");
    }
    assert_eq!(format!("{:?}", signer(RSA)), "Signer(s1._domainkey.sender.example, secret key)");
}
