//! The envelope and the message as they go over the wire: MAIL and RCPT with their parameters, dot-stuffing.
//!
//! The commands and the encoding of their parameters (xtext, RFC 3461 section 4) are lettre's.

use super::{
    Parcel,
    ehlo::Offers,
    failure::{Failure, Stage},
    reply::our_refusal,
};
use lettre::{
    Address,
    transport::smtp::{
        commands::{Mail, Rcpt},
        extension::{MailBodyParameter, MailParameter, RcptParameter},
    },
};

/// The line that ends a message.
pub(super) const FINAL_DOT: &[u8] = b".\r\n";

/// The commands that name sender and recipient, each with its line end.
#[derive(Debug)]
pub(super) struct Envelope {
    pub mail: String,
    pub rcpt: String,
}

impl Envelope {
    /// The envelope of `parcel` for a server with these extensions.
    ///
    /// What the server would need and does not offer (SMTPUTF8, 8BITMIME) is refused here as an MTA would (RFC 6531 section 3.5, RFC 6152 section 3):
    /// the mail system cannot take the message, and it is we who say so.
    pub fn of(parcel: &Parcel, offers: &Offers) -> Result<Self, Box<Failure>> {
        let sender = if parcel.envelope_sender.is_empty() {
            None
        } else {
            Some(address(&parcel.envelope_sender).map_err(|text| Failure::hopeless(Stage::Mail, text))?)
        };
        let recipient = address(&parcel.recipient).map_err(|text| Failure::hopeless(Stage::Rcpt, text))?;
        let wide = !parcel.recipient.is_ascii() || !parcel.envelope_sender.is_ascii();
        if wide && !offers.smtp_utf8 {
            let text = "the address is not ASCII, and the server does not offer SMTPUTF8";
            return Err(Failure::refused_by_us(Stage::Mail, our_refusal(553, "5.6.7", text)));
        }
        let eight_bit = !parcel.message.is_ascii();
        if eight_bit && !offers.eight_bit_mime {
            let text = "the message is not ASCII, and the server does not offer 8BITMIME";
            return Err(Failure::refused_by_us(Stage::Mail, our_refusal(554, "5.6.3", text)));
        }
        let mut of_mail = Vec::new();
        if offers.size {
            of_mail.push(MailParameter::Size(parcel.message.len()));
        }
        if eight_bit {
            of_mail.push(MailParameter::Body(MailBodyParameter::EightBitMime));
        }
        if wide {
            of_mail.push(MailParameter::SmtpUtfEight);
        }
        let mut of_rcpt = Vec::new();
        if offers.dsn {
            let mail = |keyword: &str, value: &str| MailParameter::Other {
                keyword: keyword.to_owned(),
                value: Some(value.to_owned()),
            };
            let rcpt = |keyword: &str, value: String| RcptParameter::Other {
                keyword: keyword.to_owned(),
                value: Some(value),
            };
            of_mail.push(mail("RET", "HDRS"));
            of_mail.push(mail("ENVID", parcel.tag.as_str()));
            of_rcpt.push(rcpt("NOTIFY", "SUCCESS,FAILURE,DELAY".to_owned()));
            // RFC 6533 section 3 has a type of its own for addresses beyond ASCII.
            let kind = if parcel.recipient.is_ascii() { "rfc822" } else { "utf-8" };
            of_rcpt.push(rcpt("ORCPT", format!("{kind};{}", parcel.recipient)));
        }
        Ok(Self {
            mail: Mail::new(sender, of_mail).to_string(),
            rcpt: Rcpt::new(recipient, of_rcpt).to_string(),
        })
    }
}

/// The address for a command. Only what would break the command is refused: whether the address is a good one is for the server to say.
fn address(text: &str) -> Result<Address, String> {
    let (local, domain) = text
        .rsplit_once('@')
        .ok_or_else(|| format!("{text:?} is no address: it has no @"))?;
    let quoted = local.len() >= 2 && local.starts_with('"') && local.ends_with('"');
    let breaks = |character: char| character.is_control() || (!quoted && matches!(character, ' ' | '<' | '>' | '"' | '\\'));
    if local.is_empty() || domain.is_empty() || local.chars().any(breaks) || domain.chars().any(|c| c.is_control() || " <>\"\\".contains(c))
    {
        return Err(format!("{text:?} is no address that SMTP could carry"));
    }
    Ok(Address::new_dangerous(local, domain))
}

/// `message` with its dots stuffed (RFC 5321 section 4.5.2), every line ended by CRLF, and the final dot behind it.
pub(super) fn stuffed(message: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(message.len() + message.len() / 64 + 16);
    let mut rest = message;
    while !rest.is_empty() {
        // A bare CR or LF is never sent: servers differ in what they take for a line end, and a dot behind one could end the message.
        let end = rest.iter().position(|&byte| byte == b'\r' || byte == b'\n').unwrap_or(rest.len());
        let (line, after) = rest.split_at(end);
        if line.first() == Some(&b'.') {
            out.push(b'.');
        }
        out.extend_from_slice(line);
        out.extend_from_slice(b"\r\n");
        rest = after.strip_prefix(b"\r\n").or_else(|| after.get(1..)).unwrap_or_default();
    }
    out.extend_from_slice(FINAL_DOT);
    out
}

#[cfg(test)]
mod tests {
    use super::{super::failure::Kind, *};
    use crate::model::{ProbeId, RunId, TagKey};

    fn parcel(from: &str, to: &str, message: &[u8]) -> Parcel {
        let probe = ProbeId::new(&RunId::from_random([1; 6]), [2; 16]);
        Parcel {
            probe,
            tag: TagKey::new(&[3; 32]).tag(probe),
            envelope_sender: from.to_owned(),
            recipient: to.to_owned(),
            hop: None,
            message: message.into(),
        }
    }

    fn everything() -> Offers {
        Offers {
            size: true,
            eight_bit_mime: true,
            smtp_utf8: true,
            dsn: true,
            ..Offers::default()
        }
    }

    #[test]
    fn parameters_are_given_only_where_offered() {
        let parcel = parcel("probe@a.example", "x+y=z@b.example", b"hello\r\n");
        let plain = Envelope::of(&parcel, &Offers::default()).unwrap();
        assert_eq!(plain.mail, "MAIL FROM:<probe@a.example>\r\n");
        assert_eq!(plain.rcpt, "RCPT TO:<x+y=z@b.example>\r\n");
        let full = Envelope::of(&parcel, &everything()).unwrap();
        let tag = &parcel.tag;
        assert_eq!(full.mail, format!("MAIL FROM:<probe@a.example> SIZE=7 RET=HDRS ENVID={tag}\r\n"));
        assert_eq!(
            full.rcpt,
            "RCPT TO:<x+y=z@b.example> NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=rfc822;x+2By+3Dz@b.example\r\n"
        );
    }

    #[test]
    fn the_null_sender_and_wide_addresses_are_written_as_they_must_be() {
        let envelope = Envelope::of(&parcel("", "bücher@b.example", "é".as_bytes()), &everything()).unwrap();
        assert!(
            envelope.mail.starts_with("MAIL FROM:<> SIZE=2 BODY=8BITMIME SMTPUTF8 RET=HDRS"),
            "{}",
            envelope.mail
        );
        assert!(envelope.rcpt.ends_with("ORCPT=utf-8;bücher@b.example\r\n"), "{}", envelope.rcpt);
    }

    #[test]
    fn what_the_server_cannot_carry_is_refused_in_its_stead() {
        for (to, message, code, enhanced) in [("bücher@b.example", "x", 553, "5.6.7"), ("x@b.example", "é", 554, "5.6.3")] {
            let failure = Envelope::of(&parcel("a@a.example", to, message.as_bytes()), &Offers::default()).unwrap_err();
            assert_eq!(failure.kind, Kind::Answer);
            assert_eq!(
                (failure.reply.code, failure.reply.enhanced.as_deref(), failure.reply.ours),
                (Some(code), Some(enhanced), true)
            );
        }
    }

    #[test]
    fn an_address_cannot_smuggle_a_command() {
        for bad in [
            "x",
            "@b",
            "a@",
            "a b@c",
            "a@b>\r\nRSET",
            "a\r\n@b",
            "a>@b",
            "a@b c",
            "\"a\r\"@b",
            "a\0@b",
        ] {
            let failure = Envelope::of(&parcel("a@a.example", bad, b""), &everything()).unwrap_err();
            assert!(matches!(failure.kind, Kind::Trouble { hopeless: true, .. }), "{bad:?}");
        }
        for good in ["\"a b\"@c", "a..b@c", "a@[127.0.0.1]", "a@[IPv6:::1]", "a/b@c"] {
            assert!(Envelope::of(&parcel("a@a.example", good, b""), &everything()).is_ok(), "{good:?}");
        }
    }

    #[test]
    fn dots_are_stuffed_and_bare_line_ends_made_whole() {
        for (message, wire) in [
            ("", ".\r\n"),
            ("a\r\n", "a\r\n.\r\n"),
            ("a", "a\r\n.\r\n"),
            (".\r\n..\r\na.b\r\n", "..\r\n...\r\na.b\r\n.\r\n"),
            ("a\r\n\r\n.b", "a\r\n\r\n..b\r\n.\r\n"),
            ("a\n.\nb\r.\rc\n\r\n", "a\r\n..\r\nb\r\n..\r\nc\r\n\r\n.\r\n"),
        ] {
            assert_eq!(String::from_utf8(stuffed(message.as_bytes())).unwrap(), wire, "{message:?}");
        }
    }
}
