//! Where in the header a field stands, and which host that names: the `Received` fields (RFC 5321 section 4.4) divide it into stretches.
//!
//! A hop writes above its own `Received` field what it, or a filter of it, has to say. Only what was appended below the author's own fields (by
//! milters of Postfix and sendmail, by Exchange Online) tells nothing of who wrote it.

use super::super::mime::{Field, Header};

/// The fields that an author writes; what stands below the first of them was appended.
const AUTHORS: [&str; 7] = ["from", "to", "subject", "date", "message-id", "mime-version", "content-type"];

/// The fields between two hops that somebody on the way added.
pub(super) struct Stretch<'h> {
    /// With their places in the header, from the top.
    pub fields: Vec<(usize, &'h Field<'h>)>,
    /// The hop right below them, by its place in the header.
    pub hop: Option<usize>,
    /// Whether they were appended below the author's own fields.
    pub appended: bool,
}

/// The stretches of a header, from the top. The last one, which may be empty, holds what was appended.
pub(super) fn stretches<'h>(header: &'h Header<'h>, sent: Option<&Header>) -> Vec<Stretch<'h>> {
    let fields = &header.fields;
    let lower = |field: &Field| field.name.to_ascii_lowercase();
    let author = fields
        .iter()
        .position(|field| AUTHORS.contains(&lower(field).as_str()))
        .unwrap_or(fields.len());
    let mut stretches = Vec::new();
    let mut open = Vec::new();
    for (place, field) in fields.iter().enumerate() {
        if place == author {
            stretches.push(Stretch {
                fields: std::mem::take(&mut open),
                hop: None,
                appended: false,
            });
        }
        if is_hop(field) {
            if place < author {
                stretches.push(Stretch {
                    fields: std::mem::take(&mut open),
                    hop: Some(place),
                    appended: false,
                });
            }
        } else if !is_ours(field, sent) {
            open.push((place, field));
        }
    }
    stretches.push(Stretch {
        fields: open,
        hop: None,
        appended: author < fields.len(),
    });
    stretches
}

fn is_hop(field: &Field) -> bool {
    field.name.eq_ignore_ascii_case("Received")
}

/// Whether we wrote this field ourselves.
fn is_ours(field: &Field, sent: Option<&Header>) -> bool {
    sent.is_some_and(|sent| {
        sent.fields
            .iter()
            .any(|ours| ours.name.eq_ignore_ascii_case(field.name) && (ours.raw == field.raw || ours.text() == field.text()))
    })
}

/// The topmost hop whose host has this name.
pub(super) fn hop_called(header: &Header, name: &str) -> Option<usize> {
    hops(header).find(|(_, by)| by.eq_ignore_ascii_case(name)).map(|(place, _)| place)
}

/// The topmost hop whose host is in the first of these domains that any hop is in, and its name.
pub(super) fn hop_within(header: &Header, domains: &[&str]) -> Option<(usize, String)> {
    let within = |by: &str, domain: &str| {
        let by = by.to_ascii_lowercase();
        by.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    domains.iter().find_map(|domain| hops(header).find(|(_, by)| within(by, domain)))
}

/// The hop right below a place, by its own place.
pub(super) fn hop_below(header: &Header, place: usize) -> Option<usize> {
    let below = header.fields.iter().enumerate().skip(place);
    below.filter(|(_, field)| is_hop(field)).map(|(place, _)| place).next()
}

/// The hop right above a place, by its own place.
pub(super) fn hop_above(header: &Header, place: usize) -> Option<usize> {
    header.fields.iter().take(place).rposition(is_hop)
}

/// The host of the hop at this place; of the one below it, if this one is a hand-over inside a host that names none (qmail, Gmail).
pub(super) fn host_at(header: &Header, place: usize) -> Option<String> {
    let hops = header.fields.iter().skip(place).filter(|field| is_hop(field));
    hops.take(2).find_map(host)
}

fn hops<'h>(header: &'h Header) -> impl Iterator<Item = (usize, String)> + 'h {
    let hops = header.fields.iter().enumerate().filter(|(_, field)| is_hop(field));
    hops.filter_map(|(place, field)| Some((place, host(field)?)))
}

/// The host that took the message over; for one that calls itself `localhost`, the name in the comment behind it.
pub(in crate::evidence) fn host(field: &Field) -> Option<String> {
    let text = field.text();
    let mut by = None;
    let (mut depth, mut after_by) = (0_u32, false);
    for word in text.split_ascii_whitespace().take(200) {
        let opens = word.matches('(').count();
        if depth == 0 && opens == 0 {
            if after_by {
                by = Some(word);
                break;
            }
            after_by = word.eq_ignore_ascii_case("by");
        }
        depth =
            (depth + u32::try_from(opens).unwrap_or(u32::MAX)).saturating_sub(u32::try_from(word.matches(')').count()).unwrap_or(u32::MAX));
    }
    let by = by?.trim_end_matches(';');
    let name = if by.eq_ignore_ascii_case("localhost") {
        let comment = text.split_once("by localhost (")?.1;
        comment.split(|c: char| c.is_whitespace() || matches!(c, '[' | ')')).next()?
    } else {
        by
    };
    let plausible =
        name.len() <= 253 && name.contains('.') && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
    let is_address = name.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let name = name.trim_start_matches('.');
    (plausible && !is_address && !name.eq_ignore_ascii_case("localhost.localdomain")).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_of_a_hop_is_read() {
        for (text, expected) in [
            (
                "from a by mx.contoso.example (Postfix) with ESMTP id 1; Mon",
                Some("mx.contoso.example"),
            ),
            (
                "from x (helo by evil.example (by worse.example)) by mx.contoso.example; Mon",
                Some("mx.contoso.example"),
            ),
            (
                "from mx ([127.0.0.1]) by localhost (mx.contoso.example [127.0.0.1]) (amavisd-new, port 10024)",
                Some("mx.contoso.example"),
            ),
            (
                "from mx by localhost (.contoso.example [127.0.0.1]) (amavisd-new)",
                Some("contoso.example"),
            ),
            ("by 2002:a05:600c:1b94 with SMTP id z20", None),
            ("from a by cmsmtp with ESMTP", None),
            ("(qmail 25871 invoked from network); 10 Aug 2019 18:12:27 -0000", None),
            ("from a by", None),
        ] {
            let raw = format!("Received: {text}\r\n\r\n");
            let (header, _) = Header::parse(raw.as_bytes());
            assert_eq!(host(&header.fields[0]).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn hops_divide_the_header_and_our_own_fields_are_left_out() {
        let text = "X-A: 1\r\nReceived: from b by c.example\r\nX-B: 2\r\nReceived: from a by b.example\r\nX-C: 3\r\nX-Ours: 4\r\nFrom: a@b\r\nX-D: 5\r\n\r\n";
        let (header, _) = Header::parse(text.as_bytes());
        let (sent, _) = Header::parse(b"X-Ours: 4\r\nFrom: a@b\r\n\r\n");
        let found: Vec<_> = stretches(&header, Some(&sent))
            .iter()
            .map(|one| {
                (
                    one.fields.iter().map(|(_, field)| field.name.to_owned()).collect::<String>(),
                    one.hop,
                    one.appended,
                )
            })
            .collect();
        let expected = [
            ("X-A", Some(1), false),
            ("X-B", Some(3), false),
            ("X-C", None, false),
            ("X-D", None, true),
        ];
        assert_eq!(found, expected.map(|(names, hop, appended)| (names.to_owned(), hop, appended)));
    }
}
