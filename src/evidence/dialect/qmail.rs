//! The qmail-send bounce message format (QSBMF): a first paragraph that begins with `Hi. This is the`, then one for each recipient, which begins with
//! its address in angle brackets and a colon (<https://cr.yp.to/proto/qsbmf.txt>).

use super::{MOST_RECIPIENTS, address_in, notice};
use crate::{evidence::dsn::Notice, model::DsnAction};

pub(super) fn read(text: &str) -> Option<Vec<Notice>> {
    let text = text.trim_start().replace("\r\n", "\n");
    let (first, _) = text.split_once("\n\n")?;
    if !first.starts_with("Hi. This is the") {
        return None;
    }
    let program = first
        .split_once(" at ")
        .map(|(_, host)| host.split_whitespace().next().unwrap_or_default().trim_end_matches('.').to_owned());
    let notices: Vec<Notice> = text
        .split("\n\n")
        .skip(1)
        .filter_map(|paragraph| {
            let (address, words) = paragraph.trim_start().strip_prefix('<')?.split_once(">:")?;
            let mut notice = notice(
                DsnAction::Failed,
                Some(address_in(address).unwrap_or_else(|| address.chars().take(320).collect())),
                words,
            );
            notice.reporting_mta = program.clone().filter(|host| !host.is_empty());
            Some(notice)
        })
        .take(MOST_RECIPIENTS)
        .collect();
    (!notices.is_empty()).then_some(notices)
}
