//! The providers' own descriptions as oracles: Google's discovery document and the Graph schema, read when they are there.
//!
//! They are looked for in the folder that `KALENDS_SHARED` names, else in `../shared` beside the crate; without them the
//! checks are off, and it is said once.

use serde_json::Value;
use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::OnceLock;

/// A method of the discovery document.
pub struct Method {
    params: HashSet<String>,
    request: Option<String>,
    response: Option<String>,
    scopes: Vec<String>,
}

pub struct Google {
    methods: HashMap<String, Method>,
    schemas: Value,
}

pub struct Graph {
    types: Value,
}

fn folder() -> PathBuf {
    #[expect(clippy::disallowed_methods, reason = "test data, not a setting")]
    let named = std::env::var("KALENDS_SHARED").ok();
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared");
    PathBuf::from(named.unwrap_or_else(|| beside.to_string())).join("providers")
}

fn read(name: &str) -> Option<Value> {
    let path = folder().join(name);
    let text = std::fs::read_to_string(&path).ok();
    let value = text.and_then(|text| serde_json::from_str(&text).ok());
    if value.is_none() {
        eprintln!("simulator: {name} is absent, bodies and parameters are not checked against it");
    }
    value
}

/// Google's discovery document, if there.
pub fn google() -> Option<&'static Google> {
    static LOADED: OnceLock<Option<Google>> = OnceLock::new();
    let load = || Some(Google::new(&read("google-calendar-v3-discovery.json")?));
    LOADED.get_or_init(load).as_ref()
}

/// The Graph schema, if there.
pub fn graph() -> Option<&'static Graph> {
    static LOADED: OnceLock<Option<Graph>> = OnceLock::new();
    let load = || {
        let types = read("graph-calendar-schema.json")?["types"].take();
        Some(Graph { types })
    };
    LOADED.get_or_init(load).as_ref()
}

impl Google {
    fn new(document: &Value) -> Google {
        let common = keys(&document["parameters"]);
        let mut methods = HashMap::new();
        let resources = document["resources"].as_object().into_iter().flatten();
        for (resource, body) in resources {
            for (name, method) in body["methods"].as_object().into_iter().flatten() {
                let mut params: HashSet<String> = keys(&method["parameters"]).into_iter().collect();
                params.extend(common.iter().cloned());
                let scopes = method["scopes"].as_array().into_iter().flatten();
                let named = |part: &str| Some(method[part]["$ref"].as_str()?.to_string());
                let method = Method {
                    params,
                    request: named("request"),
                    response: named("response"),
                    scopes: scopes
                        .filter_map(|s| Some(s.as_str()?.to_string()))
                        .collect(),
                };
                methods.insert(format!("{resource}.{name}"), method);
            }
        }
        Google {
            methods,
            schemas: document["schemas"].clone(),
        }
    }

    /// The scopes of which a call of the method needs one.
    pub fn scopes(&self, method: &str) -> Option<&[String]> {
        Some(&self.methods.get(method)?.scopes)
    }

    /// A parameter that the method does not have.
    pub fn unknown_param<'a>(
        &self,
        method: &str,
        names: impl Iterator<Item = &'a str>,
    ) -> Option<&'a str> {
        let method = self.methods.get(method)?;
        let mut names = names;
        names.find(|name| !method.params.contains(*name))
    }

    /// What is wrong with a body for a method.
    pub fn request(&self, method: &str, body: &Value) -> Vec<String> {
        let name = self.methods.get(method).and_then(|m| m.request.as_deref());
        self.against(name, method, body)
    }

    /// What is wrong with an answer of a method.
    pub fn response(&self, method: &str, body: &Value) -> Vec<String> {
        let name = self.methods.get(method).and_then(|m| m.response.as_deref());
        self.against(name, method, body)
    }

    fn against(&self, name: Option<&str>, method: &str, body: &Value) -> Vec<String> {
        let mut out = Vec::new();
        match name {
            Some(name) => self.check(&self.schemas[name], body, method, &mut out),
            None if body.is_null() => {}
            None => out.push(format!("{method} has no body")),
        }
        out
    }

    fn check(&self, schema: &Value, value: &Value, at: &str, out: &mut Vec<String>) {
        if value.is_null() {
            return; // clears
        }
        if let Some(name) = schema["$ref"].as_str() {
            return self.check(&self.schemas[name], value, at, out);
        }
        let fine = match schema["type"].as_str() {
            Some("object") => value.is_object(),
            Some("array") => value.is_array(),
            Some("string") => value.is_string(),
            Some("boolean") => value.is_boolean(),
            Some("integer") => value.is_i64(),
            Some("number") => value.is_number(),
            _ => true,
        };
        if !fine {
            return out.push(format!("{at}: {value} is no {}", schema["type"]));
        }
        for (key, inner) in value.as_object().into_iter().flatten() {
            let known = match &schema["properties"][key] {
                Value::Null => &schema["additionalProperties"],
                known => known,
            };
            match known {
                Value::Null => out.push(format!("{at}.{key}: not in the discovery document")),
                known => self.check(known, inner, &format!("{at}.{key}"), out),
            }
        }
        for inner in value.as_array().into_iter().flatten() {
            self.check(&schema["items"], inner, &format!("{at}[]"), out);
        }
        if let (Some(members), Some(text)) = (schema["enum"].as_array(), value.as_str())
            && !members.iter().any(|member| member == text)
        {
            out.push(format!("{at}: {text} is not in the enum"));
        }
    }
}

/// Keys that may stand in answers beside those of the schema.
const GRAPH_EXTRAS: &[&str] = &["occurrenceId", "id"];

impl Graph {
    /// What is wrong with a value of a type (`event`, `subscription`, …).
    pub fn check(&self, kind: &str, value: &Value) -> Vec<String> {
        let mut out = Vec::new();
        self.walk(kind, value, kind, &mut out);
        out
    }

    fn property(&self, kind: &str, key: &str) -> Option<(&str, bool)> {
        let mut kind = kind;
        loop {
            let this = self.types.get(kind)?;
            for group in ["properties", "navigation"] {
                if let Some(found) = this[group].get(key) {
                    return Some((found["type"].as_str()?, found["collection"] == true));
                }
            }
            kind = this["baseType"].as_str()?;
        }
    }

    fn walk(&self, kind: &str, value: &Value, at: &str, out: &mut Vec<String>) {
        if value.is_null() {
            return;
        }
        let Some(known) = self.types.get(kind) else {
            return self.primitive(kind, value, at, out);
        };
        if known["kind"] == "enum" {
            let members = known["members"].as_array();
            let fine = members.is_some_and(|members| members.contains(value));
            if !fine {
                out.push(format!("{at}: {value} is not in {kind}"));
            }
            return;
        }
        let Some(object) = value.as_object() else {
            return out.push(format!("{at}: {value} is no {kind}"));
        };
        for (key, inner) in object {
            let at = format!("{at}.{key}");
            match self.property(kind, key) {
                Some((inner_kind, true)) => match inner.as_array() {
                    Some(all) => all
                        .iter()
                        .for_each(|one| self.walk(inner_kind, one, &at, out)),
                    None if inner.is_null() => {}
                    None => out.push(format!("{at}: {inner} is no list")),
                },
                Some((inner_kind, false)) => self.walk(inner_kind, inner, &at, out),
                None if key.starts_with('@') || key.contains("@odata.") => {}
                None if GRAPH_EXTRAS.contains(&key.as_str()) => {}
                None => out.push(format!("{at}: not in the schema")),
            }
        }
    }

    fn primitive(&self, kind: &str, value: &Value, at: &str, out: &mut Vec<String>) {
        let fine = match kind {
            "Edm.Boolean" => value.is_boolean(),
            "Edm.Int32" | "Edm.Int64" => value.is_i64(),
            "Edm.Double" => value.is_number(),
            kind if kind.starts_with("Edm.") => value.is_string(),
            _ => true,
        };
        if !fine {
            out.push(format!("{at}: {value} is no {kind}"));
        }
    }
}

fn keys(object: &Value) -> Vec<String> {
    object
        .as_object()
        .into_iter()
        .flatten()
        .map(|(key, _)| key.clone())
        .collect()
}
