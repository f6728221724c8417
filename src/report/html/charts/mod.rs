//! Charts, drawn by `plotters` as SVG that stands in the page.
//!
//! They carry the colours of the light scheme as attributes; the style turns each into the page's own, so that they follow dark and print. Each
//! has a title and a description that say in words what it shows.

mod hops;
mod latency;

pub use hops::hops;
pub use latency::latency;

use plotters::coord::Shift;
use plotters::prelude::{DrawingArea, DrawingAreaErrorKind, IntoDrawingArea, IntoFont, RGBColor, SVGBackend, TextStyle};
use std::io;

/// Axis labels: `--soft` of the style.
const SOFT: RGBColor = RGBColor(0x52, 0x60, 0x6f);
/// Grid lines: `--line`.
const LINE: RGBColor = RGBColor(0xd8, 0xde, 0xe6);
/// Bars: `--bar`.
const BAR: RGBColor = RGBColor(0x3b, 0x74, 0xc4);
/// Bars of what came late: `--bar-late`.
const LATE: RGBColor = RGBColor(0xb8, 0x62, 0x1b);
/// Names and marks: `--mark`.
const MARK: RGBColor = RGBColor(0x17, 0x20, 0x2b);
/// Charts are as wide as a small phone's page, so that their words stay readable there.
const WIDTH: u32 = 440;

/// A chart in its figure.
#[derive(Debug)]
pub struct Chart {
    /// Tells it from the others of the page.
    pub id: &'static str,
    /// What it is of.
    pub title: String,
    /// What it shows, in words.
    pub says: String,
    /// Units of its width.
    pub width: u32,
    /// Units of its height.
    pub height: u32,
    /// The drawing: the children of the `svg` element. Made by the drawing library, which escapes what it writes.
    pub drawing: String,
    /// The headings of the same as a table.
    pub columns: Vec<&'static str>,
    /// Its rows.
    pub rows: Vec<Vec<String>>,
}

/// Why a chart could not be drawn. No figures are known to cause it.
#[derive(Debug, thiserror::Error)]
#[error("a chart cannot be drawn: {0}")]
pub struct Undrawn(String);

impl From<DrawingAreaErrorKind<io::Error>> for Undrawn {
    fn from(error: DrawingAreaErrorKind<io::Error>) -> Self {
        Self(error.to_string())
    }
}

/// Where charts are drawn.
type Canvas<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Draws, and takes off the `svg` element, which the page writes itself, with title and description.
fn drawing(height: u32, draw: impl FnOnce(&Canvas<'_>) -> Result<(), Undrawn>) -> Result<String, Undrawn> {
    let mut svg = String::new();
    {
        let canvas = SVGBackend::with_string(&mut svg, (WIDTH, height)).into_drawing_area();
        draw(&canvas)?;
        canvas.present()?;
    }
    let inner = svg
        .split_once('>')
        .and_then(|(_, rest)| rest.rsplit_once("</svg>"))
        .map(|(inner, _)| inner);
    inner
        .map(|inner| inner.trim().to_owned())
        .ok_or_else(|| Undrawn("it has no root element".to_owned()))
}

/// The letters of a chart. The library writes a font's size divided by 1.24.
fn letters<'a>(pixels: f64, color: RGBColor) -> TextStyle<'a> {
    ("sans-serif", pixels * 1.24).into_font().color(&color)
}

/// The value below which that share of sorted values lies: the nearest rank.
fn rank(sorted: &[f64], tenths: usize) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    sorted.get((sorted.len() * tenths / 10).min(last)).copied()
}
