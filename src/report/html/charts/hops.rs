//! Where the time went: how long each host on the way kept the messages.
//!
//! What it cannot show: anything under a second. Hosts write whole seconds, by clocks of their own; where a clock is known to be off, nothing is
//! counted for its host. Only the handing over is timed by our clock.

use super::{BAR, Chart, LINE, MARK, SOFT, Undrawn, WIDTH, drawing, letters, rank};
use crate::explain::span;
use crate::model::{JudgedProbe, time};
use crate::report::{escape, shorten};
use plotters::prelude::{ChartBuilder, Color, PathElement, Rectangle, Text};
use std::collections::BTreeMap;

/// So many hosts are shown: those that kept messages longest.
const HOSTS: usize = 8;
/// So many hosts are told apart; whoever names more in headers gains nothing by it.
const TOLD_APART: usize = 1000;
const ROW: u32 = 46;
const AXIS: u32 = 34;
/// Letters that fit beside the numbers.
const NAME: usize = 36;
/// What is shorter than this for every host is not worth a picture, in milliseconds.
const WORTH: f64 = 1_000.0;

/// How long one host kept messages, in milliseconds.
#[derive(Debug, PartialEq)]
struct Stay {
    name: String,
    median: f64,
    ninth: f64,
    longest: f64,
    count: usize,
    /// The mean place on the way: the first host that took it is 0.
    place: f64,
}

/// The chart, if any host or the handing over took a second or more.
pub fn hops(probes: &[JudgedProbe]) -> Result<Option<Chart>, Undrawn> {
    let mut stays = stays(probes);
    if stays.iter().all(|stay| stay.longest < WORTH) {
        return Ok(None);
    }
    let found = stays.len();
    stays.sort_by(|a, b| b.longest.total_cmp(&a.longest));
    stays.truncate(HOSTS);
    let slowest = stays.first().map(|stay| (stay.name.clone(), stay.longest));
    stays.sort_by(|a, b| a.place.total_cmp(&b.place));
    let count = u32::try_from(stays.len()).unwrap_or(u32::MAX);
    let height = ROW * count + AXIS;
    let drawing = drawing(height, |canvas| {
        let widest = stays.iter().map(|stay| stay.ninth.max(stay.median)).fold(WORTH, f64::max);
        let mut chart = ChartBuilder::on(canvas)
            .margin_right(22)
            .margin_left(22)
            .x_label_area_size(AXIS - 6)
            .build_cartesian_2d(0.0..widest * 1.04, f64::from(count)..0.0)?;
        chart
            .configure_mesh()
            .disable_y_mesh()
            .light_line_style(LINE.mix(0.0))
            .bold_line_style(LINE)
            .axis_style(LINE)
            .x_labels(5)
            .x_label_formatter(&|milliseconds| span(*milliseconds))
            .label_style(letters(12.0, SOFT))
            .draw()?;
        for (index, stay) in stays.iter().enumerate() {
            let row = f64::from(u32::try_from(index).unwrap_or(u32::MAX));
            let bar = Rectangle::new([(0.0, row + 0.48), (stay.median, row + 0.84)], BAR.filled());
            chart.draw_series([bar])?;
            let reach = PathElement::new(
                [(stay.median, row + 0.66), (stay.ninth.max(stay.median), row + 0.66)],
                BAR.stroke_width(2),
            );
            chart.draw_series([reach])?;
            let name = shorten(&escape(&stay.name), NAME).into_owned();
            chart.draw_series([Text::new(
                format!("{name}: {}", span(stay.median)),
                (0.0, row + 0.12),
                letters(13.0, MARK),
            )])?;
        }
        Ok(())
    })?;
    let mut caption = "How long each kept a message: the bar is the median, the line reaches to nine of ten. Hosts tell whole seconds by clocks of their own, \
                    so this is an estimate."
        .to_owned();
    if let Some((name, longest)) = slowest {
        caption.push_str(&format!(" The longest stay was {} at {name}.", span(longest)));
    }
    if found > HOSTS {
        caption.push_str(&format!(" {} more hosts kept them less long.", found - HOSTS));
    }
    let row = |stay: &Stay| {
        vec![
            stay.name.clone(),
            stay.count.to_string(),
            span(stay.median),
            span(stay.ninth),
            span(stay.longest),
        ]
    };
    Ok(Some(Chart {
        id: "hops",
        title: "Where the time went".to_owned(),
        says: caption,
        width: WIDTH,
        height,
        drawing,
        columns: vec!["Host", "Messages", "Median", "9 of 10 within", "Longest"],
        rows: stays.iter().map(row).collect(),
    }))
}

/// The handing over, and each host that took messages.
fn stays(probes: &[JudgedProbe]) -> Vec<Stay> {
    let mut hosts: BTreeMap<&str, (Vec<f64>, f64)> = BTreeMap::new();
    let mut handed_over = Vec::new();
    for probe in probes {
        if let (Some(sent), Some(accepted)) = (probe.sent_at, probe.accepted_at) {
            handed_over.push(time::milliseconds(sent, accepted).max(0.0));
        }
        let mut place = 0.0;
        for record in &probe.hops {
            if let (Some(host), Some(spent)) = (record.hop.by.as_deref(), record.spent_ms.filter(|spent| spent.is_finite()))
                && (hosts.len() < TOLD_APART || hosts.contains_key(host))
            {
                let (stays, places) = hosts.entry(host).or_default();
                stays.push(spent.max(0.0));
                *places += place;
            }
            place += 1.0;
        }
    }
    let handing_over = ("handing over, by our clock".to_owned(), handed_over, -1.0);
    let of_hosts = hosts.into_iter().map(|(host, (stays, places))| {
        let mean = places / f64::from(u32::try_from(stays.len()).unwrap_or(u32::MAX)).max(1.0);
        (host.to_owned(), stays, mean)
    });
    std::iter::once(handing_over)
        .chain(of_hosts)
        .filter_map(|(name, mut stays, place)| {
            stays.sort_unstable_by(f64::total_cmp);
            Some(Stay {
                name,
                median: rank(&stays, 5)?,
                ninth: rank(&stays, 9)?,
                longest: *stays.last()?,
                count: stays.len(),
                place,
            })
        })
        .collect()
}
