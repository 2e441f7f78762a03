//! Log lines, as text or JSON, with the id of the request that they belong to.
//!
//! The id travels in a task-local instead of a span: spans cost every request, this only the lines that are written.
//! Libraries are held at `info` whatever the filter says: some of them print headers below that.

use std::fmt;

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::{EnvFilter, FilterExt, filter_fn};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, MakeWriter};
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

use crate::config::Log;

/// Sixteen hex digits: eight of the process, eight of the request.
pub type RequestId = [u8; 16];

tokio::task_local! {
    /// Of the request that this task is answering.
    pub static REQUEST: RequestId;
}

/// What writes the log lines that `log` asks for.
pub fn subscriber<W>(log: &Log, writer: W) -> impl Subscriber + Send + Sync + 'static
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    // Checked when the setting was read.
    let wanted = EnvFilter::try_new(&log.level).unwrap_or_default();
    let ours = |target: &str| target == "kalends" || target.starts_with("kalends::");
    let libraries = filter_fn(move |line| *line.level() <= Level::INFO || ours(line.target()));
    let lines = tracing_subscriber::fmt::layer()
        .event_format(Lines { json: log.json })
        .with_writer(writer)
        .with_filter(wanted.and(libraries));
    tracing_subscriber::registry().with(lines)
}

struct Lines {
    json: bool,
}

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let mut time = String::new();
        SystemTime.format_time(&mut Writer::new(&mut time))?;
        let id = REQUEST.try_with(|id| *id).ok();
        let line = Line {
            time,
            level: event.metadata().level(),
            target: event.metadata().target(),
            request: id.as_ref().and_then(|id| std::str::from_utf8(id).ok()),
            fields,
        };
        if self.json {
            line.json(&mut writer)
        } else {
            line.text(&mut writer)
        }
    }
}

struct Line<'l> {
    time: String,
    level: &'l Level,
    target: &'l str,
    request: Option<&'l str>,
    fields: Fields,
}

impl Line<'_> {
    fn text(&self, into: &mut Writer<'_>) -> fmt::Result {
        write!(into, "{} {:>5} {}: ", self.time, self.level, self.target)?;
        // One line stays one line, whatever a client managed to put into it.
        write!(into, "{}", printable(&self.fields.message))?;
        for (name, value) in &self.fields.others {
            match value {
                serde_json::Value::String(text) => write!(into, " {name}={}", printable(text))?,
                other => write!(into, " {name}={other}")?,
            }
        }
        if let Some(id) = self.request {
            write!(into, " request={id}")?;
        }
        writeln!(into)
    }

    fn json(&self, into: &mut Writer<'_>) -> fmt::Result {
        let mut object = serde_json::Map::new();
        object.insert("time".into(), self.time.as_str().into());
        object.insert("level".into(), self.level.as_str().into());
        object.insert("target".into(), self.target.into());
        object.insert("message".into(), self.fields.message.as_str().into());
        if let Some(id) = self.request {
            object.insert("request".into(), id.into());
        }
        for (name, value) in &self.fields.others {
            object.insert((*name).into(), value.clone());
        }
        writeln!(into, "{}", serde_json::Value::Object(object))
    }
}

fn printable(text: &str) -> std::borrow::Cow<'_, str> {
    if text.chars().any(char::is_control) {
        text.escape_debug().to_string().into()
    } else {
        text.into()
    }
}

#[derive(Default)]
struct Fields {
    message: String,
    others: Vec<(&'static str, serde_json::Value)>,
}

impl Fields {
    fn put(&mut self, field: &Field, value: serde_json::Value) {
        match (field.name(), value) {
            ("message", serde_json::Value::String(text)) => self.message = text,
            (name, value) => self.others.push((name, value)),
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format!("{value:?}").into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value.into());
    }
}

/// Log lines gathered in memory, for tests.
#[cfg(test)]
pub mod captured {
    use std::io;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    pub struct Captured(Arc<Mutex<Vec<u8>>>);

    impl Captured {
        pub fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    impl io::Write for Captured {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl<'w> tracing_subscriber::fmt::MakeWriter<'w> for Captured {
        type Writer = Captured;

        fn make_writer(&'w self) -> Captured {
            self.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::captured::Captured;
    use super::*;

    fn lines(level: &str, json: bool, log: impl FnOnce()) -> Vec<String> {
        let captured = Captured::default();
        let settings = Log {
            level: level.into(),
            json,
            ..Log::default()
        };
        tracing::subscriber::with_default(subscriber(&settings, captured.clone()), log);
        captured.text().lines().map(String::from).collect()
    }

    #[test]
    fn a_line_has_its_request_and_stays_one_line() {
        let lines = lines("info", false, || {
            REQUEST.sync_scope(*b"0123456789abcdef", || {
                tracing::warn!(status = 500, path = "/a\nb", "it\r\nbroke");
            });
            tracing::debug!("not this one");
        });
        assert_eq!(lines.len(), 1);
        let expected = " WARN kalends::server::log::tests: it\\r\\nbroke status=500 path=/a\\nb request=0123456789abcdef";
        assert!(lines[0].ends_with(expected), "{}", lines[0]);
    }

    #[test]
    fn json_lines_are_json() {
        let lines = lines("info", true, || tracing::error!(count = 3, "over"));
        let line: serde_json::Value = serde_json::from_str(&lines[0]).unwrap();
        assert_eq!(line["message"], "over");
        assert_eq!(line["count"], 3);
        assert_eq!(line["level"], "ERROR");
        assert_eq!(line.get("request"), None);
    }

    #[test]
    fn libraries_stay_quiet_below_info() {
        let lines = lines("trace", false, || {
            tracing::debug!(target: "h2::codec", "headers");
            tracing::info!(target: "h2::codec", "told");
            tracing::trace!(target: "kalends::dav", "ours");
        });
        assert_eq!(lines.len(), 2, "{lines:?}");
    }
}
