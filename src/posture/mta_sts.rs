//! Whether senders must insist on TLS towards a domain: the record, the policy file, and whether the MX hosts fit it (RFC 8461).
//!
//! What it cannot see: the policies that other senders keep from earlier, for as long as their `max_age` says.

use super::{
    asker::{Asked, Asker, Found},
    judgement::{Judgement, listed, of_version, quoted},
};
use mail_auth::{common::parse::TxtRecordParser, mta_sts::MtaSts};
use reqwest::{Client, Url, redirect};
use rustls::ClientConfig;
use std::{error::Error as _, net::SocketAddr, time::Duration};

/// The longest policy that is read: RFC 8461 section 3.2 lets senders stop there.
const POLICY_LIMIT: usize = 64 << 10;
/// So many patterns of a policy are read.
const PATTERNS: usize = 100;

/// A policy.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Policy {
    mode: Mode,
    /// Host names, perhaps with `*.` in front.
    patterns: Vec<String>,
    max_age: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Enforce,
    Testing,
    None,
}

/// The name at which the record is.
pub(super) fn name(domain: &str) -> String {
    format!("_mta-sts.{domain}")
}

/// Whether a record says that there is a policy; only then it is fetched.
pub(super) fn is_used(answer: &Asked<Vec<u8>>) -> bool {
    answer.as_ref().is_ok_and(|found| of_version(found.records(), "v=STSv1").len() == 1)
}

/// The policy file of a domain; `Err` says in a sentence why there is none.
pub(super) async fn fetch(asker: &Asker, tls: &ClientConfig, domain: &str, port: u16, limit: Duration) -> Result<Vec<u8>, String> {
    let host = format!("mta-sts.{domain}");
    let addresses: Vec<SocketAddr> = match asker.addresses(&host).await? {
        Found::Records(addresses) => addresses.into_iter().map(|address| SocketAddr::new(address, port)).collect(),
        Found::None | Found::NoSuchName => return Err(format!("{host} has no address")),
    };
    let url = Url::parse(&format!("https://{host}:{port}/.well-known/mta-sts.txt")).map_err(|_| format!("{host} is no host name"))?;
    let client = Client::builder()
        .tls_backend_preconfigured(tls.clone())
        .user_agent(concat!("mailflow/", env!("CARGO_PKG_VERSION")))
        // RFC 8461 section 3.3: a redirection is a failure.
        .redirect(redirect::Policy::none())
        .referer(false)
        .no_proxy()
        .timeout(limit)
        .resolve_to_addrs(&host, &addresses)
        .build()
        .map_err(|error| format!("HTTPS cannot be set up: {}", reason(error)))?;
    let mut response = client.get(url).send().await.map_err(|error| format!("{host}: {}", reason(error)))?;
    if response.status() != reqwest::StatusCode::OK {
        return Err(format!("{host} answers HTTP {} instead of 200", response.status().as_u16()));
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| format!("{host}: {}", reason(error)))? {
        if body.len() + chunk.len() > POLICY_LIMIT {
            return Err(format!("the policy at {host} is longer than {POLICY_LIMIT} bytes"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// The innermost reason.
fn reason(error: reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".to_owned();
    }
    let error = error.without_url();
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text = inner.to_string();
        source = inner.source();
    }
    quoted(text.split_once(" (os error").map_or(text.as_str(), |(words, _)| words).as_bytes())
}

/// Reads a policy (RFC 8461 section 3.2); `Err` says what it lacks.
fn parse(body: &[u8]) -> Result<Policy, String> {
    let text = std::str::from_utf8(body).map_err(|_| "it is not text".to_owned())?;
    let (mut version, mut mode, mut max_age, mut patterns) = (None, None, None, Vec::new());
    for line in text.lines() {
        let Some((key, value)) = line.split_once(':') else { continue };
        let value = value.trim();
        match key.trim() {
            "version" => version = version.or(Some(value)),
            "mode" => mode = mode.or(Some(value)),
            "max_age" => max_age = max_age.or(Some(value)),
            "mx" if patterns.len() < PATTERNS => patterns.push(value.trim_end_matches('.').to_ascii_lowercase()),
            _ => {}
        }
    }
    if version != Some("STSv1") {
        return Err("it does not say `version: STSv1`".to_owned());
    }
    let mode = match mode {
        Some("enforce") => Mode::Enforce,
        Some("testing") => Mode::Testing,
        Some("none") => Mode::None,
        _ => return Err("its mode is none of `enforce`, `testing` and `none`".to_owned()),
    };
    let max_age = max_age.and_then(|age| age.parse().ok()).ok_or("it has no `max_age` in seconds")?;
    if patterns.is_empty() && mode != Mode::None {
        return Err("it names no `mx`".to_owned());
    }
    Ok(Policy { mode, patterns, max_age })
}

/// Whether a host fits a pattern: `*.` stands for just one label (RFC 8461 section 4.1).
fn fits(pattern: &str, host: &str) -> bool {
    match pattern.strip_prefix("*.") {
        Some(parent) => host
            .split_once('.')
            .is_some_and(|(label, rest)| !label.is_empty() && rest == parent),
        None => pattern == host,
    }
}

/// What follows from the TXT records at [`name`], the policy file if it was asked for, and the domain's MX hosts.
pub(super) fn judge(domain: &str, answer: &Asked<Vec<u8>>, policy: Option<&Result<Vec<u8>, String>>, hosts: &[&str]) -> Judgement {
    let found = match answer {
        Err(trouble) => return Judgement::unknown(format!("MTA-STS of {domain} is not known: {trouble}")),
        Ok(found) => found,
    };
    match of_version(found.records(), "v=STSv1").as_slice() {
        [] => return Judgement::right(format!("{domain} does not use MTA-STS")),
        [record] if MtaSts::parse(record).is_err() => {
            return Judgement::doubtful(
                format!("the record at {} cannot be read: {}", name(domain), quoted(record)),
                "write it as `v=STSv1; id=ID`",
            );
        }
        [_] => {}
        several => {
            return Judgement::doubtful(
                format!("{} has {} MTA-STS records, so that none counts", name(domain), several.len()),
                "leave one of them",
            );
        }
    }
    let policy = match policy {
        None => return Judgement::unknown(format!("the MTA-STS policy of {domain} was not fetched")),
        Some(Err(trouble)) => {
            return Judgement::doubtful(
                format!("{domain} announces MTA-STS, but its policy cannot be had: {trouble}"),
                format!(
                    "serve it at https://mta-sts.{domain}/.well-known/mta-sts.txt with a certificate for that name, or remove the record at {}",
                    name(domain)
                ),
            );
        }
        Some(Ok(body)) => match parse(body) {
            Ok(policy) => policy,
            Err(lack) => {
                return Judgement::doubtful(
                    format!("the MTA-STS policy of {domain} does not count: {lack}"),
                    "correct it: RFC 8461 section 3.2 has the form",
                );
            }
        },
    };
    let strangers: Vec<&str> = hosts
        .iter()
        .copied()
        .filter(|host| !policy.patterns.iter().any(|pattern| fits(pattern, host)))
        .collect();
    let days = policy.max_age / 86_400;
    match (policy.mode, strangers.as_slice()) {
        (Mode::None, _) => Judgement::right(format!("the MTA-STS policy of {domain} is switched off (mode: none)")),
        (Mode::Enforce, []) => Judgement::right(format!("{domain} enforces MTA-STS, and its MX hosts fit the policy ({days} days)")),
        (Mode::Testing, []) => Judgement::right(format!("{domain} tests MTA-STS, and its MX hosts fit the policy")),
        (Mode::Enforce, strangers) => Judgement::doubtful(
            format!(
                "the enforced MTA-STS policy of {domain} does not name its MX {}: senders that keep to it will not deliver there",
                listed(strangers)
            ),
            "name the host in the policy, and then change the `id` of the record",
        ),
        (Mode::Testing, strangers) => Judgement::doubtful(
            format!(
                "the MTA-STS policy of {domain}, in testing, does not name its MX {}",
                listed(strangers)
            ),
            "name the host in the policy before it is enforced",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::FactState::{Doubtful, Right, Unknown};

    #[test]
    fn a_star_is_one_label() {
        for (pattern, host, fitting) in [
            ("mx.d.example", "mx.d.example", true),
            ("*.d.example", "mx.d.example", true),
            ("*.d.example", "a.mx.d.example", false),
            ("*.d.example", "d.example", false),
            ("d.example", "mx.d.example", false),
        ] {
            assert_eq!(fits(pattern, host), fitting, "{pattern} {host}");
        }
    }

    #[test]
    fn policies_are_judged() {
        let txt = |records: &[&str]| Ok(Found::Records(records.iter().map(|text| text.as_bytes().to_vec()).collect()));
        let used = || txt(&["v=STSv1; id=20260101"]);
        let file = |text: &str| Some(Ok(text.as_bytes().to_vec()));
        let table: Vec<(Asked<Vec<u8>>, Option<Result<Vec<u8>, String>>, _, &str)> = vec![
            (Ok(Found::NoSuchName), None, Right, "d does not use MTA-STS"),
            (txt(&["hello"]), None, Right, "d does not use MTA-STS"),
            (Err("no answer".to_owned()), None, Unknown, "MTA-STS of d is not known: no answer"),
            (
                txt(&["v=STSv1"]),
                None,
                Doubtful,
                "the record at _mta-sts.d cannot be read: v=STSv1",
            ),
            (
                txt(&["v=STSv1; id=1", "v=STSv1; id=2"]),
                None,
                Doubtful,
                "_mta-sts.d has 2 MTA-STS records, so that none counts",
            ),
            (
                used(),
                Some(Err("mta-sts.d has no address".to_owned())),
                Doubtful,
                "d announces MTA-STS, but its policy cannot be had: mta-sts.d has no address",
            ),
            (
                used(),
                file("version: STSv1\r\nmode: enforce\r\nmx: mx.d\r\nmax_age: 604800\r\n"),
                Right,
                "d enforces MTA-STS, and its MX hosts fit the policy (7 days)",
            ),
            (
                used(),
                file("version: STSv1\nmode: testing\nmx: *.e\nmx: mx.d\nmax_age: 1"),
                Right,
                "d tests MTA-STS, and its MX hosts fit the policy",
            ),
            (
                used(),
                file("version: STSv1\nmode: none\nmax_age: 1"),
                Right,
                "the MTA-STS policy of d is switched off (mode: none)",
            ),
            (
                used(),
                file("version: STSv1\nmode: enforce\nmx: old.d\nmax_age: 1"),
                Doubtful,
                "the enforced MTA-STS policy of d does not name its MX mx.d: senders that keep to it will not deliver there",
            ),
            (
                used(),
                file("version: STSv1\nmode: testing\nmx: old.d\nmax_age: 1"),
                Doubtful,
                "the MTA-STS policy of d, in testing, does not name its MX mx.d",
            ),
            (
                used(),
                file("<html>"),
                Doubtful,
                "the MTA-STS policy of d does not count: it does not say `version: STSv1`",
            ),
            (
                used(),
                file("version: STSv1\nmode: strict\nmx: mx.d\nmax_age: 1"),
                Doubtful,
                "the MTA-STS policy of d does not count: its mode is none of `enforce`, `testing` and `none`",
            ),
            (
                used(),
                file("version: STSv1\nmode: enforce\nmax_age: 1"),
                Doubtful,
                "the MTA-STS policy of d does not count: it names no `mx`",
            ),
            (
                used(),
                file("version: STSv1\nmode: enforce\nmx: mx.d\nmax_age: soon"),
                Doubtful,
                "the MTA-STS policy of d does not count: it has no `max_age` in seconds",
            ),
            (
                used(),
                Some(Ok(vec![0xff, 0xfe])),
                Doubtful,
                "the MTA-STS policy of d does not count: it is not text",
            ),
        ];
        for (answer, policy, state, said) in table {
            let judged = judge("d", &answer, policy.as_ref(), &["mx.d"]);
            assert_eq!((judged.state, judged.said.as_str()), (state, said));
        }
    }
}
