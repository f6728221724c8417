//! Exim's bounces without a report part: `X-Failed-Recipients` names the recipients, the text has a paragraph for each.

use super::{MOST_RECIPIENTS, address_in, notice, paragraph_of, says_delayed};
use crate::{evidence::dsn::Notice, model::DsnAction};

pub(super) fn read(recipients: &str, text: &str, subject: &str) -> Vec<Notice> {
    let action = if says_delayed(text) || subject.to_lowercase().starts_with("warning: message ") {
        DsnAction::Delayed
    } else {
        DsnAction::Failed
    };
    let named: Vec<String> = recipients
        .split([',', ' ', '\t'])
        .filter_map(address_in)
        .take(MOST_RECIPIENTS)
        .collect();
    let one = |recipient: String| {
        let paragraph = paragraph_of(text, &recipient);
        // Behind an alias or a list Exim says which address it came from: `(generated from all@example.org)`.
        let original = paragraph
            .split_once("generated from ")
            .and_then(|(_, rest)| address_in(rest.split_whitespace().next()?));
        Notice {
            original_recipient: original,
            ..notice(action, Some(recipient), &paragraph)
        }
    };
    let mut notices: Vec<Notice> = named.into_iter().map(one).collect();
    if notices.is_empty() {
        notices.push(notice(action, None, text));
    }
    notices
}
