//! SMTP command lines read into values (RFC 5321, with the parameters of RFC 1870, 3461, 4954, 6152 and 6531).
//!
//! Pure. Cannot see the session: what may come when is decided there.

use super::super::bounce::Notify;

/// The longest local part and domain that are taken (RFC 5321, section 4.5.3.1, with room for what VERP makes of addresses).
const LONGEST_ADDRESS: usize = 254;
const LONGEST_ENVELOPE_ID: usize = 100;
const LONGEST_ORCPT: usize = 500;

/// A command.
#[derive(Debug, PartialEq, Eq)]
pub enum Command {
    /// EHLO, and what the client calls itself.
    Ehlo(String),
    /// HELO, and what the client calls itself.
    Helo(String),
    /// MAIL FROM
    Mail(Sender),
    /// RCPT TO
    Rcpt(To),
    /// DATA
    Data,
    /// RSET
    Rset,
    /// NOOP
    Noop,
    /// QUIT
    Quit,
    /// STARTTLS
    StartTls,
    /// AUTH with its mechanism, upper case, and the initial response.
    Auth(String, Option<String>),
    /// VRFY, EXPN and HELP.
    Unhelpful,
}

/// MAIL FROM with its parameters.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Sender {
    /// The address; empty for the null sender.
    pub address: String,
    /// SIZE, in octets.
    pub size: Option<u64>,
    /// RET=FULL
    pub full: bool,
    /// ENVID, decoded.
    pub envelope_id: Option<String>,
    /// SMTPUTF8
    pub utf8: bool,
}

/// RCPT TO with its parameters.
#[derive(Debug, PartialEq, Eq)]
pub struct To {
    /// The address.
    pub address: String,
    /// NOTIFY
    pub notify: Notify,
    /// ORCPT as `type;address`, decoded.
    pub original: Option<String>,
}

/// Why a line is no command; the reply to give.
pub type Refusal = &'static str;

const SYNTAX: Refusal = "501 5.5.4 Syntax error in parameters";
const ADDRESS: Refusal = "501 5.1.3 Bad address syntax";
const PARAMETER: Refusal = "555 5.5.4 Unsupported parameter";

impl Command {
    /// Reads one line.
    ///
    /// # Errors
    /// The reply for a line that is no command.
    pub fn parse(line: &[u8]) -> Result<Self, Refusal> {
        let line = std::str::from_utf8(line).map_err(|_| "500 5.5.2 The line is not UTF-8")?;
        if line.chars().any(char::is_control) {
            return Err("500 5.5.2 Control characters in the line");
        }
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        let rest = rest.trim();
        match verb.to_ascii_uppercase().as_str() {
            "EHLO" => client_name(rest).map(Self::Ehlo),
            "HELO" => client_name(rest).map(Self::Helo),
            "MAIL" => mail(after_keyword(rest, "FROM:")?).map(Self::Mail),
            "RCPT" => rcpt(after_keyword(rest, "TO:")?).map(Self::Rcpt),
            "DATA" => bare(rest, Self::Data),
            "RSET" => bare(rest, Self::Rset),
            "QUIT" => bare(rest, Self::Quit),
            "STARTTLS" => bare(rest, Self::StartTls),
            "NOOP" => Ok(Self::Noop),
            "AUTH" => {
                let mut words = rest.split_ascii_whitespace();
                let mechanism = words.next().ok_or(SYNTAX)?.to_ascii_uppercase();
                let initial = words.next().map(str::to_owned);
                if words.next().is_some() {
                    Err(SYNTAX)
                } else {
                    Ok(Self::Auth(mechanism, initial))
                }
            }
            "VRFY" | "EXPN" | "HELP" => Ok(Self::Unhelpful),
            _ => Err("500 5.5.1 Command unknown"),
        }
    }
}

fn bare(rest: &str, command: Command) -> Result<Command, Refusal> {
    if rest.is_empty() { Ok(command) } else { Err(SYNTAX) }
}

fn client_name(name: &str) -> Result<String, Refusal> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._:[]".contains(&b);
    if !name.is_empty() && name.len() <= LONGEST_ADDRESS && name.bytes().all(plain) {
        Ok(name.to_owned())
    } else {
        Err(SYNTAX)
    }
}

fn after_keyword<'a>(rest: &'a str, keyword: &str) -> Result<&'a str, Refusal> {
    match rest.get(..keyword.len()) {
        Some(start) if start.eq_ignore_ascii_case(keyword) => Ok(rest[keyword.len()..].trim_start()),
        _ => Err(SYNTAX),
    }
}

/// The path between angle brackets, and the parameters behind it.
fn path(text: &str) -> Result<(&str, &str), Refusal> {
    let inner = text.strip_prefix('<').ok_or(ADDRESS)?;
    // A quoted local part may hold a closing bracket.
    let (mut quoted, mut escaped) = (false, false);
    for (at, c) in inner.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '>' if !quoted => return Ok((&inner[..at], inner[at + 1..].trim())),
            _ => {}
        }
    }
    Err(ADDRESS)
}

fn address(path: &str) -> Result<String, Refusal> {
    // A source route is read and forgotten (RFC 5321, appendix C).
    let address = if path.starts_with('@') {
        path.split_once(':').ok_or(ADDRESS)?.1
    } else {
        path
    };
    let (local, domain) = address.rsplit_once('@').ok_or(ADDRESS)?;
    let odd = |c: char| c.is_whitespace() || "<>(),;:\\\"".contains(c);
    let local_ok = !local.is_empty() && ((local.len() > 1 && local.starts_with('"') && local.ends_with('"')) || !local.contains(odd));
    let domain_ok = !domain.is_empty() && !domain.contains(odd) && !domain.starts_with('.') && !domain.contains("..");
    if local_ok && domain_ok && address.len() <= LONGEST_ADDRESS {
        Ok(address.to_owned())
    } else {
        Err(ADDRESS)
    }
}

fn mail(text: &str) -> Result<Sender, Refusal> {
    let (path, parameters) = path(text)?;
    let mut sender = Sender {
        address: if path.is_empty() { String::new() } else { address(path)? },
        ..Sender::default()
    };
    for (key, value) in parameters.split_ascii_whitespace().map(key_and_value) {
        match (key.as_str(), value) {
            ("SIZE", Some(size)) => sender.size = Some(size.parse().map_err(|_| SYNTAX)?),
            ("RET", Some(ret)) if ret.eq_ignore_ascii_case("FULL") => sender.full = true,
            ("RET", Some(ret)) if ret.eq_ignore_ascii_case("HDRS") => sender.full = false,
            ("ENVID", Some(id)) if id.len() <= LONGEST_ENVELOPE_ID => sender.envelope_id = Some(xtext(id).ok_or(SYNTAX)?),
            ("BODY", Some(body)) if ["7BIT", "8BITMIME"].iter().any(|b| body.eq_ignore_ascii_case(b)) => {}
            ("SMTPUTF8", None) => sender.utf8 = true,
            // Who submitted it elsewhere (RFC 4954, section 5) changes nothing here.
            ("AUTH", Some(_)) => {}
            ("SIZE" | "RET" | "ENVID" | "BODY", _) => return Err(SYNTAX),
            _ => return Err(PARAMETER),
        }
    }
    if !sender.utf8 && !sender.address.is_ascii() {
        return Err("553 5.6.7 An address beyond ASCII needs SMTPUTF8");
    }
    Ok(sender)
}

fn rcpt(text: &str) -> Result<To, Refusal> {
    let (path, parameters) = path(text)?;
    let mut to = To {
        address: address(path)?,
        notify: Notify::default(),
        original: None,
    };
    for (key, value) in parameters.split_ascii_whitespace().map(key_and_value) {
        match (key.as_str(), value) {
            ("NOTIFY", Some(when)) => to.notify = notify(when).ok_or(SYNTAX)?,
            ("ORCPT", Some(original)) if original.len() <= LONGEST_ORCPT => {
                let (kind, address) = original.split_once(';').ok_or(SYNTAX)?;
                let address = xtext(address).filter(|_| kind.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'));
                to.original = Some(format!("{kind};{}", address.ok_or(SYNTAX)?));
            }
            ("NOTIFY" | "ORCPT", _) => return Err(SYNTAX),
            _ => return Err(PARAMETER),
        }
    }
    Ok(to)
}

fn key_and_value(parameter: &str) -> (String, Option<&str>) {
    let (key, value) = parameter.split_once('=').map_or((parameter, None), |(k, v)| (k, Some(v)));
    (key.to_ascii_uppercase(), value)
}

fn notify(when: &str) -> Option<Notify> {
    let mut notify = Notify {
        success: false,
        failure: false,
        delay: false,
    };
    if when.eq_ignore_ascii_case("NEVER") {
        return Some(notify);
    }
    for word in when.split(',') {
        match word.to_ascii_uppercase().as_str() {
            "SUCCESS" => notify.success = true,
            "FAILURE" => notify.failure = true,
            "DELAY" => notify.delay = true,
            _ => return None,
        }
    }
    Some(notify)
}

/// Undoes xtext (RFC 3461, section 4). What it hides must be printable ASCII, since it is written into headers.
fn xtext(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let byte = match byte {
            b'+' => {
                let (high, low) = (hex(rest.next()?)?, hex(rest.next()?)?);
                high * 16 + low
            }
            b'!'..=b'~' if byte != b'=' => byte,
            _ => return None,
        };
        if !(b' '..=b'~').contains(&byte) {
            return None;
        }
        out.push(char::from(byte));
    }
    (!out.is_empty()).then_some(out)
}

fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mail_with_every_parameter() {
        let line = b"mail from:<Probe@Sender.example> SIZE=1000 BODY=8BITMIME SMTPUTF8 RET=FULL ENVID=a+20b AUTH=<>";
        let sender = Sender {
            address: "Probe@Sender.example".into(),
            size: Some(1000),
            full: true,
            envelope_id: Some("a b".into()),
            utf8: true,
        };
        assert_eq!(Command::parse(line), Ok(Command::Mail(sender)));
        assert_eq!(Command::parse(b"MAIL FROM:<>"), Ok(Command::Mail(Sender::default())));
    }

    #[test]
    fn rcpt_with_notify_and_original_recipient() {
        let Ok(Command::Rcpt(to)) = Command::parse(b"RCPT TO:<a@b> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;x+2By@b") else {
            panic!()
        };
        assert_eq!(
            to.notify,
            Notify {
                success: true,
                failure: false,
                delay: true
            }
        );
        assert_eq!(to.original.as_deref(), Some("rfc822;x+y@b"));
        let Ok(Command::Rcpt(to)) = Command::parse(b"RCPT TO:<@relay,@other:a@b> NOTIFY=NEVER") else {
            panic!()
        };
        assert_eq!((to.address.as_str(), to.notify.failure), ("a@b", false));
    }

    #[test]
    fn quoted_local_parts_may_hold_brackets() {
        let Ok(Command::Rcpt(to)) = Command::parse(br#"RCPT TO:<"a>b"@c>"#) else {
            panic!()
        };
        assert_eq!(to.address, r#""a>b"@c"#);
    }

    #[test]
    fn wrong_lines_get_a_reply() {
        for line in [
            &b"MAIL FROM:a@b"[..],
            b"MAIL FROM:<a>",
            b"MAIL FROM:<a b@c>",
            b"MAIL FROM:<a@b> SIZE=x",
            b"MAIL FROM:<a@b> RET=MAYBE",
            b"MAIL FROM:<a@b> ENVID=+0D+0A",
            b"MAIL FROM:<a@b> FOO=1",
            "MAIL FROM:<ü@b>".as_bytes(),
            b"RCPT TO:<>",
            b"RCPT TO:<a@b> NOTIFY=NEVER,SUCCESS",
            b"RCPT TO:<a@b> ORCPT=nothing",
            b"RCPT TO:<a@b\r\nDATA>",
            b"EHLO",
            b"EHLO a(b",
            b"DATA now",
            b"AUTH",
            b"\xff",
            b"",
            b"MAIL FROM\xc3\xbc",
        ] {
            let refusal = Command::parse(line).unwrap_err();
            assert!(refusal.starts_with('5'), "{refusal}");
        }
    }
}
