//! Distributions of durations, in buckets whose width grows with the value.
//!
//! It is DDSketch (Masson and others, VLDB 2019): each quantile is within 1 % of the true one, whatever the values, and sketches of
//! parts add up to that of the whole.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// By how much a bucket's limit is larger than the one before: (1 + 0.01) / (1 - 0.01).
const GAMMA: f64 = 1.01 / 0.99;
/// Smaller values count as this one.
const SMALLEST: f64 = 1e-6;

/// A distribution of values that are not negative.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Sketch {
    /// How many values each bucket has.
    pub buckets: BTreeMap<i32, u64>,
    /// The sum of the values.
    pub sum: f64,
    /// The largest value.
    pub max: f64,
}

impl Sketch {
    /// Returns the bucket of a value.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the logarithm of a finite number is small"
    )]
    pub fn bucket(value: f64) -> i32 {
        (value.max(SMALLEST).ln() / GAMMA.ln()).ceil() as i32
    }

    /// Adds a value.
    pub fn add(&mut self, value: f64) {
        *self.buckets.entry(Self::bucket(value)).or_default() += 1;
        self.sum += value;
        self.max = self.max.max(value);
    }

    /// Adds the values of another distribution.
    pub fn merge(&mut self, other: &Self) {
        for (bucket, count) in &other.buckets {
            *self.buckets.entry(*bucket).or_default() += count;
        }
        self.sum += other.sum;
        self.max = self.max.max(other.max);
    }

    /// Returns how many values there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.buckets.values().sum()
    }

    /// Returns the mean; `None` if there are no values.
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        let count = self.count();
        (count > 0).then(|| self.sum / count as f64)
    }

    /// Returns the value below which a part of the values lies, from 0 to 1; `None` if there are no values.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rank is neither negative nor large"
    )]
    pub fn quantile(&self, part: f64) -> Option<f64> {
        let last = self.count().checked_sub(1)?;
        let rank = (part.clamp(0.0, 1.0) * last as f64).floor() as u64;
        let mut below = 0;
        let bucket = self.buckets.iter().find(|(_, count)| {
            below += **count;
            below > rank
        });
        bucket.map(|(bucket, _)| (2.0 * GAMMA.powi(*bucket) / (GAMMA + 1.0)).min(self.max))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn quantiles_are_within_two_percent_and_parts_add_up(values in prop::collection::vec(0.001_f64..1e6, 1..300), cut in 0_usize..300) {
            let (mut whole, mut one, mut other) = (Sketch::default(), Sketch::default(), Sketch::default());
            for (at, value) in values.iter().enumerate() {
                whole.add(*value);
                if at < cut { one.add(*value) } else { other.add(*value) }
            }
            one.merge(&other);
            prop_assert_eq!(&one.buckets, &whole.buckets);
            let mut sorted = values.clone();
            sorted.sort_by(f64::total_cmp);
            for part in [0.0, 0.5, 0.95, 0.99, 1.0] {
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rank is small")]
                let rank = (part * (sorted.len() - 1) as f64).floor() as usize;
                let (found, exact) = (whole.quantile(part).unwrap_or_default(), sorted[rank]);
                prop_assert!((found - exact).abs() <= 0.02 * exact, "{}: {} for {}", part, found, exact);
            }
        }
    }

    #[test]
    fn nothing_has_no_quantiles() {
        assert_eq!(
            (Sketch::default().quantile(0.5), Sketch::default().mean()),
            (None, None)
        );
    }
}
