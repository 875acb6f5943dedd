//! Figures and their targets, printed as a table and saved as JSON.

use std::path::Path;

use anyhow::ensure;
use serde_json::json;

/// What was measured.
#[derive(Default)]
pub(crate) struct Report(Vec<Figure>);

struct Figure {
    name: &'static str,
    value: f64,
    unit: &'static str,
    target: Target,
    reference: String,
}

/// The target of a figure.
#[derive(Clone, Copy)]
pub(crate) enum Target {
    AtMost(f64),
    AtLeast(f64),
}

impl Target {
    fn is_met(self, value: f64) -> bool {
        match self {
            Self::AtMost(limit) => value <= limit,
            Self::AtLeast(limit) => value >= limit,
        }
    }

    fn text(self) -> String {
        match self {
            Self::AtMost(limit) => format!("<= {limit}"),
            Self::AtLeast(limit) => format!(">= {limit}"),
        }
    }
}

impl Report {
    /// Adds a figure.
    pub(crate) fn add(
        &mut self,
        name: &'static str,
        value: f64,
        unit: &'static str,
        target: Target,
        reference: impl Into<String>,
    ) {
        eprintln!("  {name}: {value:.3} {unit}");
        self.0.push(Figure {
            name,
            value,
            unit,
            target,
            reference: reference.into(),
        });
    }

    /// Prints the table and writes `target/bench.json`; fails if a target was missed.
    pub(crate) fn finish(self) -> anyhow::Result<()> {
        println!(
            "\n{:<46} {:>12} {:<8} {:<10} reference",
            "figure", "value", "", "target"
        );
        for figure in &self.0 {
            let mark = if figure.target.is_met(figure.value) {
                ""
            } else {
                "  MISSED"
            };
            let Figure {
                name,
                value,
                unit,
                reference,
                ..
            } = figure;
            println!(
                "{name:<46} {value:>12.3} {unit:<8} {:<10} {reference}{mark}",
                figure.target.text()
            );
        }
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/bench.json");
        let figures = self.0.iter().map(|figure| {
            json!({"figure": figure.name, "value": figure.value, "unit": figure.unit, "target": figure.target.text(),
                   "met": figure.target.is_met(figure.value), "reference": figure.reference})
        });
        std::fs::write(&path, serde_json::to_string_pretty(&figures.collect::<Vec<_>>())?)?;
        println!("written to target/bench.json");
        let missed = self
            .0
            .iter()
            .filter(|figure| !figure.target.is_met(figure.value))
            .count();
        ensure!(missed == 0, "{missed} targets were missed");
        Ok(())
    }
}

/// Returns the value that half of the samples do not exceed.
pub(crate) fn median(mut samples: Vec<f64>) -> f64 {
    samples.sort_by(f64::total_cmp);
    samples.get(samples.len() / 2).copied().unwrap_or(f64::NAN)
}
