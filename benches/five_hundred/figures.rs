//! Figures: quantiles, and rows of a table.

use std::fmt::Display;

/// Sorted measurements.
pub struct Sample(Vec<f64>);

impl Sample {
    pub fn new(values: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        Self(values)
    }

    /// The value below which the share `part` of all lies, by the nearest rank; not a number if there is none.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "ranks are small"
    )]
    pub fn quantile(&self, part: f64) -> f64 {
        let rank = (part * self.0.len() as f64).ceil().max(1.0) as usize;
        self.0.get(rank - 1).copied().unwrap_or(f64::NAN)
    }

    pub fn median(&self) -> f64 {
        self.quantile(0.5)
    }

    pub fn largest(&self) -> f64 {
        self.quantile(1.0)
    }

    /// Median, 95th percentile and largest, in milliseconds.
    pub fn spread(&self) -> String {
        let [median, most, largest] = [0.5, 0.95, 1.0].map(|part| self.quantile(part));
        format!("{median:.1} / {most:.1} / {largest:.1} ms")
    }
}

/// One row of a table.
pub fn row(what: &str, value: impl Display) {
    println!("  {what:<44} {value}");
}

/// A row for a figure with an aim.
pub fn aimed(what: &str, value: impl Display, aim: &str, met: bool) {
    row(what, format!("{value}   (aim: {aim}{})", if met { "" } else { "; MISSED" }));
}
