//! What an invocation of a Lambda function costs, by what its log says.

use callboard_core::job::Cost;

/// The first tier of us-east-1.
const PRICE_TABLE: &str = "aws-lambda/us-east-1/2026-11";
/// For x86; the log does not tell the processor, and Arm is cheaper by a fifth.
const USD_PER_GIB_SECOND: f64 = 0.000_016_666_7;
const USD_PER_REQUEST: f64 = 0.000_000_2;

/// Estimates the cost from the end of a function's log; `None` if that has no report.
pub(crate) fn estimate(log: &str) -> Option<Cost> {
    let report = log.lines().rev().find(|line| line.starts_with("REPORT "))?;
    let milliseconds: f64 = field(report, "Billed Duration: ", " ms")?;
    let mebibytes: f64 = field(report, "Memory Size: ", " MB")?;
    Some(Cost {
        usd: USD_PER_REQUEST + milliseconds / 1000.0 * mebibytes / 1024.0 * USD_PER_GIB_SECOND,
        price_table: PRICE_TABLE.to_owned(),
    })
}

fn field(report: &str, name: &str, unit: &str) -> Option<f64> {
    let (_, rest) = report.split_once(name)?;
    let number: f64 = rest.split_once(unit)?.0.parse().ok()?;
    (number.is_finite() && number >= 0.0).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cost_is_that_of_the_last_report() {
        let log = "START\nREPORT RequestId: 1\tDuration: 1.5 ms\tBilled Duration: 999999 ms\tMemory Size: 10240 MB\t\n\
                   REPORT RequestId: 8f5\tDuration: 1999.25 ms\tBilled Duration: 2000 ms\tMemory Size: 512 MB\tMax Memory Used: 38 MB\t\n";
        let cost = estimate(log).unwrap_or_default();
        assert!((cost.usd - (0.000_000_2 + 0.000_016_666_7)).abs() < 1e-12, "{cost:?}");
        assert_eq!(cost.price_table, PRICE_TABLE);
        for none in [
            "",
            "a line that says REPORT Billed Duration: 1 ms Memory Size: 1 MB",
            "REPORT Billed Duration: -1 ms Memory Size: 1 MB",
            "REPORT Billed Duration: inf ms Memory Size: 1 MB",
            "REPORT Billed Duration: 1 ms",
        ] {
            assert_eq!(estimate(none), None, "{none}");
        }
    }
}
