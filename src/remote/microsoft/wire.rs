//! Graph's JSON, read leniently: a key that is missing, null or of another kind is as if it were not there, and unknown
//! keys and enum members stay what they are (FACTS §9.34). What is written is built by `map`.

use jiff::Timestamp;
use jiff::civil::DateTime;
use serde_json::{Map, Value};

pub type Doc = Map<String, Value>;

/// Text at a key, or behind dots (`start.dateTime`); empty when there is none.
pub fn text<'a>(doc: &'a Value, path: &str) -> &'a str {
    at(doc, path).and_then(Value::as_str).unwrap_or_default()
}

pub fn flag(doc: &Value, path: &str) -> Option<bool> {
    at(doc, path).and_then(Value::as_bool)
}

pub fn number(doc: &Value, path: &str) -> Option<i64> {
    at(doc, path).and_then(Value::as_i64)
}

pub fn list<'a>(doc: &'a Value, path: &str) -> &'a [Value] {
    at(doc, path).and_then(Value::as_array).map_or(&[], |v| v)
}

/// The texts of a list.
pub fn texts<'a>(doc: &'a Value, path: &str) -> impl Iterator<Item = &'a str> {
    list(doc, path).iter().filter_map(Value::as_str)
}

pub fn at<'a>(doc: &'a Value, path: &str) -> Option<&'a Value> {
    // Annotations have dots of their own: `@odata.etag`.
    if path.starts_with('@') {
        return doc.get(path);
    }
    path.split('.').try_fold(doc, |doc, key| doc.get(key))
}

/// `id`, or nothing when it is no event at all.
pub fn id(doc: &Value) -> Option<&str> {
    Some(text(doc, "id")).filter(|id| !id.is_empty())
}

pub fn etag(doc: &Value) -> &str {
    text(doc, "@odata.etag")
}

/// What an event is in its series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Single,
    Master,
    Exception,
    Occurrence,
}

/// `type`; an unknown one is judged by the other keys.
pub fn kind(doc: &Value) -> Kind {
    match text(doc, "type") {
        "singleInstance" => Kind::Single,
        "seriesMaster" => Kind::Master,
        "exception" => Kind::Exception,
        "occurrence" => Kind::Occurrence,
        _ if doc.get("recurrence").is_some_and(Value::is_object) => Kind::Master,
        _ if !text(doc, "seriesMasterId").is_empty() => Kind::Occurrence,
        _ => Kind::Single,
    }
}

/// `2019-03-15T12:00:00.0000000`; a fraction is dropped, and so is a `Z`.
pub fn civil(value: &str) -> Option<DateTime> {
    let value = value.trim_end_matches('Z');
    let whole = value.split('.').next()?;
    whole.parse().ok()
}

pub fn print_civil(at: DateTime) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S").to_string()
}

/// A `DateTimeOffset`, in seconds since 1970 UTC.
pub fn instant(value: &str) -> Option<i64> {
    let at: Timestamp = value.parse().ok()?;
    (at.as_second() > YEAR_ONE).then(|| at.as_second())
}

/// `0001-01-01T00:00:00Z` is how Graph says *never*.
const YEAR_ONE: i64 = -62_135_596_800;

pub fn print_instant(at: i64) -> String {
    Timestamp::from_second(at).map_or_else(|_| String::new(), |at| at.to_string())
}

/// `code` of an error body.
pub fn error_code(body: &[u8]) -> String {
    serde_json::from_slice::<Value>(body)
        .map(|body| text(&body, "error.code").to_owned())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_missing_null_or_odd_is_not_there() {
        let doc = json!({"a": {"b": "c"}, "n": null, "color": {}, "list": ["x", 1]});
        assert_eq!(text(&doc, "a.b"), "c");
        assert_eq!(
            [text(&doc, "n"), text(&doc, "color"), text(&doc, "a.b.c")],
            [""; 3]
        );
        assert_eq!(texts(&doc, "list").collect::<Vec<_>>(), ["x"]);
        assert_eq!(number(&doc, "n"), None);
        assert_eq!(etag(&json!({"@odata.etag": "W/\"1\""})), "W/\"1\"");
    }

    #[test]
    fn times_have_fractions_and_a_never() {
        let at = civil("2019-03-15T12:00:00.0000000").unwrap();
        assert_eq!(print_civil(at), "2019-03-15T12:00:00");
        assert_eq!(civil("datetime-value"), None);
        assert_eq!(instant("2016-10-19T10:37:00Z"), Some(1_476_873_420));
        assert_eq!(instant("0001-01-01T00:00:00Z"), None);
        assert_eq!(print_instant(1_476_873_420), "2016-10-19T10:37:00Z");
    }

    #[test]
    fn an_unknown_type_is_judged_by_what_else_there_is() {
        for (doc, wanted) in [
            (json!({"type": "exception"}), Kind::Exception),
            (
                json!({"type": "new", "recurrence": {"pattern": {}}}),
                Kind::Master,
            ),
            (json!({"seriesMasterId": "m"}), Kind::Occurrence),
            (
                json!({"recurrence": null, "seriesMasterId": null}),
                Kind::Single,
            ),
        ] {
            assert_eq!(kind(&doc), wanted, "{doc}");
        }
    }
}
