//! The `check` lines, judged when all steps have ended.

use replay_ir::{Bound, Check, Dependency, Metric, Milestone, StepId, Trace};

use crate::report::{Difference, Place};
use crate::times::Times;
use crate::verdict::Kind;

/// Where the moments of milestones come from: the time, and a number that tells equal times apart.
pub(crate) type OrderSource<'a> = &'a dyn Fn(StepId, Milestone) -> Option<(u64, u64)>;

/// A `check order`: the first pair that is not in order, or the first milestone that never came.
pub(crate) fn judge_order(
    trace: &Trace,
    check: &Check,
    moment: OrderSource<'_>,
) -> Option<Difference> {
    let Check::Order { milestones, line } = check else {
        return None;
    };
    let text = |milestone: &Dependency| trace.milestone_text(*milestone);
    let difference = |expected: String, actual: String| {
        Some(Difference {
            place: Place::Check(*line),
            kind: Kind::Order,
            expected,
            actual,
            detail: Vec::new(),
            copy: 0,
        })
    };
    let all: Vec<String> = milestones.iter().map(text).collect();
    let mut before: Option<(&Dependency, (u64, u64))> = None;
    for milestone in milestones {
        let Some(at) = moment(milestone.step, milestone.milestone) else {
            return difference(all.join(" < "), format!("{} never came", text(milestone)));
        };
        if let Some((earlier, earlier_at)) = before.filter(|(_, earlier_at)| *earlier_at >= at) {
            let gap = replay_ir::time::format_duration(earlier_at.0.saturating_sub(at.0));
            return difference(
                format!("{} < {}", text(earlier), text(milestone)),
                format!("{} came {gap} before {}", text(milestone), text(earlier)),
            );
        }
        before = Some((milestone, at));
    }
    None
}

/// A bound on times. `round_trip` is the smallest round trip, or why there is none.
pub(crate) fn judge_time(
    check: &Check,
    times: &Times,
    round_trip: Result<u64, &str>,
) -> Option<Difference> {
    let Check::Time {
        quantile,
        verb,
        metric,
        bound,
        line,
    } = check
    else {
        return None;
    };
    let difference = |expected: String, actual: String| {
        Some(Difference {
            place: Place::Check(*line),
            kind: Kind::Time,
            expected,
            actual,
            detail: Vec::new(),
            copy: 0,
        })
    };
    let duration = replay_ir::time::format_duration;
    let (limit, limit_text) = match (*bound, round_trip) {
        (Bound::Absolute(limit), _) => (limit, duration(limit)),
        (Bound::RoundTrips(factor), Ok(round_trip)) => {
            let limit = (round_trip as f64 * factor) as u64;
            (limit, format!("{factor}x rtt = {}", duration(limit)))
        }
        (Bound::RoundTrips(factor), Err(reason)) => {
            let actual = format!("no round trip to compare with: {reason}");
            return difference(format!("a time below {factor}x rtt"), actual);
        }
    };
    let (quantile_name, verb_name) = (quantile_text(*quantile), verb.unwrap_or("all"));
    let metric_name = metric_text(*metric);
    let expected = format!("{quantile_name} {verb_name} {metric_name} < {limit_text}");
    let samples = times.of(*verb).map_or(0, |times| times.count());
    let needed = samples_needed(*quantile);
    if samples < needed {
        let actual = format!("too few samples: {samples} where at least {needed} are needed");
        return difference(expected, actual);
    }
    let histogram = times.of(*verb)?.metric(*metric);
    let value = histogram.value_at_quantile(*quantile);
    if value < limit {
        return None;
    }
    difference(
        expected,
        format!("{} over {samples} samples", duration(readable(value))),
    )
}

/// So many samples that at least one lies beyond the quantile: 100 for p99, 2 for p50, 1 for the largest.
fn samples_needed(quantile: f64) -> u64 {
    let beyond = 1.0 - quantile;
    // 1 / (1 - 0.99) is a little off 100.
    if beyond < 1e-9 {
        1
    } else {
        ((1.0 / beyond) - 1e-6).ceil().max(1.0) as u64
    }
}

/// Histograms have three significant digits; more would only look exact.
fn readable(nanoseconds: u64) -> u64 {
    let unit = if nanoseconds >= 1_000_000 {
        10_000
    } else {
        100
    };
    if nanoseconds > unit {
        nanoseconds - nanoseconds % unit
    } else {
        nanoseconds
    }
}

fn metric_text(metric: Metric) -> &'static str {
    match metric {
        Metric::Lag => "lag",
        Metric::Fault => "fault",
        Metric::Response => "response",
        Metric::Service => "service",
    }
}

fn quantile_text(quantile: f64) -> String {
    if quantile >= 1.0 {
        return "max".to_owned();
    }
    let percent = format!("{:.6}", quantile * 100.0);
    format!("p{}", percent.trim_end_matches('0').trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_needs_samples_beyond_it() {
        let needed = [0.5, 0.9, 0.95, 0.99, 0.999, 1.0, 0.0].map(samples_needed);
        assert_eq!(needed, [2, 10, 20, 100, 1000, 1, 1]);
    }

    #[test]
    fn quantiles_have_short_names() {
        let names = [0.5, 0.99, 0.999, 1.0].map(quantile_text);
        assert_eq!(names, ["p50", "p99", "p99.9", "max"]);
    }
}
