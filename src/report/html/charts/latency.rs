//! How long messages took, as a histogram in steps of 1, 2 and 5: latencies of mail spread over decades.
//!
//! What it cannot show: what was lost has no latency, and one that arrived between two looks is counted where the later look saw it.

use super::{BAR, Chart, LATE, LINE, MARK, SOFT, Undrawn, WIDTH, drawing, letters, rank};
use crate::explain::span;
use crate::model::{Flag, JudgedProbe};
use crate::report::counted;
use plotters::prelude::{ChartBuilder, Color, PathElement, Rectangle, Text};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::collections::BTreeMap;

const HEIGHT: u32 = 240;
/// With fewer arrivals a distribution tells nothing.
const ENOUGH: usize = 5;
/// The first edge, in milliseconds.
const FIRST: f64 = 10.0;
/// A day: what took longer is counted in the last bin.
const LONGEST: f64 = 86_400_000.0;

/// The chart, if enough has arrived.
pub fn latency(probes: &[JudgedProbe]) -> Result<Option<Chart>, Undrawn> {
    let mut arrived: Vec<(f64, bool)> = probes
        .iter()
        .filter_map(|probe| Some((probe.latency_ms?.max(0.0), probe.flags.contains(&Flag::Late))))
        .filter(|(latency, _)| latency.is_finite())
        .collect();
    if arrived.len() < ENOUGH {
        return Ok(None);
    }
    arrived.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let sorted: Vec<f64> = arrived.iter().map(|(latency, _)| *latency).collect();
    let late = arrived.iter().filter(|(_, late)| *late).count();
    let says = says(&sorted, late);
    let bins = Bins::of(&arrived);
    let drawing = drawing(HEIGHT, |canvas| {
        let top = f64::from(bins.counts.iter().map(|(on_time, late)| on_time + late).max().unwrap_or(0)).max(1.0);
        let wide = places(bins.counts.len());
        let mut chart = ChartBuilder::on(canvas)
            .margin_top(8)
            .margin_right(22)
            .x_label_area_size(30)
            .y_label_area_size(38)
            .build_cartesian_2d(0.0..wide, 0.0..top * 1.08)?;
        let every = bins.edges.len().div_ceil(8).max(1);
        chart
            .configure_mesh()
            .disable_x_mesh()
            .light_line_style(LINE.mix(0.0))
            .bold_line_style(LINE)
            .axis_style(LINE)
            .x_labels(bins.edges.len())
            .x_label_formatter(&|place| bins.label(*place, every))
            .y_labels(4)
            .y_label_formatter(&|count| if count.fract() == 0.0 { format!("{count}") } else { String::new() })
            .label_style(letters(12.0, SOFT))
            .draw()?;
        for (index, (on_time, late)) in bins.counts.iter().enumerate() {
            let (left, right) = (places(index) + 0.06, places(index) + 0.94);
            let (low, high) = (f64::from(*on_time), f64::from(on_time + late));
            let bars = [(0.0, low, BAR), (low, high, LATE)].into_iter().filter(|(from, to, _)| from < to);
            chart.draw_series(bars.map(|(from, to, color)| Rectangle::new([(left, from), (right, to)], color.filled())))?;
        }
        if let Some(within) = one_limit(probes).and_then(|within| bins.place(within)) {
            let line = PathElement::new([(within, 0.0), (within, top * 1.08)], MARK.stroke_width(2));
            chart.draw_series([line])?;
            // Where there is no room behind the line, the words end before it.
            let (side, place) = if within > wide * 0.7 {
                (HPos::Right, -0.08)
            } else {
                (HPos::Left, 0.08)
            };
            let style = letters(12.0, MARK).pos(Pos::new(side, VPos::Top));
            chart.draw_series([Text::new("late from here", (within + place, top * 1.06), style)])?;
        }
        Ok(())
    })?;
    Ok(Some(Chart {
        id: "latency",
        title: "How long messages took".to_owned(),
        says,
        width: WIDTH,
        height: HEIGHT,
        drawing,
        columns: vec!["Route", "Arrived", "Median", "9 of 10 within", "Slowest"],
        rows: by_route(probes),
    }))
}

fn says(sorted: &[f64], late: usize) -> String {
    let number = |value: Option<f64>| value.map(span).unwrap_or_default();
    let mut says = format!(
        "{} arrived: half of them within {}",
        counted(sorted.len(), "message", "messages"),
        number(rank(sorted, 5))
    );
    if sorted.len() >= 10 {
        says.push_str(&format!(", nine of ten within {}", number(rank(sorted, 9))));
    }
    says.push_str(&format!(", the slowest after {}.", number(sorted.last().copied())));
    if late > 0 {
        says.push_str(&format!(" {late} came late: the upper, orange part of the bars."));
    }
    says
}

fn by_route(probes: &[JudgedProbe]) -> Vec<Vec<String>> {
    let mut routes: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for probe in probes {
        if let Some(latency) = probe.latency_ms.filter(|latency| latency.is_finite()) {
            routes.entry(&probe.route).or_default().push(latency);
        }
    }
    let row = |(route, mut latencies): (&str, Vec<f64>)| {
        latencies.sort_unstable_by(f64::total_cmp);
        let number = |value: Option<f64>| value.map(span).unwrap_or_default();
        let ninth = (latencies.len() >= 10).then(|| rank(&latencies, 9)).flatten();
        vec![
            route.to_owned(),
            latencies.len().to_string(),
            number(rank(&latencies, 5)),
            ninth.map_or_else(|| "too few".to_owned(), span),
            number(latencies.last().copied()),
        ]
    };
    routes.into_iter().map(row).collect()
}

/// The limit that holds for every probe, if it is one.
fn one_limit(probes: &[JudgedProbe]) -> Option<f64> {
    let first = probes.first()?.within_ms;
    (first > 0.0 && probes.iter().all(|probe| probe.within_ms.total_cmp(&first).is_eq())).then_some(first)
}

/// How many arrived in each span of time: in time, and late.
#[derive(Debug)]
struct Bins {
    /// In milliseconds; one more than there are bins. The first bin holds what is below its end, too.
    edges: Vec<f64>,
    counts: Vec<(u32, u32)>,
}

impl Bins {
    /// Of latencies in ascending order.
    fn of(arrived: &[(f64, bool)]) -> Self {
        let all: Vec<f64> = steps();
        let (lowest, highest) = match (arrived.first(), arrived.last()) {
            (Some((low, _)), Some((high, _))) => (*low, *high),
            _ => (FIRST, FIRST),
        };
        let from = all.iter().rposition(|edge| *edge <= lowest).unwrap_or(0).min(all.len() - 2);
        let to = all.iter().position(|edge| *edge > highest).unwrap_or(all.len() - 1).max(from + 1);
        let edges = all[from..=to.min(all.len() - 1)].to_vec();
        let mut counts = vec![(0, 0); edges.len() - 1];
        for (latency, late) in arrived {
            let bin = edges.iter().skip(1).position(|end| latency < end).unwrap_or(counts.len() - 1);
            let (on_time, too_late) = &mut counts[bin];
            *(if *late { too_late } else { on_time }) += 1;
        }
        Self { edges, counts }
    }

    /// The label of an edge; so many of them stand further apart.
    fn label(&self, place: f64, every: usize) -> String {
        let edge = self
            .edges
            .iter()
            .enumerate()
            .find(|(index, _)| (places(*index) - place).abs() < 0.01);
        edge.filter(|(index, _)| index % every == 0)
            .map(|(_, edge)| short(*edge))
            .unwrap_or_default()
    }

    /// Where a latency stands between the edges, by its logarithm; none outside of them.
    fn place(&self, latency: f64) -> Option<f64> {
        let bin = self.edges.windows(2).position(|edges| edges[0] <= latency && latency < edges[1])?;
        let within = (latency / self.edges[bin]).ln() / (self.edges[bin + 1] / self.edges[bin]).ln();
        Some(places(bin) + within)
    }
}

/// 10, 20, 50, 100 milliseconds and so on up to a minute, then what people say.
fn steps() -> Vec<f64> {
    let decades = [10.0, 100.0, 1_000.0, 10_000.0];
    let seconds = decades.iter().flat_map(|decade| [1.0, 2.0, 5.0].map(|step| step * decade));
    let minutes = [2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 240.0, 720.0].map(|minutes| minutes * 60_000.0);
    seconds
        .filter(|edge| *edge <= 20_000.0)
        .chain([60_000.0])
        .chain(minutes)
        .chain([LONGEST])
        .collect()
}

/// As short as it can be said on an axis.
fn short(milliseconds: f64) -> String {
    match milliseconds {
        ms if ms < 1_000.0 => format!("{ms} ms"),
        ms if ms < 60_000.0 => format!("{} s", ms / 1_000.0),
        ms if ms < 3_600_000.0 => format!("{} min", ms / 60_000.0),
        ms => format!("{} h", ms / 3_600_000.0),
    }
}

fn places(index: usize) -> f64 {
    f64::from(u32::try_from(index).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_arrival_is_in_one_bin() {
        let arrived = [
            (0.0, false),
            (9.9, false),
            (10.0, false),
            (450.0, false),
            (500.0, true),
            (59_999.0, true),
        ];
        let bins = Bins::of(&arrived);
        assert_eq!((bins.edges.first(), bins.edges.last()), (Some(&10.0), Some(&60_000.0)));
        assert_eq!(bins.counts.iter().map(|(on_time, late)| on_time + late).sum::<u32>(), 6);
        assert_eq!(bins.counts.first(), Some(&(3, 0)));
        assert_eq!(bins.counts.last(), Some(&(0, 1)));
    }

    #[test]
    fn one_value_and_values_beyond_all_bins_have_a_bin() {
        for latency in [0.0, 10.0, 1e12] {
            let bins = Bins::of(&[(latency, false)]);
            assert_eq!(bins.counts.iter().map(|(on_time, _)| on_time).sum::<u32>(), 1, "{latency}");
        }
    }

    #[test]
    fn a_limit_stands_where_its_logarithm_does() {
        let bins = Bins::of(&[(10.0, false), (150.0, false)]);
        assert_eq!(bins.edges, [10.0, 20.0, 50.0, 100.0, 200.0]);
        assert_eq!(bins.place(20.0), Some(1.0));
        assert!((bins.place(200.0_f64.sqrt() * 10.0).unwrap() - 3.5).abs() < 1e-9);
        assert_eq!((bins.place(5.0), bins.place(200.0)), (None, None));
    }
}
