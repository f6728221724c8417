//! The page of a small world, as it stands: its body without style and script.

use crate::model::{Summary, Verdict};
use crate::report::{Format, Style, tests};

#[test]
fn the_page_of_a_few_probes() {
    let mut judged = tests::judged();
    let mut wanted = vec![Verdict::Inbox, Verdict::Junk, Verdict::Rejected, Verdict::Lost, Verdict::Unknown];
    judged.probes.retain(|probe| {
        let place = wanted.iter().position(|verdict| *verdict == probe.verdict);
        place.map(|place| wanted.remove(place)).is_some()
    });
    assert_eq!(judged.probes.len(), 5);
    judged.summary = Summary::of(&judged.probes);
    let page = tests::rendered(Format::Html, &judged, &Style::default());
    let body = page.split_once("<body>").and_then(|(_, rest)| rest.split_once("<script>"));
    insta::assert_snapshot!("page", body.map(|(body, _)| body).unwrap_or_default());
}
