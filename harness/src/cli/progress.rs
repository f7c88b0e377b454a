//! What is shown on a terminal while a long run goes on. Silent when stderr is no terminal.

use std::io::IsTerminal as _;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use replay_engine::Progress;
use tokio::task::JoinHandle;

const EVERY: Duration = Duration::from_millis(200);

/// A line that is kept up to date by a task of the runtime.
pub(super) struct Display {
    task: Option<(JoinHandle<()>, ProgressBar)>,
}

impl Display {
    /// Begins to show these counters. Must be called inside the runtime.
    pub(super) fn start(progress: Arc<Progress>) -> Self {
        if !std::io::stderr().is_terminal() {
            return Self { task: None };
        }
        let bar = ProgressBar::new(0);
        let style = |template: &str| {
            ProgressStyle::with_template(template).unwrap_or(ProgressStyle::default_bar())
        };
        bar.set_style(style("{elapsed_precise} {msg}"));
        bar.set_message("making the trace's place on the server");
        let steps = style("{elapsed_precise} {bar:12} {human_pos}/{human_len} steps, {msg}");
        let shown = bar.clone();
        let task = tokio::spawn(async move {
            while progress.steps_total.load(Relaxed) == 0 {
                shown.tick();
                tokio::time::sleep(EVERY).await;
            }
            shown.set_style(steps);
            loop {
                update(&shown, &progress);
                tokio::time::sleep(EVERY).await;
            }
        });
        Self {
            task: Some((task, bar)),
        }
    }

    /// Removes the line.
    pub(super) fn finish(self) {
        if let Some((task, bar)) = self.task {
            task.abort();
            bar.finish_and_clear();
        }
    }
}

fn update(bar: &ProgressBar, progress: &Progress) {
    bar.set_length(progress.steps_total.load(Relaxed));
    bar.set_position(progress.steps_done.load(Relaxed));
    let (clients, all) = (
        progress.clients_connected.load(Relaxed),
        progress.clients_total.load(Relaxed),
    );
    let differences = progress.differences.load(Relaxed);
    let lag = progress.lag.load(Relaxed) as f64 / 1e6;
    let in_flight = progress
        .operations_issued
        .load(Relaxed)
        .saturating_sub(progress.operations_completed.load(Relaxed));
    let lost = progress.connections_lost.load(Relaxed);
    bar.set_message(if clients < all {
        format!("{clients}/{all} clients connected, {differences} differences")
    } else {
        // What matters most comes first: a narrow terminal cuts off the rest.
        format!("{lag:.1} ms late, {differences} differences, {clients} clients, {lost} lost, {in_flight} in flight")
    });
}
