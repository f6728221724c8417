//! The comparison as metrics: for a job that compares each run with a baseline, and an alert on what got worse since.
//!
//! The runs' ids stand in `mailflow_comparison_info` alone: they are new each time. A shift that rests on too few pairs has no sample.

use crate::model::{Comparison, Effect, Side};
use crate::report::prometheus::Page;

/// The metrics.
pub fn render(comparison: &Comparison) -> String {
    let mut page = Page::default();
    let first = |side: &Side, pick: fn(&crate::model::RunInfo) -> String| side.runs.first().map(pick).unwrap_or_default();
    let (scenario, site) = (
        first(&comparison.after, |run| run.scenario.clone()),
        first(&comparison.after, |run| run.site.clone()),
    );
    let of = [
        ("scenario", scenario.as_str()),
        ("site", site.as_str()),
        ("before", comparison.before.asked.as_str()),
    ];
    let ids = [&comparison.before, &comparison.after].map(|side| first(side, |run| run.id.to_string()));
    let runs = [("before_run", ids[0].as_str()), ("after_run", ids[1].as_str())];
    page.set("comparison_info", &[&of, &runs], 1.0);
    let summary = &comparison.summary;
    for (effect, count) in [
        (Effect::Regression.word(), summary.regressions),
        (Effect::NotCompared.word(), summary.not_compared),
        (Effect::Changed.word(), summary.changed),
        (Effect::Improvement.word(), summary.improvements),
        ("same", summary.same),
        ("gone", summary.gone),
        ("added", summary.added),
    ] {
        page.set("comparison_probes", &[&of, &[("effect", effect)]], f64::from(count));
    }
    for change in &comparison.probes {
        let which = [
            ("recipient", change.recipient.as_str()),
            ("role", change.role.as_deref().unwrap_or_default()),
            ("route", change.route.as_deref().unwrap_or_default()),
            ("message", &change.message),
            ("case", change.case.as_deref().unwrap_or_default()),
            ("effect", change.effect.word()),
        ];
        page.set("comparison_probe_info", &[&of, &which], 1.0);
    }
    for role in &comparison.roles {
        let which = [("role", role.role.as_str()), ("effect", role.effect.word())];
        page.set("comparison_role_info", &[&of, &which], 1.0);
    }
    for shift in &comparison.latency {
        let route = [("route", shift.route.as_deref().unwrap_or_default())];
        for (bound, milliseconds) in [("lower", shift.low_ms), ("upper", shift.high_ms)] {
            if let Some(milliseconds) = milliseconds {
                page.set(
                    "comparison_latency_shift_seconds",
                    &[&of, &route, &[("bound", bound)]],
                    milliseconds / 1000.0,
                );
            }
        }
    }
    page.written()
}
