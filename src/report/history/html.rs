//! A history as a page: who fails, since when, and each recipient's course as a chart.

use super::words;
use crate::explain::span;
use crate::model::{FLAP_CHANGES, FLAP_WINDOW, History, Outcome, Part, RecipientHistory};
use crate::report::{
    ReportError,
    html::{Frame, Page, Reach, page as framed},
};
use askama::Template;
use plotters::prelude::{Color, IntoDrawingArea, PathElement, RGBColor, Rectangle, SVGBackend};

/// The width of a chart's drawing, in its own units.
const WIDTH: u32 = 440;
/// The height of the success, and of the latency below it.
const SUCCESS: i32 = 46;
const LATENCY: i32 = 46;
const GAP: i32 = 12;
/// These five colours the page's style turns into its own.
const LINE: RGBColor = RGBColor(0xd8, 0xde, 0xe6);
const BAR: RGBColor = RGBColor(0x3b, 0x74, 0xc4);
const BAD: RGBColor = RGBColor(0xb8, 0x62, 0x1b);
const MARK: RGBColor = RGBColor(0x17, 0x20, 0x2b);
/// So many recipients have a chart; the rest has its row in the table.
const CHARTS: usize = 200;

#[derive(Template)]
#[template(path = "history.html", config = "src/report/html/askama.toml")]
struct Content<'a> {
    outcome: Outcome,
    sentence: String,
    step: String,
    rows: Vec<Row<'a>>,
    charts: Vec<Chart<'a>>,
    left_out: usize,
}

struct Row<'a> {
    recipient: &'a RecipientHistory,
    state: String,
    ways: Vec<(Outcome, String, String, String)>,
    share: String,
    median: String,
    p95: String,
}

struct Chart<'a> {
    id: String,
    recipient: &'a RecipientHistory,
    says: String,
    height: i32,
    drawing: String,
}

/// The page; `serve` sends its policy along.
///
/// # Errors
/// If the template or the drawing library fails; no history is known to make them.
pub fn page(history: &History) -> Result<Page, ReportError> {
    let (outcome, sentence) = words::headline(history);
    let figure = |figure: Option<f64>| figure.map_or_else(|| "–".to_owned(), span);
    let rows = history.recipients.iter().map(|recipient| Row {
        recipient,
        state: words::sentence(&recipient.state, recipient.flapping),
        ways: recipient
            .lines
            .iter()
            .filter(|_| words::lines_differ(recipient))
            .map(|line| {
                let state = words::sentence(&line.state, line.flapping);
                (line.state.outcome, words::way(line), state, words::share(&line.counts))
            })
            .collect(),
        share: words::share(&recipient.counts),
        median: figure(recipient.latency.map(|latency| latency.median_ms)),
        p95: figure(recipient.latency.and_then(|latency| latency.p95_ms)),
    });
    let charts: Result<Vec<Chart<'_>>, ReportError> = history
        .recipients
        .iter()
        .take(CHARTS)
        .enumerate()
        .map(|(number, recipient)| chart(number, recipient))
        .collect();
    let content = Content {
        outcome,
        sentence,
        step: words::step(history.step_s),
        rows: rows.collect(),
        charts: charts?,
        left_out: history.recipients.len().saturating_sub(CHARTS),
    };
    let footer = [format!(
        "Success is the part of the measured probes that passed; what could not be measured is counted apart. Flapping: at least {FLAP_CHANGES} changes \
         between passing and failing among the last {FLAP_WINDOW} measured."
    )];
    let frame = Frame {
        title: "mailflow history",
        kind: "history",
        links: &[],
        footer: &footer,
        script: "",
        reach: Reach::Alone,
    };
    Ok(framed(&frame, &content)?)
}

fn chart(number: usize, recipient: &RecipientHistory) -> Result<Chart<'_>, ReportError> {
    let mut says = format!("{} passed, {}", words::share(&recipient.counts), words::tally(&recipient.counts));
    if let Some(latency) = &recipient.latency {
        says.push_str(&format!("; {}", words::latencies(latency)));
    }
    says.push('.');
    let height = SUCCESS + GAP + LATENCY;
    Ok(Chart {
        id: format!("course{number}"),
        recipient,
        says,
        height,
        drawing: draw(&recipient.course, height).map_err(ReportError::Course)?,
    })
}

/// Above, for each part, what passed (from below) and what failed (from above); below, the median latency.
#[expect(clippy::cast_possible_truncation, reason = "positions within a drawing of a few hundred units")]
fn draw(course: &[Part], height: i32) -> Result<String, String> {
    let wide = f64::from(WIDTH) / f64::from(u32::try_from(course.len().max(1)).unwrap_or(u32::MAX));
    let x = |part: usize| (f64::from(u32::try_from(part).unwrap_or(u32::MAX)) * wide).round() as i32;
    let edge = i32::try_from(WIDTH).unwrap_or(i32::MAX);
    let highest = course
        .iter()
        .filter_map(|part| part.latency.map(|latency| latency.median_ms))
        .fold(1.0, f64::max);
    let mut svg = String::new();
    {
        let canvas = SVGBackend::with_string(&mut svg, (WIDTH, u32::try_from(height).unwrap_or_default())).into_drawing_area();
        let line = |y: i32| PathElement::new([(0, y), (edge, y)], LINE.stroke_width(1));
        let trouble = |error: plotters::drawing::DrawingAreaErrorKind<std::io::Error>| error.to_string();
        for y in [0, SUCCESS, height - 1] {
            canvas.draw(&line(y)).map_err(trouble)?;
        }
        for (number, part) in course.iter().enumerate() {
            let (left, right) = (x(number), (x(number + 1) - 1).max(x(number) + 1));
            match part.counts.share() {
                Some(share) => {
                    let top = ((1.0 - share) * f64::from(SUCCESS)).round() as i32;
                    // However few failed, it must be seen.
                    let top = if part.counts.failed > 0 { top.max(4) } else { top };
                    if top < SUCCESS {
                        canvas
                            .draw(&Rectangle::new([(left, top), (right, SUCCESS)], BAR.filled()))
                            .map_err(trouble)?;
                    }
                    if top > 0 {
                        canvas
                            .draw(&Rectangle::new([(left, 0), (right, top)], BAD.filled()))
                            .map_err(trouble)?;
                    }
                }
                None if part.counts.unknown > 0 => {
                    canvas
                        .draw(&Rectangle::new([(left, SUCCESS / 2 - 2), (right, SUCCESS / 2 + 2)], MARK.filled()))
                        .map_err(trouble)?;
                }
                None => {}
            }
            if let Some(latency) = part.latency {
                let tall = (latency.median_ms / highest * f64::from(LATENCY - 2)).round() as i32;
                let top = height - 1 - tall.max(1);
                canvas
                    .draw(&Rectangle::new([(left, top), (right, height - 1)], MARK.filled()))
                    .map_err(trouble)?;
            }
        }
        canvas.present().map_err(trouble)?;
    }
    let inner = svg
        .split_once('>')
        .and_then(|(_, rest)| rest.rsplit_once("</svg>"))
        .map(|(inner, _)| inner.trim().to_owned());
    inner.ok_or_else(|| "the drawing has no root element".to_owned())
}
