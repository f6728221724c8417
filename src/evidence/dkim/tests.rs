use super::*;
use data_encoding::BASE64;

fn canonical(body: &str, canon: Canon) -> String {
    CanonicalLines::new(body.as_bytes(), canon)
        .map(|line| format!("{}\r\n", String::from_utf8_lossy(&line)))
        .collect()
}

#[test]
fn bodies_are_canonical_as_the_standard_shows() {
    // RFC 6376 section 3.4.5.
    let body = " C \r\nD \t E\r\n\r\n\r\n";
    assert_eq!(canonical(body, Canon::Relaxed), " C\r\nD E\r\n");
    assert_eq!(canonical(body, Canon::Simple), " C \r\nD \t E\r\n");
    assert_eq!(canonical("", Canon::Simple), "\r\n");
    assert_eq!(canonical("\r\n \r\n", Canon::Relaxed), "");
    assert_eq!(canonical("a\n\n\nb", Canon::Simple), "a\r\n\r\n\r\nb\r\n");
    assert_eq!(canonical_value(b"Y\t\r\n\tZ", Canon::Relaxed), b"Y Z");
}

fn hash(body: &str, canon: Canon, limit: Option<u64>) -> String {
    let method = Method {
        canon,
        is_sha1: false,
        limit,
    };
    BASE64.encode(&body_hash(body.as_bytes(), method))
}

#[test]
fn bodies_hash_as_the_standard_shows() {
    // RFC 6376 appendix A.2, and section 3.4.3 and 3.4.4 for empty bodies.
    let body = "Hi.\r\n\r\nWe lost the game. Are you hungry yet?\r\n\r\nJoe.\r\n";
    assert_eq!(hash(body, Canon::Simple, None), "2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=");
    assert_eq!(hash("", Canon::Simple, None), "frcCV1k9oG9oKj3dpUqdJg1PxRT2RSN/XKdLCPjaYaY=");
    assert_eq!(hash("", Canon::Relaxed, None), "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
    let longer = format!("{body}-- \r\na footer\r\n");
    assert_eq!(
        hash(&longer, Canon::Simple, Some(body.len() as u64)),
        hash(body, Canon::Simple, None)
    );
}

#[test]
fn what_cannot_be_read_is_said_to_be_unread() {
    let message = |signature: &str| format!("DKIM-Signature: {signature}\r\nFrom: a@b.example\r\n\r\nx\r\n");
    for (signature, domain) in [
        ("nonsense", ""),
        ("v=1; a=rsa-sha512; d=sender.example; s=s1; bh=x; h=from", "sender.example"),
        ("v=1; a=rsa-sha256; c=loose; d=sender.example; s=s1; bh=x; h=from", "sender.example"),
        ("v=1; a=rsa-sha256; l=-1; d=sender.example; s=s1; bh=x; h=from", "sender.example"),
    ] {
        let message = message(signature);
        let read = signatures(&Entity::parse(message.as_bytes()), None, "sender.example");
        assert_eq!((read[0].domain.as_str(), read[0].body), (domain, SignedPart::Unread), "{signature}");
    }
    let many: String = (0..40)
        .map(|limit| format!("DKIM-Signature: a=rsa-sha256; l={limit}; d=a.example; s=s; bh=x; h=from\r\n"))
        .collect();
    let read = signatures(&Entity::parse(format!("{many}\r\nx").as_bytes()), None, "a.example");
    let of = |body: SignedPart| read.iter().filter(|one| one.body == body).count();
    assert_eq!(
        (of(SignedPart::Mismatched), of(SignedPart::Unchecked)),
        (MOST_HASHES, MOST - MOST_HASHES)
    );
}

#[test]
fn no_more_is_hashed_than_is_bounded_and_that_is_said() {
    let body = "x y\r\n".repeat(MOST_OCTETS / 5 / 2 - 1);
    let signature =
        |canon: &str, hash: &str| format!("DKIM-Signature: a=rsa-sha256; c=simple/{canon}; d=a.example; s=s; bh={hash}; h=from\r\n");
    let simple = hash(&body, Canon::Simple, None);
    let message = format!(
        "{}{}{}{}\r\n{body}",
        signature("simple", &simple),
        signature("relaxed", "AA=="),
        signature("simple; l=9", "AA=="),
        signature("simple", &simple)
    );
    let read = signatures(&Entity::parse(message.as_bytes()), None, "b.example");
    let parts: Vec<SignedPart> = read.iter().map(|one| one.body).collect();
    assert_eq!(
        parts,
        [
            SignedPart::Intact,
            SignedPart::Mismatched,
            SignedPart::Unchecked,
            SignedPart::Intact
        ]
    );
}

#[test]
fn a_text_is_called_changed_only_where_the_signature_covers_what_was_sent() {
    let original = "From: a@b.example\r\n\r\nour text\r\n";
    let arrived = |hash: &str| {
        format!("DKIM-Signature: a=rsa-sha256; d=b.example; s=s; bh={hash}; h=from\r\nFrom: a@b.example\r\n\r\nour text\r\nfooter\r\n")
    };
    let read = |hash: &str| {
        let message = arrived(hash);
        let read = signatures(
            &Entity::parse(message.as_bytes()),
            Some(&Entity::parse(original.as_bytes())),
            "b.example",
        );
        (read[0].body, read[0].first_change.clone().map(|change| change.line))
    };
    assert_eq!(read(&hash("our text\r\n", Canon::Simple, None)), (SignedPart::Changed, Some(2)));
    assert_eq!(read(&BASE64.encode(&[0; 32])), (SignedPart::Mismatched, None));
}

#[test]
fn signers_are_of_the_sender_or_somebody_else() {
    assert!(
        is_of("Sender.example", "sender.example") && is_of("example.org", "mail.example.org") && is_of("mg.example.org", "example.org")
    );
    assert!(!is_of("org", "example.org") && !is_of("otherexample.org", "example.org") && !is_of("", "example.org"));
}
