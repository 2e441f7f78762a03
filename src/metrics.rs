//! What is counted, in one table, and its text for Prometheus. Labels are words of ours: never a name, path or secret.

use metrics::{Counter, Gauge, Histogram, Key, Label, Level, Metadata, Recorder};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle, PrometheusRecorder};

/// Kind, name and meaning of each metric.
const TABLE: &[(Kind, &str, &str)] = &[
    (
        Kind::Counter,
        REQUESTS,
        "Requests answered, by door and by the class of their status.",
    ),
    (
        Kind::Histogram,
        SECONDS,
        "Seconds from a request's head to the head of its answer, by door.",
    ),
    (Kind::Gauge, CONNECTIONS, "Connections that are open."),
    (
        Kind::Counter,
        "kalends_sign_ins_total",
        "Credentials checked against the database, by door and outcome.",
    ),
    (
        Kind::Counter,
        "kalends_panics_total",
        "Requests that ended in a fault of ours and were answered with 500.",
    ),
    (
        Kind::Counter,
        "kalends_upkeep_total",
        "Runs of the upkeep in the background, by outcome.",
    ),
    (
        Kind::Counter,
        "kalends_sync_runs_total",
        "Runs of links, by provider and outcome: done, failed, asked (waits for its owner's yes), broken.",
    ),
    (
        Kind::Counter,
        "kalends_sync_changes_total",
        "Events that runs created, updated or deleted, by provider and side.",
    ),
    (
        Kind::Gauge,
        "kalends_sync_queue",
        "Events that wait to be brought across, and those that are parked.",
    ),
    (
        Kind::Gauge,
        "kalends_sync_lag_seconds",
        "For how long the link has been due that has been due longest.",
    ),
    (
        Kind::Gauge,
        "kalends_connections_at_providers",
        "Accounts at providers, by whether they work.",
    ),
    (
        Kind::Counter,
        "kalends_hooks_total",
        "Webhooks that came in, by provider and outcome: taken, unknown, forged.",
    ),
    (
        Kind::Counter,
        "kalends_watches_total",
        "Webhooks that providers were asked for: made, renewed, stopped, failed.",
    ),
    (
        Kind::Gauge,
        "kalends_build_info",
        "Always 1; the version is a label.",
    ),
    (
        Kind::Gauge,
        "process_resident_memory_bytes",
        "Resident memory.",
    ),
];

enum Kind {
    Counter,
    Gauge,
    Histogram,
}

const REQUESTS: &str = "kalends_requests_total";
const SECONDS: &str = "kalends_request_seconds";
const CONNECTIONS: &str = "kalends_connections";
const BUCKETS: &[f64] = &[
    0.0001, 0.000_25, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0,
];
const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];
const METADATA: Metadata<'static> =
    Metadata::new(module_path!(), Level::INFO, Some(module_path!()));

/// The counters of the serving path, looked up once, and the means to print all of them.
pub struct Metrics {
    handle: PrometheusHandle,
    doors: Vec<Door>,
    pub connections: Gauge,
    memory: Gauge,
}

struct Door {
    requests: [Counter; CLASSES.len()],
    seconds: Histogram,
}

impl Metrics {
    /// Counters for these doors. The recorder becomes that of the process unless it has one already, so that
    /// `metrics::counter!` elsewhere arrives here.
    pub fn install(doors: &[&'static str]) -> Metrics {
        let builder = PrometheusBuilder::new().set_buckets(BUCKETS);
        // The only fault of `set_buckets` is an empty list.
        let recorder = builder.unwrap_or_default().build_recorder();
        describe(&recorder);
        let labelled = |name: &'static str, labels: Vec<Label>| Key::from_parts(name, labels);
        let doors = doors
            .iter()
            .map(|door| Door {
                requests: CLASSES.map(|class| {
                    let labels = vec![Label::new("door", *door), Label::new("status", class)];
                    recorder.register_counter(&labelled(REQUESTS, labels), &METADATA)
                }),
                seconds: recorder.register_histogram(
                    &labelled(SECONDS, vec![Label::new("door", *door)]),
                    &METADATA,
                ),
            })
            .collect();
        let version = vec![Label::new("version", env!("CARGO_PKG_VERSION"))];
        recorder
            .register_gauge(&labelled("kalends_build_info", version), &METADATA)
            .set(1.0);
        let metrics = Metrics {
            handle: recorder.handle(),
            doors,
            connections: recorder.register_gauge(&Key::from_name(CONNECTIONS), &METADATA),
            memory: recorder
                .register_gauge(&Key::from_name("process_resident_memory_bytes"), &METADATA),
        };
        // In tests several servers live in one process; the first one gets what is counted by name.
        let _ = metrics::set_global_recorder(recorder);
        metrics
    }

    /// One request has been answered. `door` is an index into the names given to [`Metrics::install`].
    pub fn answered(&self, door: usize, status: u16, seconds: f64) {
        if let Some(door) = self.doors.get(door) {
            let class = usize::from(status / 100).clamp(1, CLASSES.len()) - 1;
            door.requests[class].increment(1);
            door.seconds.record(seconds);
        }
    }

    /// Everything, in Prometheus' text format.
    pub fn render(&self) -> String {
        if let Some(bytes) = resident_bytes() {
            self.memory.set(bytes);
        }
        self.handle.render()
    }

    /// Folds what histograms have gathered; to be called every few seconds, so that it does not pile up.
    pub fn upkeep(&self) {
        self.handle.run_upkeep();
    }
}

fn describe(recorder: &PrometheusRecorder) {
    for (kind, name, meaning) in TABLE {
        let (name, meaning) = ((*name).into(), (*meaning).into());
        match kind {
            Kind::Counter => recorder.describe_counter(name, None, meaning),
            Kind::Gauge => recorder.describe_gauge(name, None, meaning),
            Kind::Histogram => recorder.describe_histogram(name, None, meaning),
        }
    }
}

/// Resident memory of this process, where the system tells it in /proc.
fn resident_bytes() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: f64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kib * 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_is_printed_with_its_meaning() {
        let metrics = Metrics::install(&["dav", "api"]);
        metrics.answered(0, 207, 0.0004);
        metrics.answered(0, 207, 0.0004);
        metrics.answered(1, 404, 0.1);
        metrics.answered(9, 200, 0.1);
        metrics.connections.increment(1.0);
        let text = metrics.render();
        for line in [
            "# HELP kalends_requests_total Requests answered",
            "# TYPE kalends_requests_total counter",
            "kalends_requests_total{door=\"dav\",status=\"2xx\"} 2",
            "kalends_requests_total{door=\"api\",status=\"4xx\"} 1",
            "kalends_request_seconds_bucket{door=\"dav\",le=\"0.0005\"} 2",
            "kalends_request_seconds_bucket{door=\"dav\",le=\"0.00025\"} 0",
            "kalends_connections 1",
        ] {
            assert!(text.contains(line), "{line}\n{text}");
        }
    }
}
