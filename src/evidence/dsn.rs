//! Delivery status notifications (RFC 3464): the fields of `message/delivery-status`, one group for each recipient.

use super::{
    codes,
    mime::{Entity, Header, without_blank_lines},
    shorten,
};
use crate::model::DsnAction;

/// The most recipients of one report.
const MOST_GROUPS: usize = 256;
/// The most characters that are kept of a diagnostic.
pub(super) const LONGEST_DIAGNOSTIC: usize = 1_000;

/// What a notification says of one recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Notice {
    pub action: DsnAction,
    pub status: Option<String>,
    pub recipient: Option<String>,
    pub original_recipient: Option<String>,
    pub reporting_mta: Option<String>,
    pub remote_mta: Option<String>,
    pub diagnostic: Option<String>,
}

/// A whole notification.
#[derive(Debug, Default)]
pub(super) struct Report {
    /// One for each recipient.
    pub notices: Vec<Notice>,
    /// `Original-Envelope-Id`: the `ENVID` of RFC 3461, which is the tag.
    pub envelope_id: Option<String>,
}

/// The machine-readable part of a delivery report; `None` if the message has none, or if it says nothing of any recipient.
pub(super) fn read(message: &Entity) -> Option<Report> {
    let part = message.leaves().into_iter().find(|part| {
        matches!(
            part.media.kind.as_str(),
            "message/delivery-status" | "message/global-delivery-status"
        )
    })?;
    let content = part.content();
    let mut report = Report::default();
    let mut reporting_mta = None;
    let mut rest: &[u8] = &content;
    let mut is_first = true;
    while !rest.trim_ascii().is_empty() && report.notices.len() < MOST_GROUPS {
        let (group, after) = Header::parse(without_blank_lines(rest));
        rest = after;
        if is_first {
            report.envelope_id = value(&group, "Original-Envelope-Id");
            reporting_mta = value(&group, "Reporting-MTA").map(|name| host_of(&name));
        }
        // Some systems forget the empty line after the first group, so it may speak of a recipient as well.
        report.notices.extend(notice(&group, reporting_mta.as_deref()));
        is_first = false;
    }
    (!report.notices.is_empty()).then_some(report)
}

fn notice(group: &Header, reporting_mta: Option<&str>) -> Option<Notice> {
    let recipient = value(group, "Final-Recipient");
    let action = value(group, "Action");
    if recipient.is_none() && action.is_none() {
        return None;
    }
    let diagnostic = value(group, "Diagnostic-Code").map(|text| without_type(&text));
    let status = status(value(group, "Status").as_deref(), diagnostic.as_deref());
    Some(Notice {
        action: action.as_deref().and_then(self::action).or_else(|| action_of(status.as_deref()))?,
        status,
        recipient: recipient.map(|address| address_of(&address)),
        original_recipient: value(group, "Original-Recipient").map(|address| address_of(&address)),
        reporting_mta: reporting_mta.map(str::to_owned),
        remote_mta: value(group, "Remote-MTA").map(|name| host_of(&name)),
        diagnostic: diagnostic
            .filter(|text| !text.is_empty())
            .map(|text| shorten(&text, LONGEST_DIAGNOSTIC)),
    })
}

fn value(group: &Header, name: &str) -> Option<String> {
    let text = group.get(name)?.text();
    let words: Vec<&str> = text.split_whitespace().collect();
    (!words.is_empty()).then(|| words.join(" "))
}

/// RFC 3464 section 2.3.3; some systems add a comment.
fn action(word: &str) -> Option<DsnAction> {
    match word
        .split(|c: char| !c.is_ascii_alphabetic())
        .find(|word| !word.is_empty())?
        .to_ascii_lowercase()
        .as_str()
    {
        "failed" | "failure" => Some(DsnAction::Failed),
        "delayed" => Some(DsnAction::Delayed),
        "delivered" => Some(DsnAction::Delivered),
        "relayed" => Some(DsnAction::Relayed),
        "expanded" => Some(DsnAction::Expanded),
        _ => None,
    }
}

/// Where the action is missing or unheard of, the class of the status says it.
fn action_of(status: Option<&str>) -> Option<DsnAction> {
    match status?.bytes().next()? {
        b'2' => Some(DsnAction::Delivered),
        b'4' => Some(DsnAction::Delayed),
        b'5' => Some(DsnAction::Failed),
        _ => None,
    }
}

/// The status, or that of the diagnostic where the field says only its class (`5.0.0`) and the diagnostic says more.
fn status(field: Option<&str>, diagnostic: Option<&str>) -> Option<String> {
    let field = field.and_then(codes::enhanced);
    let said = diagnostic.and_then(codes::enhanced);
    match (field, said) {
        (Some(field), Some(said)) if field.ends_with(".0.0") && field.get(..1) == said.get(..1) => Some(said),
        (Some(field), _) => Some(field),
        (None, said) => said,
    }
}

/// `rfc822; user@host` without its type, brackets and comments.
fn address_of(value: &str) -> String {
    let address = without_type(value);
    let address = address
        .rsplit_once('<')
        .and_then(|(_, rest)| rest.split_once('>'))
        .map_or(address.as_str(), |(address, _)| address);
    shorten(address.trim(), 320)
}

/// `dns; host. (comment)` without its type, comment and final dot.
fn host_of(value: &str) -> String {
    let host = without_type(value);
    let host = host.split_once(" (").map_or(host.as_str(), |(host, _)| host);
    host.trim().trim_end_matches('.').to_owned()
}

/// `smtp; 550 …` or `dns; host` without the type.
fn without_type(value: &str) -> String {
    let typed = value
        .split_once(';')
        .filter(|(kind, _)| kind.trim().len() <= 40 && kind.trim().bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'));
    shorten(typed.map_or(value, |(_, rest)| rest).trim(), LONGEST_DIAGNOSTIC)
}
