//! Spans of time as people read them.

/// A span of so many milliseconds: `0.41 s`, `12.3 s`, `3:05 min`, `1:02 h`.
pub fn span(milliseconds: f64) -> String {
    let (number, unit) = parts(milliseconds, milliseconds);
    format!("{number} {unit}")
}

/// When a message arrived after it was sent: between the last look that missed it and the answer that showed it, such as `0.32–0.41 s`.
pub fn interval(latency_ms: f64, uncertainty_ms: Option<f64>) -> String {
    let earliest = (latency_ms - uncertainty_ms.unwrap_or(0.0)).max(0.0);
    let (high, unit) = parts(latency_ms, latency_ms);
    let (low, _) = parts(earliest, latency_ms);
    if low == high {
        format!("{high} {unit}")
    } else {
        format!("{low}–{high} {unit}")
    }
}

/// The number and its unit; the unit is the one that suits `scale`.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped before; a float casts to the nearest integer"
)]
fn parts(milliseconds: f64, scale: f64) -> (String, &'static str) {
    let seconds = milliseconds.max(0.0) / 1000.0;
    let scale = scale / 1000.0;
    let whole = seconds.round() as u64;
    if scale < 9.995 {
        (format!("{seconds:.2}"), "s")
    } else if scale < 99.95 {
        (format!("{seconds:.1}"), "s")
    } else if scale < 3599.5 {
        (format!("{}:{:02}", whole / 60, whole % 60), "min")
    } else {
        let minutes = (whole + 30) / 60;
        (format!("{}:{:02}", minutes / 60, minutes % 60), "h")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_the_unit_that_suits_them() {
        for (milliseconds, text) in [
            (0.0, "0.00 s"),
            (412.7, "0.41 s"),
            (9_994.0, "9.99 s"),
            (9_996.0, "10.0 s"),
            (99_949.0, "99.9 s"),
            (99_951.0, "1:40 min"),
            (3_599_000.0, "59:59 min"),
            (3_720_000.0, "1:02 h"),
            (-5.0, "0.00 s"),
        ] {
            assert_eq!(span(milliseconds), text);
        }
    }

    #[test]
    fn an_arrival_is_an_interval() {
        assert_eq!(interval(412.7, Some(96.0)), "0.32–0.41 s");
        assert_eq!(interval(412.7, Some(1.0)), "0.41 s");
        assert_eq!(interval(412.7, None), "0.41 s");
        assert_eq!(interval(12_340.0, Some(10_000.0)), "2.3–12.3 s");
        assert_eq!(interval(181_000.0, Some(60_000.0)), "2:01–3:01 min");
        assert_eq!(interval(100.0, Some(500.0)), "0.00–0.10 s", "nothing arrives before it was sent");
    }
}
