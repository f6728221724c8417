//! Enhanced status codes (RFC 3463 and the registry of RFC 5248) in words.

/// What follows the class in an enhanced status code, and what it means. The first digit says only whether trying again may help.
const MEANINGS: &[(&str, &str)] = &[
    ("1.0", "something is wrong with an address"),
    ("1.1", "no such mailbox"),
    ("1.2", "no such mail domain"),
    ("1.3", "not a valid address"),
    ("1.4", "the address fits several mailboxes"),
    ("1.6", "the mailbox has moved"),
    ("1.7", "not a valid sender's address"),
    ("1.8", "the sender's domain does not exist or takes no mail"),
    ("1.9", "relayed to a system that speaks no SMTP"),
    // RFC 7505's number, which Exchange Online gives to every unknown recipient.
    ("1.10", "no such recipient, or a domain that takes no mail"),
    ("2.0", "something is wrong with the mailbox"),
    ("2.1", "the mailbox is disabled"),
    ("2.2", "the mailbox is full"),
    ("2.3", "the message is larger than the mailbox takes"),
    ("2.4", "the list cannot be expanded"),
    ("3.0", "something is wrong with the mail system"),
    ("3.1", "the mail system's disk is full"),
    ("3.2", "the system takes no mail now"),
    ("3.3", "the system lacks a feature that is asked for"),
    ("3.4", "the message is larger than the system takes"),
    ("3.5", "the system is not configured for this"),
    ("4.0", "something is wrong with the network or the routing"),
    ("4.1", "the next host does not answer"),
    ("4.2", "the connection broke off"),
    ("4.3", "the directory or the DNS cannot be asked"),
    ("4.4", "no route to the next host"),
    ("4.5", "the mail system is congested"),
    ("4.6", "a routing loop"),
    ("4.7", "it stayed in a queue for too long"),
    ("5.0", "a protocol error"),
    ("5.1", "the command is not allowed here"),
    ("5.2", "a syntax error"),
    ("5.3", "too many recipients"),
    ("5.4", "a parameter is not allowed"),
    ("6.0", "something is wrong with the content"),
    ("6.1", "the kind of content is not supported"),
    ("6.3", "the content must be converted and cannot be"),
    ("6.7", "addresses beyond ASCII are not supported"),
    ("7.0", "a security matter"),
    ("7.1", "not allowed by policy"),
    ("7.2", "senders may not write to this list"),
    ("7.3", "the content must be converted, which security forbids"),
    ("7.4", "a security feature is not supported"),
    ("7.7", "the message fails its integrity check"),
    ("7.8", "user name or password is wrong"),
    ("7.9", "the sign-in mechanism is too weak"),
    ("7.10", "encryption is needed"),
    ("7.11", "this sign-in needs encryption"),
    ("7.13", "the account is disabled"),
    ("7.14", "a trust relationship is needed"),
    ("7.17", "the mailbox's owner has changed"),
    ("7.20", "no DKIM signature passes"),
    ("7.21", "no acceptable DKIM signature"),
    ("7.22", "no DKIM signature of the author's domain"),
    ("7.23", "SPF fails"),
    ("7.24", "the SPF record cannot be evaluated"),
    ("7.25", "the sending host's reverse DNS is wrong"),
    ("7.26", "several authentication checks fail"),
    ("7.27", "the sender's domain has a null MX"),
    ("7.28", "mail is coming in too fast"),
    ("7.29", "the ARC chain is broken"),
];

/// The code in words; `None` where it says no more than that something was refused, or is no code.
pub fn in_words(code: &str) -> Option<&'static str> {
    let rest = detail(code)?;
    MEANINGS.iter().find(|(detail, _)| *detail == rest).map(|(_, words)| *words)
}

/// Subject and detail of a code: `1.1` of `5.1.1`. `None` if it is no enhanced status code.
pub fn detail(code: &str) -> Option<&str> {
    let (class, rest) = code.trim().split_once('.')?;
    let (subject, detail) = rest.split_once('.')?;
    let number = |part: &str| (1..=3).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    (matches!(class, "2" | "4" | "5") && number(subject) && number(detail)).then_some(rest)
}

/// The first enhanced status code in a text, as replies and diagnostics carry it.
pub fn find(text: &str) -> Option<&str> {
    text.split(|character: char| !character.is_ascii_digit() && character != '.')
        .map(|word| word.trim_matches('.'))
        .find(|word| detail(word).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_read_and_nothing_else_is() {
        assert_eq!(in_words("5.1.1"), Some("no such mailbox"));
        assert_eq!(in_words("4.2.2"), Some("the mailbox is full"));
        assert_eq!(in_words("5.0.0"), None);
        for wrong in ["", "550", "5.1", "5.1.1.1", "3.1.1", "5.1.1234", "5.x.1", "5..1"] {
            assert_eq!(in_words(wrong), None, "{wrong}");
        }
        assert_eq!(find("550 #5.1.1 no such user <a@192.0.2.1>"), Some("5.1.1"));
        assert_eq!(find("host 192.0.2.25 said: no"), None);
    }

    #[test]
    fn no_code_is_explained_twice() {
        let mut details: Vec<&str> = MEANINGS.iter().map(|(detail, _)| *detail).collect();
        details.sort_unstable();
        let all = details.len();
        details.dedup();
        assert_eq!(details.len(), all);
    }
}
