//! Whether mail became slower.
//!
//! Probes that belong together are compared with each other, since recipients differ far more than runs do: each pair gives one difference, and
//! the question is where the median of these differences lies. The answer is the interval between two of them in their order that holds
//! the true median with at least 99 % certainty, whatever their distribution: the sign test turned round (W. R. Thompson, *On confidence ranges for
//! the median*, Annals of Mathematical Statistics 7, 1936, p. 122; W. J. Conover, *Practical Nonparametric Statistics*, 3rd ed., section 3.2). It
//! needs eight pairs at least: of seven the whole range would hold it with 98.4 % only.
//!
//! An arrival is an interval itself, between the last look that missed it and the one that showed it. So the lower end is computed from the
//! least that each difference can be, and the upper end from the most: what only the rhythm of looking may have made is never proven.
//!
//! What it cannot tell: whether a stall that hit a whole run was an accident of that hour. The interval speaks of these probes; a second run speaks
//! of another hour.

use crate::model::{JudgedProbe, LatencyShift, ShiftFinding};

/// With fewer pairs than this nothing is said.
pub const FEWEST_PAIRS: usize = 8;
/// The chance of an interval that misses the true median, at most.
const ERROR: f64 = 0.01;
/// Nobody notices less than a second in the mail, nor less than half of what it took before; in milliseconds, and as a part.
const NOTICED_MS: f64 = 1000.0;
const NOTICED_PART: f64 = 0.5;

/// What the pairs say. `before` and `after` are the latencies of all that arrived, paired or not.
pub fn shift(route: Option<&str>, pairs: &[(&JudgedProbe, &JudgedProbe)], before: &[&JudgedProbe], after: &[&JudgedProbe]) -> LatencyShift {
    let differences: Vec<Bounds> = pairs.iter().filter_map(|(before, after)| Bounds::between(before, after)).collect();
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    let latencies = |probes: &[&JudgedProbe]| probes.iter().filter_map(|probe| probe.latency_ms).collect::<Vec<f64>>();
    let (before, after) = (latencies(before), latencies(after));
    let shown = |pick: fn(&Bounds) -> f64| differences.iter().map(pick).collect::<Vec<f64>>();
    let shift = median(shown(|difference| difference.seen));
    let low = interval_of_median(&shown(|difference| difference.least)).map(|(low, _)| low);
    let high = interval_of_median(&shown(|difference| difference.most)).map(|(_, high)| high);
    let median_before = median(before.clone());
    let noticed = NOTICED_MS.max(NOTICED_PART * median_before.unwrap_or_default());
    let finding = match (low, high, shift) {
        (Some(low), _, Some(shift)) if low > 0.0 && shift >= noticed => ShiftFinding::Slower,
        (_, Some(high), Some(shift)) if high < 0.0 && -shift >= noticed => ShiftFinding::Faster,
        (Some(_), Some(_), _) => ShiftFinding::None,
        _ => ShiftFinding::TooFew,
    };
    LatencyShift {
        route: route.map(str::to_owned),
        before: count(before.len()),
        after: count(after.len()),
        pairs: count(differences.len()),
        median_before_ms: median_before,
        median_after_ms: median(after),
        shift_ms: shift,
        low_ms: low,
        high_ms: high,
        finding,
    }
}

/// How much longer the second of a pair took: what was seen, and what that can be at least and at most.
struct Bounds {
    least: f64,
    seen: f64,
    most: f64,
}

impl Bounds {
    fn between(before: &JudgedProbe, after: &JudgedProbe) -> Option<Self> {
        let (was, is) = (before.latency_ms?, after.latency_ms?);
        let width = |probe: &JudgedProbe| probe.latency_uncertainty_ms.unwrap_or_default().max(0.0);
        Some(Self {
            least: is - width(after) - was,
            seen: is - was,
            most: is - (was - width(before)),
        })
    }
}

/// The interval that holds the true median of what these values are drawn from, with at least 99 % certainty; `None` of fewer than [`FEWEST_PAIRS`].
///
/// It lies between the k-th value from below and the k-th from above, with the greatest k for which two tails of the binomial distribution
/// with p = 1/2, up to k - 1 each, are 1 % together at most.
pub fn interval_of_median(values: &[f64]) -> Option<(f64, f64)> {
    let mut values: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
    if values.len() < FEWEST_PAIRS {
        return None;
    }
    values.sort_by(f64::total_cmp);
    let tail = tail(values.len());
    Some((values[tail], values[values.len() - 1 - tail]))
}

/// How many values are left out at each end: the greatest `tail` with 2 P(B <= tail - 1 ... ) within the error. Counted from zero.
#[expect(clippy::cast_precision_loss, reason = "counts of probes")]
fn tail(count: usize) -> usize {
    // In logarithms: the chance that all of a thousand fall on one side is below any double.
    let mut log_chance = -(count as f64) * std::f64::consts::LN_2;
    let mut both_tails = 2.0 * log_chance.exp();
    let mut tail = 0;
    for below in 1..=count / 2 {
        log_chance += ((count - below + 1) as f64).ln() - (below as f64).ln();
        both_tails += 2.0 * log_chance.exp();
        if both_tails > ERROR {
            break;
        }
        tail = below;
    }
    tail
}

/// The middle one, or the mean of the two in the middle.
fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let high = *values.get(middle)?;
    match values.len() % 2 {
        0 => Some(f64::midpoint(*values.get(middle - 1)?, high)),
        _ => Some(high),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::fixture::probe;

    fn shifted(before: &[(f64, f64)], after: &[(f64, f64)]) -> LatencyShift {
        let any = probe();
        let probes = |list: &[(f64, f64)]| {
            let one = |(latency, width): &(f64, f64)| JudgedProbe {
                latency_ms: Some(*latency),
                latency_uncertainty_ms: Some(*width),
                ..any.clone()
            };
            list.iter().map(one).collect::<Vec<_>>()
        };
        let (before, after) = (probes(before), probes(after));
        let pairs: Vec<_> = before.iter().zip(&after).collect();
        shift(None, &pairs, &before.iter().collect::<Vec<_>>(), &after.iter().collect::<Vec<_>>())
    }

    #[test]
    fn the_tails_are_those_of_the_tables() {
        // Conover, table A3 (binomial, p = 1/2), two-sided 1 %: 8 -> 1st and 8th, 12 -> 2nd, 15 -> 3rd, 20 -> 4th, 30 -> 8th, 50 -> 16th.
        for (count, from_one) in [(8, 1), (11, 1), (12, 2), (15, 3), (20, 4), (30, 8), (50, 16)] {
            assert_eq!(tail(count) + 1, from_one, "{count}");
        }
        // For many, the normal approximation: n/2 - 2.5758 sqrt(n)/2.
        assert!((tail(10_000)).abs_diff(4871) <= 1, "{}", tail(10_000));
    }

    #[test]
    fn with_few_pairs_nothing_is_said() {
        let few = shifted(&[(400.0, 0.0); 7], &[(9000.0, 0.0); 7]);
        assert_eq!(
            (few.finding, few.pairs, few.low_ms, few.high_ms),
            (ShiftFinding::TooFew, 7, None, None)
        );
        assert_eq!(few.shift_ms, Some(8600.0), "what was seen is told all the same");
        let none = shifted(&[], &[]);
        assert_eq!(
            (none.finding, none.shift_ms, none.median_before_ms),
            (ShiftFinding::TooFew, None, None)
        );
    }

    #[test]
    fn a_shift_is_named_where_it_is_proven_and_would_be_noticed() {
        let before: Vec<_> = (0..10).map(|number| (400.0 + f64::from(number), 20.0)).collect();
        let later = |by: f64| before.iter().map(|(latency, width)| (latency + by, *width)).collect::<Vec<_>>();
        assert_eq!(shifted(&before, &later(2000.0)).finding, ShiftFinding::Slower);
        assert_eq!(shifted(&later(2000.0), &before).finding, ShiftFinding::Faster);
        let slight = shifted(&before, &later(300.0));
        assert!(
            slight.finding == ShiftFinding::None && slight.low_ms > Some(0.0),
            "proven, and nobody notices"
        );
        let one_stalled: Vec<_> = before
            .iter()
            .enumerate()
            .map(|(at, one)| if at == 3 { (60_000.0, 20.0) } else { *one })
            .collect();
        assert_eq!(
            shifted(&before, &one_stalled).finding,
            ShiftFinding::None,
            "one of ten proves nothing of the rest"
        );
    }

    #[test]
    fn what_the_rhythm_of_looking_may_have_made_is_not_proven() {
        let quick = [(400.0, 50.0); 12];
        // Seen after half a minute, by somebody who looks twice a minute.
        let seldom = shifted(&quick, &[(30_000.0, 29_900.0); 12]);
        assert_eq!(seldom.finding, ShiftFinding::None);
        assert!(seldom.low_ms < Some(0.0) && seldom.high_ms > Some(29_000.0), "{seldom:?}");
    }

    /// xorshift64*: good enough to draw samples, and the same each time.
    struct Draw(u64);

    impl Draw {
        /// At least 0, less than 1.
        fn uniform(&mut self) -> f64 {
            self.0 ^= self.0 >> 12;
            self.0 ^= self.0 << 25;
            self.0 ^= self.0 >> 27;
            let bits = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11;
            #[expect(clippy::cast_precision_loss, reason = "53 bits")]
            let uniform = bits as f64 / (1_u64 << 53) as f64;
            uniform
        }

        /// So many latencies, each with how uncertain it is.
        fn latencies(&mut self, count: usize) -> Vec<(f64, f64)> {
            let one = |draw: &mut Self| (1e4 + 1e6 * draw.uniform(), 1e4 * draw.uniform());
            (0..count).map(|_| one(self)).collect()
        }
    }

    #[test]
    fn the_interval_holds_the_median_grows_with_uncertainty_and_turns_round() {
        let mut draw = Draw(1);
        for round in 0..200 {
            let count = FEWEST_PAIRS + round % 50;
            let (before, after) = (draw.latencies(count), draw.latencies(count));
            let exact = |side: &[(f64, f64)]| side.iter().map(|(latency, _)| (*latency, 0.0)).collect::<Vec<_>>();
            let (sharp, unsure) = (shifted(&exact(&before), &exact(&after)), shifted(&before, &after));
            assert!(sharp.low_ms <= sharp.shift_ms && sharp.shift_ms <= sharp.high_ms, "{sharp:?}");
            assert!(
                unsure.low_ms <= sharp.low_ms && sharp.high_ms <= unsure.high_ms,
                "{sharp:?} {unsure:?}"
            );
            let back = shifted(&exact(&after), &exact(&before));
            let negated = |value: Option<f64>| value.map(|value| -value);
            assert_eq!((sharp.low_ms, sharp.high_ms), (negated(back.high_ms), negated(back.low_ms)));
        }
    }

    /// The promise itself: of samples drawn from a skewed distribution whose median is zero, at least 99 of 100 intervals hold zero.
    #[test]
    fn the_interval_misses_the_true_median_seldom() {
        let mut draw = Draw(7);
        let mut skewed = || match draw.uniform() {
            low if low < 0.5 => low - 0.5,
            high => (high - 0.5) * 1e4,
        };
        for count in [8, 11, 12, 20, 37] {
            let missed = (0..20_000)
                .filter(|_| {
                    let sample: Vec<f64> = (0..count).map(|_| skewed()).collect();
                    interval_of_median(&sample).is_some_and(|(low, high)| low > 0.0 || high < 0.0)
                })
                .count();
            // 200 at most are expected, and 60 more would be four standard deviations.
            assert!((1..260).contains(&missed), "{count}: {missed} of 20000");
        }
    }
}
