//! The figures of a run, a line each.

use std::fmt::Write as _;

use replay_ir::Trace;

use crate::replay::Replayed;
use crate::resources::Resources;

/// What a run came to.
pub(super) fn last_line(trace: &Trace, replayed: &Replayed) -> String {
    let run = &replayed.run;
    let done = run.answers_agreed + run.answers_differed;
    let seconds = run.duration.as_secs_f64();
    let rate = if seconds > 0.0 {
        done as f64 / seconds
    } else {
        0.0
    };
    let service = &run.times.total.service;
    format!(
        "{}: {}: {} steps, {} agreed, {} differed, {} not run; {seconds:.3} s, {rate:.0} steps/s, \
         p50 {} µs, p99 {} µs\n",
        trace.name(),
        run.verdict,
        run.steps,
        run.answers_agreed,
        run.answers_differed,
        run.not_run.len(),
        service.value_at_quantile(0.5) / 1_000,
        service.value_at_quantile(0.99) / 1_000,
    )
}

/// What is to be known of a run of many clients, or of one beside a probe; nothing for others.
pub(super) fn measured(
    trace: &Trace,
    replayed: &Replayed,
    resources: Option<&Resources>,
) -> String {
    let run = &replayed.run;
    let mut text = String::new();
    if run.copies > 1 {
        let _ = writeln!(
            text,
            "{} copies, {} clients; operations issued {}, completed {}",
            run.copies,
            trace.clients().len() * run.copies as usize,
            run.operations_issued,
            run.operations_completed,
        );
    }
    let total = &run.times.total;
    let mut rows = Vec::new();
    if run.copies > 1 || run.probe.is_some() {
        rows.push(("lag (drift)", &total.lag));
        rows.push(("scheduler fault", &total.fault));
        rows.push(("response", &total.response));
        rows.push(("service", &total.service));
    }
    rows.extend(run.probe.as_deref().map(|probe| ("probe", probe)));
    for (name, histogram) in rows {
        let us = |quantile: f64| histogram.value_at_quantile(quantile) as f64 / 1e3;
        let _ = writeln!(
            text,
            "{name:<16} p50 {:>9.1}  p95 {:>9.1}  p99 {:>9.1}  p99.9 {:>9.1}  max {:>9.1} µs",
            us(0.5),
            us(0.95),
            us(0.99),
            us(0.999),
            us(1.0),
        );
    }
    if let Some(resources) = resources {
        text.push_str(&taken(resources));
    }
    text
}

/// What a run took of the process.
fn taken(resources: &Resources) -> String {
    let mib = |kib: u64| kib as f64 / 1024.0;
    let Resources {
        before,
        first,
        last,
        after,
        ..
    } = resources;
    let (peak, cpu) = (mib(resources.peak_kib), resources.cpu_s);
    if resources.samples == 0 {
        return format!(
            "memory {peak:.1} MiB at most (too short to look at it meanwhile); CPU {cpu:.1} s\n\
             descriptors {} before, {} after; tasks {}, {}\n",
            before.descriptors, after.descriptors, before.tasks, after.tasks,
        );
    }
    let slope = resources.slope_kib_per_s.map_or_else(
        || "too short for a slope".to_owned(),
        |slope| {
            format!(
                "slope {slope:.2} KiB/s over {:.0} s",
                last.at_s - first.at_s
            )
        },
    );
    format!(
        "memory {:.1} MiB, at the end {:.1} MiB, peak {peak:.1} MiB; {slope}; CPU {cpu:.1} s\n\
         descriptors {} before, {} to {} meanwhile, {} after; tasks {}, {} to {}, {}\n",
        mib(first.resident_kib),
        mib(last.resident_kib),
        before.descriptors,
        first.descriptors,
        last.descriptors,
        after.descriptors,
        before.tasks,
        first.tasks,
        last.tasks,
        after.tasks,
    )
}
