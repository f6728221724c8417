//! The way: the path that the site names, TLS towards the next hop, and whether it was taken at once.
//!
//! Hosts are not compared: those of a cluster take turns, and two routes differ in them by intention. Between routes the path is none either.

use super::pair::{Across, shows_header};
use crate::model::{Attempt, Difference, DifferenceKind, DsnAction, Flag, JudgedProbe, Verdict};

/// Everything of that.
pub fn differences(before: &JudgedProbe, after: &JudgedProbe, across: Across, all: &mut Vec<Difference>) {
    if across == Across::Runs && shows_header(before) && shows_header(after) && before.path != after.path {
        let name = |probe: &JudgedProbe| probe.path.clone().unwrap_or_else(|| "none that has a name".to_owned());
        all.push(Difference::new(DifferenceKind::Path, name(before), name(after)));
    }
    if let (Some(was), Some(is)) = (taken(before).map(protection), taken(after).map(protection))
        && was != is
    {
        all.push(Difference::new(DifferenceKind::Tls, was, is));
    }
    // Whoever is refused for good may have been put off first; the verdict tells more.
    let refused = |probe: &JudgedProbe| probe.verdict == Verdict::Rejected;
    let delayed = |probe: &JudgedProbe| probe.flags.contains(&Flag::Delayed);
    if delayed(before) != delayed(after) && !refused(before) && !refused(after) {
        let word = |delayed: bool| if delayed { "delayed" } else { "taken at once" };
        let by = if delayed(after) { after } else { before };
        all.push(Difference::new(DifferenceKind::Delay, word(delayed(before)), word(delayed(after))).noting(delayed_by(by)));
    }
}

/// The attempt that the next hop took.
fn taken(probe: &JudgedProbe) -> Option<&Attempt> {
    let is_taken = |attempt: &&Attempt| attempt.stage == "body" && attempt.reply.code.is_some_and(|code| (200..300).contains(&code));
    probe.attempts.iter().find(is_taken)
}

/// How the connection to the next hop was protected.
fn protection(attempt: &Attempt) -> &'static str {
    match &attempt.tls {
        None => "in the clear",
        Some(tls) if tls.certificate.is_ok() => "TLS",
        Some(_) => "TLS, the certificate does not hold",
    }
}

/// Who put it off, as far as that shows.
fn delayed_by(probe: &JudgedProbe) -> Option<String> {
    let put_off = |attempt: &&Attempt| attempt.reply.code.is_some_and(|code| (400..500).contains(&code)) && !attempt.reply.ours;
    if let Some(attempt) = probe.attempts.iter().find(put_off) {
        let code = attempt.reply.code.map(|code| code.to_string());
        let said: Vec<String> = code.into_iter().chain(attempt.reply.enhanced.clone()).collect();
        let greylisted = if attempt.reply.text.to_lowercase().contains("greylist") {
            ", greylisted"
        } else {
            ""
        };
        return Some(format!("{}{greylisted}", said.join(" ")));
    }
    let notice = probe.dsn.as_ref().filter(|dsn| dsn.action == DsnAction::Delayed)?;
    Some(format!("notice of {}", notice.reporting_mta.as_deref().unwrap_or("a later hop")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::fixture::{probe, with};
    use serde_json::json;

    fn said(before: &JudgedProbe, after: &JudgedProbe, across: Across) -> Vec<String> {
        let mut all = Vec::new();
        differences(before, after, across, &mut all);
        all.iter()
            .map(|difference| format!("{} {difference}", difference.kind.word()))
            .collect()
    }

    #[test]
    fn paths_are_compared_between_runs() {
        let old = with(&probe(), &[("path", "old".into())]);
        assert_eq!(said(&old, &probe(), Across::Runs), ["path old → none that has a name"]);
        assert!(said(&old, &probe(), Across::Routes).is_empty());
        let headless = with(&probe(), &[("hops", json!([]))]);
        assert!(said(&old, &headless, Across::Runs).is_empty(), "what is not shown is not compared");
    }

    #[test]
    fn greylisting_and_lost_tls_are_named() {
        let mut attempts = serde_json::to_value(&probe().attempts).unwrap();
        attempts[0]["tls"] = json!(null);
        let clear = with(&probe(), &[("attempts", attempts.clone())]);
        assert_eq!(said(&probe(), &clear, Across::Routes), ["tls TLS → in the clear"]);
        let mut first = attempts[0].clone();
        first["reply"] = json!({ "code": 451, "enhanced": "4.7.1", "text": "Greylisted, try again", "ours": false });
        first["stage"] = json!("rcpt");
        let greylisted = with(&clear, &[("flags", json!(["delayed"])), ("attempts", json!([first, attempts[0]]))]);
        assert_eq!(
            said(&clear, &greylisted, Across::Routes),
            ["delay taken at once → delayed (451 4.7.1, greylisted)"]
        );
    }
}
