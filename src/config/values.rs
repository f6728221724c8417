//! The scalars of both files: texts, numbers, times, rates, dates and addresses.

use super::{
    mistakes::{Mistakes, quoted},
    read::{Read, unexpected},
    tree::{Kind, Node},
};
use crate::model::Rate;
use chrono::NaiveDate;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use std::{borrow::Cow, fmt, net::IpAddr, time::Duration};

/// One line of text.
impl Read for String {
    fn read(node: &Node, mistakes: &mut Mistakes) -> Option<Self> {
        let Kind::Text(text) = &node.kind else {
            return unexpected(node, "text", mistakes);
        };
        if text.trim().is_empty() {
            mistakes.note(node.caret(), "an empty text");
            return None;
        }
        if text.chars().any(char::is_control) {
            mistakes.note(node.caret(), "expected text in one line, without control characters");
            return None;
        }
        Some(text.clone())
    }
}

/// Text that may have several lines.
#[derive(Debug, Clone, JsonSchema)]
#[schemars(inline)]
pub(super) struct Prose(pub(super) String);

impl Read for Prose {
    fn read(node: &Node, mistakes: &mut Mistakes) -> Option<Self> {
        match &node.kind {
            Kind::Text(text) => Some(Self(text.trim().to_owned())),
            _ => unexpected(node, "text", mistakes),
        }
    }
}

impl Read for bool {
    fn read(node: &Node, mistakes: &mut Mistakes) -> Option<Self> {
        match &node.kind {
            Kind::Flag(value) => Some(*value),
            _ => unexpected(node, "`true` or `false`", mistakes),
        }
    }
}

/// A whole number within bounds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Whole<const LEAST: u32, const MOST: u32>(pub(super) u32);

/// A number of probes.
pub(super) type Count = Whole<1, 10_000_000>;
/// A number of connections.
pub(super) type Connections = Whole<1, 1_000>;
/// A TCP port.
pub(super) type Port = Whole<1, 65_535>;

impl<const LEAST: u32, const MOST: u32> Whole<LEAST, MOST> {
    /// The number in the type of ports and connections, which the bounds of those fit.
    pub(super) fn as_u16(self) -> u16 {
        u16::try_from(self.0).unwrap_or(u16::MAX)
    }
}

impl<const LEAST: u32, const MOST: u32> Read for Whole<LEAST, MOST> {
    fn read(node: &Node, mistakes: &mut Mistakes) -> Option<Self> {
        let expected = format!("a whole number from {LEAST} to {MOST}");
        let Kind::Whole(value) = node.kind else {
            return unexpected(node, &expected, mistakes);
        };
        let fitting = u32::try_from(value).ok().filter(|value| (LEAST..=MOST).contains(value));
        if fitting.is_none() {
            mistakes.note(node.caret(), format!("expected {expected}, found {value}"));
        }
        fitting.map(Self)
    }
}

impl<const LEAST: u32, const MOST: u32> JsonSchema for Whole<LEAST, MOST> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("WholeFrom{LEAST}To{MOST}").into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "integer", "minimum": LEAST, "maximum": MOST })
    }
}

/// A length of time, such as `5m`, `250ms` or `1h30m`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Period(pub(super) Duration);

/// The units of time, longest first, in milliseconds.
const UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];
/// Longer makes no sense for mail: RFC 5321 section 4.5.4.1 gives up after four to five days.
const LONGEST: Duration = Duration::from_hours(30 * 24);

impl Period {
    /// Reads it; the error says what is wrong.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        const FORM: &str = "a time such as 30s, 5m, 1h30m, 250ms or 2d";
        let mut rest = text.trim();
        let mut total: u64 = 0;
        let mut units = UNITS.iter();
        while !rest.is_empty() {
            let digits = rest.len() - rest.trim_start_matches(|character: char| character.is_ascii_digit()).len();
            let (number, after) = rest.split_at(digits);
            let letters = after
                .find(|character: char| !character.is_ascii_alphabetic())
                .unwrap_or(after.len());
            let (unit, after) = after.split_at(letters);
            // Each unit once, the longer before the shorter: whatever is not in what remains of the list is wrong.
            let (Ok(number), Some((_, length))) = (number.parse::<u64>(), units.find(|(name, _)| *name == unit)) else {
                return Err(format!("expected {FORM}, found {}", quoted(text)));
            };
            total = number
                .checked_mul(*length)
                .and_then(|part| total.checked_add(part))
                .unwrap_or(u64::MAX);
            rest = after;
        }
        match Duration::from_millis(total) {
            Duration::ZERO => Err(format!("expected {FORM}, and longer than nothing")),
            long if long > LONGEST => Err("expected a time of at most 30d".to_owned()),
            period => Ok(Self(period)),
        }
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX);
        for (unit, length) in UNITS {
            if rest >= length {
                write!(f, "{}{unit}", rest / length)?;
                rest %= length;
            }
        }
        Ok(())
    }
}

impl Read for Period {
    fn read(node: &Node, mistakes: &mut Mistakes) -> Option<Self> {
        match &node.kind {
            Kind::Text(text) => match Self::parse(text) {
                Ok(period) => Some(period),
                Err(title) => {
                    mistakes.note(node.caret(), title);
                    None
                }
            },
            Kind::Whole(number) if *number > 0 => {
                mistakes
                    .note(node.caret(), "a time without its unit")
                    .help(format!("did you mean `{number}s` or `{number}m`?"));
                None
            }
            _ => unexpected(node, "a time such as 30s, 5m, 1h30m, 250ms or 2d", mistakes),
        }
    }
}

impl JsonSchema for Period {
    fn schema_name() -> Cow<'static, str> {
        "Time".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "A length of time, such as 30s, 5m, 1h30m, 250ms or 2d; at most 30d.",
            "pattern": "^([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?$",
            "minLength": 2
        })
    }
}

/// `30/min`.
impl Read for Rate {
    fn read(node: &Node, mistakes: &mut Mistakes) -> Option<Self> {
        const FORM: &str = "a rate such as 5/s, 30/min or 100/h";
        let Kind::Text(text) = &node.kind else {
            return unexpected(node, FORM, mistakes);
        };
        let parsed = text.split_once('/').and_then(|(messages, unit)| {
            let seconds = match unit.trim() {
                "s" => 1,
                "min" => 60,
                "h" => 3_600,
                "d" => 86_400,
                _ => return None,
            };
            let messages = messages.trim().parse().ok().filter(|messages| *messages > 0)?;
            Some(Self {
                messages,
                per: Duration::from_secs(seconds),
            })
        });
        if parsed.is_none() {
            mistakes.note(node.caret(), format!("expected {FORM}, found {}", quoted(text)));
        }
        parsed
    }
}

impl JsonSchema for Rate {
    fn schema_name() -> Cow<'static, str> {
        "Rate".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "description": "Messages in a time, such as 5/s, 30/min or 100/h.", "pattern": "^[1-9][0-9]*/(s|min|h|d)$" })
    }
}

impl Read for NaiveDate {
    fn read(node: &Node, mistakes: &mut Mistakes) -> Option<Self> {
        const FORM: &str = "a date such as 2027-01-31";
        let Kind::Text(text) = &node.kind else {
            return unexpected(node, FORM, mistakes);
        };
        // chrono alone would take 2027-1-1 as well, which sorts and reads wrongly.
        let date = Self::parse_from_str(text, "%Y-%m-%d").ok().filter(|date| date.to_string() == *text);
        if date.is_none() {
            mistakes.note(node.caret(), format!("expected {FORM}, found {}", quoted(text)));
        }
        date
    }
}

/// A mail address (RFC 5321 section 4.1.2, with RFC 6531).
#[derive(Debug, Clone)]
pub(super) struct Address(pub(super) String);

impl Address {
    /// Whether mail can be addressed so, within the bounds of RFC 5321 section 4.5.3.1.
    pub(super) fn is_valid(text: &str) -> bool {
        let fits = text.len() <= 254 && text.rsplit_once('@').is_some_and(|(local, _)| local.len() <= 64);
        fits && !text.chars().any(|character| character.is_control() || character.is_whitespace())
            && text.parse::<lettre::Address>().is_ok()
    }
}

impl Read for Address {
    fn read(node: &Node, mistakes: &mut Mistakes) -> Option<Self> {
        const FORM: &str = "a mail address such as admin@contoso.example";
        let Kind::Text(text) = &node.kind else {
            return unexpected(node, FORM, mistakes);
        };
        if !Self::is_valid(text) {
            mistakes.note(node.caret(), format!("expected {FORM}, found {}", quoted(text)));
            return None;
        }
        Some(Self(text.clone()))
    }
}

impl JsonSchema for Address {
    fn schema_name() -> Cow<'static, str> {
        "Address".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "description": "A mail address.", "format": "idn-email" })
    }
}

/// An IP address.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ip(pub(super) IpAddr);

impl Read for Ip {
    fn read(node: &Node, mistakes: &mut Mistakes) -> Option<Self> {
        const FORM: &str = "an IP address such as 192.0.2.25 or 2001:db8::25";
        let Kind::Text(text) = &node.kind else {
            return unexpected(node, FORM, mistakes);
        };
        let address = text.parse().ok();
        if address.is_none() {
            mistakes.note(node.caret(), format!("expected {FORM}, found {}", quoted(text)));
        }
        address.map(Self)
    }
}

impl JsonSchema for Ip {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "IpAddress".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "anyOf": [{ "format": "ipv4" }, { "format": "ipv6" }] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_all_their_units() {
        let milliseconds = |text| Period::parse(text).map(|period| period.0.as_millis());
        assert_eq!(milliseconds("250ms"), Ok(250));
        assert_eq!(milliseconds("30s"), Ok(30_000));
        assert_eq!(milliseconds("5m"), Ok(300_000));
        assert_eq!(milliseconds("1h30m"), Ok(5_400_000));
        assert_eq!(milliseconds("2d"), Ok(172_800_000));
        for wrong in [
            "5x",
            "-5m",
            "5",
            "m",
            "1m1h",
            "1m1m",
            "1.5h",
            "0s",
            "0m0s",
            "31d",
            "99999999999999999999d",
            "5 m",
            "५m",
            "",
        ] {
            assert!(Period::parse(wrong).is_err(), "{wrong}");
        }
        assert_eq!(Period(Duration::from_millis(5_400_250)).to_string(), "1h30m250ms");
    }

    #[test]
    fn addresses_are_those_of_smtp() {
        for valid in [
            "a@b.example",
            "müller@bücher.example",
            "\"a.b\"@c.example",
            "x+y@z.example",
            "a@[127.0.0.1]",
        ] {
            assert!(Address::is_valid(valid), "{valid}");
        }
        let long = format!("{}@b.example", "a".repeat(65));
        for wrong in [
            "",
            "a",
            "@b",
            "a@",
            "a b@c.example",
            "a@b@c",
            "<a@b.example>",
            "a@b.example\r\nRCPT",
            "a@b..c",
            &long,
        ] {
            assert!(!Address::is_valid(wrong), "{wrong}");
        }
    }
}
