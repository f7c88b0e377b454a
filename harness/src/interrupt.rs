//! SIGINT and SIGTERM: the cases that run end at once, their servers are stopped, and only then the
//! process leaves, through `main`, with 130 or 143.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// How long the orderly end may take before the process leaves without it.
const PATIENCE: Duration = Duration::from_secs(45);

/// A signal that ends a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    /// SIGINT, Ctrl-C.
    Interrupt,
    /// SIGTERM.
    Terminate,
}

impl Signal {
    /// The exit code that shells give a process that the signal ended.
    pub(crate) fn exit_code(self) -> u8 {
        match self {
            Signal::Interrupt => 130,
            Signal::Terminate => 143,
        }
    }

    /// As a report names it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Signal::Interrupt => "SIGINT",
            Signal::Terminate => "SIGTERM",
        }
    }
}

/// Whether a signal has come; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Interrupt {
    state: Arc<watch::Sender<Option<Signal>>>,
}

impl Interrupt {
    /// Listens from now on, in a task of this runtime. A second signal, or a run that does not end,
    /// leaves at once; what is left over then, the next run sweeps.
    pub(crate) fn listen(runtime: &Handle) -> Self {
        let interrupt = Self {
            state: Arc::new(watch::Sender::new(None)),
        };
        let state = Arc::clone(&interrupt.state);
        // Not in the task, which may begin later: until then a signal would end the process where it stands.
        let entered = runtime.enter();
        let signals = (
            signal(SignalKind::interrupt()),
            signal(SignalKind::terminate()),
        );
        drop(entered);
        let (Ok(mut interrupts), Ok(mut terminations)) = signals else {
            tracing::warn!("cannot listen for signals");
            return interrupt;
        };
        runtime.spawn(async move {
            let mut next = async || {
                tokio::select! {
                    _ = interrupts.recv() => Signal::Interrupt,
                    _ = terminations.recv() => Signal::Terminate,
                }
            };
            let first = next().await;
            state.send_replace(Some(first));
            let _ = tokio::time::timeout(PATIENCE, next()).await;
            std::process::exit(i32::from(first.exit_code()));
        });
        interrupt
    }

    /// The signal that has come, if one has.
    pub(crate) fn received(&self) -> Option<Signal> {
        *self.state.borrow()
    }

    /// Ends when a signal has come.
    pub(crate) async fn wait(&self) -> Signal {
        let mut receiver = self.state.subscribe();
        loop {
            if let Some(signal) = *receiver.borrow_and_update() {
                return signal;
            }
            if receiver.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}
