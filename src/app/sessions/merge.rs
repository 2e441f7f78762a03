//! Fields from JSON, with what is wrong of each, and merge patches (RFC 7396).

use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::fields::Fields;

/// What is wrong with one field of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldError {
    /// Its name.
    pub field: String,
    pub reason: String,
}

impl FieldError {
    pub fn new(field: impl Into<String>, reason: impl Into<String>) -> FieldError {
        FieldError {
            field: field.into(),
            reason: reason.into(),
        }
    }
}

/// Reads fields from a JSON object, with what is wrong of each.
pub fn read(object: &Map<String, Value>) -> Result<Fields, Vec<FieldError>> {
    match serde_json::from_value(Value::Object(without_nulls(object))) {
        Ok(fields) => Ok(fields),
        Err(whole) => {
            let faults: Vec<_> = object
                .iter()
                .filter_map(|(name, value)| fault(name, value))
                .collect();
            Err(if faults.is_empty() {
                vec![FieldError::new("", whole.to_string())]
            } else {
                faults
            })
        }
    }
}

fn without_nulls(object: &Map<String, Value>) -> Map<String, Value> {
    let there = object.iter().filter(|(_, value)| !value.is_null());
    there
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

fn fault(name: &str, value: &Value) -> Option<FieldError> {
    let alone = Map::from_iter([(name.to_string(), value.clone())]);
    let wrong = serde_json::from_value::<Fields>(Value::Object(without_nulls(&alone))).err()?;
    let reason = wrong.to_string();
    let reason = if reason.starts_with("unknown field `") && reason.contains(&format!("`{name}`")) {
        "there is no such field".to_string()
    } else {
        reason
    };
    Some(FieldError::new(name, reason))
}

/// Changes `target` as RFC 7396 says.
pub fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Value::Object(object) = target else {
        return;
    };
    for (name, value) in patch {
        if value.is_null() {
            object.remove(name);
        } else {
            merge(object.entry(name).or_insert(Value::Null), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::sessions::fields::{Action, Reminder};
    use serde_json::json;

    fn object(value: Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap()
    }

    #[test]
    fn every_wrong_field_is_named() {
        let wrong = read(&object(
            json!({"title": 1, "nonsense": true, "location": "here", "class": "secret"}),
        ));
        let fields: Vec<_> = wrong.unwrap_err().into_iter().map(|f| f.field).collect();
        assert_eq!(fields, ["class", "nonsense", "title"]);
    }

    #[test]
    fn reminders_may_be_numbers_and_null_is_absence() {
        let fields = read(&object(
            json!({"reminders": [10, {"minutes": 60, "action": "email"}], "all_day": null}),
        ))
        .unwrap();
        assert_eq!(
            fields.reminders,
            [
                Reminder {
                    minutes: 10,
                    action: Action::Display
                },
                Reminder {
                    minutes: 60,
                    action: Action::Email
                }
            ]
        );
        assert!(!fields.all_day);
    }

    /// RFC 7396, appendix A.
    #[test]
    fn merging() {
        for (target, patch, result) in [
            (json!({"a":"b"}), json!({"a":"c"}), json!({"a":"c"})),
            (json!({"a":"b"}), json!({"b":"c"}), json!({"a":"b","b":"c"})),
            (json!({"a":"b"}), json!({"a":null}), json!({})),
            (
                json!({"a":"b","b":"c"}),
                json!({"a":null}),
                json!({"b":"c"}),
            ),
            (json!({"a":["b"]}), json!({"a":"c"}), json!({"a":"c"})),
            (
                json!({"a":{"b":"c"}}),
                json!({"a":{"b":"d","c":null}}),
                json!({"a":{"b":"d"}}),
            ),
            (json!({"a":[{"b":"c"}]}), json!({"a":[1]}), json!({"a":[1]})),
            (json!(["a", "b"]), json!(["c", "d"]), json!(["c", "d"])),
            (json!({"e":null}), json!({"a":1}), json!({"e":null,"a":1})),
            (
                json!({}),
                json!({"a":{"bb":{"ccc":null}}}),
                json!({"a":{"bb":{}}}),
            ),
        ] {
            let mut merged = target.clone();
            merge(&mut merged, &patch);
            assert_eq!(merged, result, "{target} {patch}");
        }
    }
}
