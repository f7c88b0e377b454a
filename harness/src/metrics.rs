//! A run's counters for machines: in the Prometheus text format over a local endpoint while it goes on, and as JSON in
//! a file.
//!
//! The endpoint answers `GET /metrics` and nothing else, by HTTP/1.0, for a bounded number of callers at a time, each
//! within a bounded time and with a bounded request.

use std::fmt::Write as _;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use replay_engine::Progress;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use crate::whole_file;

/// So many callers are answered at the same time; further ones wait for their turn.
const CALLERS: usize = 8;
/// How long a caller may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// The longest request, in bytes.
const REQUEST: usize = 4096;
/// How often the file is written anew.
const EVERY: Duration = Duration::from_secs(1);
/// The media type of the text format (version 0.0.4).
const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// One figure.
struct Sample {
    name: &'static str,
    /// `gauge`, `counter` or `summary`.
    kind: &'static str,
    help: &'static str,
    /// With their braces; empty for none.
    labels: String,
    value: f64,
}

/// All figures of a run that began then; of one name in a row.
fn samples(progress: &Progress, began: Instant) -> Vec<Sample> {
    let count = |name, kind, help, value: &AtomicU64| Sample {
        name,
        kind,
        help,
        labels: String::new(),
        value: value.load(Relaxed) as f64,
    };
    let gauge = |name, help, value| count(name, "gauge", help, value);
    let counter = |name, help, value| count(name, "counter", help, value);
    let mut all = vec![
        gauge(
            "smb_replay_steps",
            "Steps of the trace, of all its copies.",
            &progress.steps_total,
        ),
        counter(
            "smb_replay_steps_done_total",
            "Steps that have ended or will not run.",
            &progress.steps_done,
        ),
        counter(
            "smb_replay_operations_issued_total",
            "Operations given to the client library.",
            &progress.operations_issued,
        ),
        counter(
            "smb_replay_operations_completed_total",
            "Operations that have ended.",
            &progress.operations_completed,
        ),
        counter(
            "smb_replay_differences_total",
            "Answers and checks that were not as the trace says.",
            &progress.differences,
        ),
        gauge(
            "smb_replay_clients",
            "Clients that connect before the first step.",
            &progress.clients_total,
        ),
        gauge(
            "smb_replay_clients_connected",
            "How many of them are connected.",
            &progress.clients_connected,
        ),
        counter(
            "smb_replay_connections_lost_total",
            "Connections that ended before the run did.",
            &progress.connections_lost,
        ),
        Sample {
            value: seconds(&progress.lag),
            ..gauge(
                "smb_replay_lag_seconds",
                "How late the latest dispatch was.",
                &progress.lag,
            )
        },
        Sample {
            name: "smb_replay_elapsed_seconds",
            kind: "gauge",
            help: "Since the replay began, its set-up included.",
            labels: String::new(),
            value: began.elapsed().as_secs_f64(),
        },
    ];
    let four = &progress.quantiles;
    for (time, quantiles) in [
        ("lag", &four.lag),
        ("fault", &four.fault),
        ("response", &four.response),
        ("service", &four.service),
    ] {
        for (quantile, value) in [
            ("0.5", &quantiles.p50),
            ("0.99", &quantiles.p99),
            ("0.999", &quantiles.p99_9),
        ] {
            all.push(Sample {
                name: "smb_replay_time_seconds",
                kind: "summary",
                help: "The four times of all operations so far.",
                labels: format!("{{time=\"{time}\",quantile=\"{quantile}\"}}"),
                value: seconds(value),
            });
        }
    }
    all
}

fn seconds(nanoseconds: &AtomicU64) -> f64 {
    nanoseconds.load(Relaxed) as f64 / 1e9
}

/// The text format.
fn text(samples: &[Sample]) -> String {
    let mut text = String::new();
    let mut last = "";
    for sample in samples {
        let Sample {
            name,
            kind,
            help,
            labels,
            value,
        } = sample;
        if *name != last {
            let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
            last = name;
        }
        let _ = writeln!(text, "{name}{labels} {value}");
    }
    text
}

/// The same as JSON: an object with the text format's names, labels included.
fn document(samples: &[Sample]) -> serde_json::Value {
    let metrics: serde_json::Map<_, _> = samples
        .iter()
        .map(|sample| {
            (
                format!("{}{}", sample.name, sample.labels),
                json!(sample.value),
            )
        })
        .collect();
    json!({ "version": 1, "metrics": metrics })
}

/// Replaces the file: a reader sees the old or the new one.
fn save(path: &Path, samples: &[Sample]) -> io::Result<()> {
    let mut bytes = serde_json::to_vec_pretty(&document(samples))?;
    bytes.push(b'\n');
    whole_file::write(path, &bytes)
}

/// What is told of a run while it goes on.
#[derive(Default)]
pub(crate) struct Metrics {
    tasks: Vec<JoinHandle<()>>,
    address: Option<SocketAddr>,
    file: Option<(PathBuf, Arc<Progress>, Instant)>,
}

impl Metrics {
    /// Begins to listen, and to write the file, where either is wanted. The error is a sentence.
    pub(crate) async fn start(
        address: Option<SocketAddr>,
        file: Option<&Path>,
        progress: &Arc<Progress>,
    ) -> Result<Self, String> {
        let began = Instant::now();
        let mut metrics = Self::default();
        if address.is_some() || file.is_some() {
            progress.wants_quantiles.store(true, Relaxed);
        }
        if let Some(path) = file {
            let shown = |error: io::Error| format!("{}: {error}", path.display());
            save(path, &samples(progress, began)).map_err(shown)?;
            metrics.file = Some((path.to_owned(), Arc::clone(progress), began));
            let (path, progress) = (path.to_owned(), Arc::clone(progress));
            metrics.tasks.push(tokio::spawn(async move {
                loop {
                    tokio::time::sleep(EVERY).await;
                    if let Err(error) = save(&path, &samples(&progress, began)) {
                        tracing::warn!(path = %path.display(), %error, "metrics cannot be written");
                    }
                }
            }));
        }
        if let Some(address) = address {
            let listener = TcpListener::bind(address).await;
            let listener = listener.map_err(|error| format!("{address}: {error}"))?;
            let at = listener.local_addr().map_err(|error| error.to_string())?;
            metrics.address = Some(at);
            let progress = Arc::clone(progress);
            metrics
                .tasks
                .push(tokio::spawn(listen(listener, progress, began)));
        }
        Ok(metrics)
    }

    /// Where they are answered for: with port 0 asked for, one that was free.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// Ends it; the file has the last figures then. The error is a sentence.
    pub(crate) fn finish(mut self) -> Result<(), String> {
        self.end();
        match self.file.take() {
            Some((path, progress, began)) => save(&path, &samples(&progress, began))
                .map_err(|error| format!("{}: {error}", path.display())),
            None => Ok(()),
        }
    }

    fn end(&mut self) {
        for task in self.tasks.drain(..) {
            task.abort();
        }
    }
}

impl Drop for Metrics {
    fn drop(&mut self) {
        self.end();
    }
}

async fn listen(listener: TcpListener, progress: Arc<Progress>, began: Instant) {
    let callers = Arc::new(Semaphore::new(CALLERS));
    let mut answering = tokio::task::JoinSet::new();
    loop {
        while answering.try_join_next().is_some() {}
        let Ok(turn) = Arc::clone(&callers).acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((stream, _)) => {
                let progress = Arc::clone(&progress);
                answering.spawn(async move {
                    let answered = tokio::time::timeout(PATIENCE, answer(stream, &progress, began));
                    if let Ok(Err(error)) = answered.await {
                        tracing::debug!(%error, "a caller for metrics");
                    }
                    drop(turn);
                });
            }
            Err(error) => {
                // For instance no descriptor left: that passes.
                tracing::debug!(%error, "no caller for metrics");
                tokio::time::sleep(EVERY).await;
            }
        }
    }
}

async fn answer(mut stream: TcpStream, progress: &Progress, began: Instant) -> io::Result<()> {
    let mut request = Vec::new();
    let mut part = [0; 512];
    while !request.windows(4).any(|end| end == b"\r\n\r\n") && request.len() < REQUEST {
        match stream.read(&mut part).await? {
            0 => break,
            count => request.extend_from_slice(&part[..count]),
        }
    }
    let line = request
        .split(|&byte| byte == b'\r')
        .next()
        .unwrap_or_default();
    let mut words = line.split(|&byte| byte == b' ');
    let (status, body) = match (words.next(), words.next()) {
        (Some(b"GET"), Some(b"/metrics")) => ("200 OK", text(&samples(progress, began))),
        (Some(b"GET"), _) => ("404 Not Found", "see /metrics\n".to_owned()),
        _ => ("405 Method Not Allowed", "GET alone\n".to_owned()),
    };
    let head = format!(
        "HTTP/1.0 {status}\r\nContent-Type: {CONTENT_TYPE}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body.as_bytes()).await?;
    stream.shutdown().await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn progress() -> Arc<Progress> {
        let progress = Progress::default();
        progress.operations_issued.store(7, Relaxed);
        progress.lag.store(1_500_000, Relaxed);
        progress.quantiles.service.p99.store(2_000_000_000, Relaxed);
        Arc::new(progress)
    }

    #[test]
    fn the_text_has_one_head_for_each_name() {
        let text = text(&samples(&progress(), Instant::now()));
        for line in [
            "# TYPE smb_replay_operations_issued_total counter",
            "smb_replay_operations_issued_total 7",
            "smb_replay_lag_seconds 0.0015",
            "smb_replay_time_seconds{time=\"service\",quantile=\"0.99\"} 2",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
        let heads = text
            .lines()
            .filter(|line| line.starts_with("# TYPE smb_replay_time_seconds "));
        assert_eq!(heads.count(), 1);
        // Every other line is a name, perhaps labels, a blank and a number.
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let (name, value) = line.rsplit_once(' ').expect("a value");
            assert!(name.starts_with("smb_replay_"), "{line}");
            assert!(value.parse::<f64>().is_ok(), "{line}");
        }
    }

    #[tokio::test]
    async fn the_endpoint_answers_for_metrics_alone_and_the_file_has_the_same() {
        let folder = tempfile::tempdir().expect("a directory");
        let file = folder.path().join("metrics.json");
        let progress = progress();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("its address");
        let task = tokio::spawn(listen(listener, Arc::clone(&progress), Instant::now()));
        let ask = async |request: &str| {
            let mut stream = TcpStream::connect(address).await.expect("it listens");
            stream.write_all(request.as_bytes()).await.expect("sent");
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.expect("an answer");
            answer
        };
        let answer = ask("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").await;
        let (head, body) = answer.split_once("\r\n\r\n").expect("a body");
        assert!(head.starts_with("HTTP/1.0 200 OK\r\n"), "{head}");
        assert!(
            head.contains(&format!("Content-Length: {}", body.len())),
            "{head}"
        );
        assert!(
            body.contains("smb_replay_operations_issued_total 7\n"),
            "{body}"
        );
        assert!(
            ask("GET / HTTP/1.0\r\n\r\n")
                .await
                .starts_with("HTTP/1.0 404")
        );
        assert!(
            ask("POST /metrics HTTP/1.0\r\n\r\n")
                .await
                .starts_with("HTTP/1.0 405")
        );
        // A request without an end is answered once it is too long.
        assert!(ask(&"x".repeat(REQUEST)).await.starts_with("HTTP/1.0 405"));
        task.abort();
        let metrics = Metrics::start(None, Some(&file), &progress)
            .await
            .expect("it starts");
        progress.operations_issued.store(9, Relaxed);
        metrics.finish().expect("written");
        let text = std::fs::read(&file).expect("written");
        let document: serde_json::Value = serde_json::from_slice(&text).expect("JSON");
        assert_eq!(
            document["metrics"]["smb_replay_operations_issued_total"],
            9.0
        );
    }
}
