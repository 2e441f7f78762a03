//! Titles and descriptions of mirrored events, made from a template: `{title} with {client}` (PRODUCT §7).
//!
//! `{name}` or a dotted path (`{config.type}`, `{client.email}`, `{config.questions.0}`) is a field, `{{` and `}}` are
//! braces, and a `}` by itself is one too. A field that there is not is empty. What the fields are is the caller's
//! business: [`Template::render`] asks, [`Template::fields`] says beforehand what it will ask for, and
//! [`Template::reaches`] whether that goes beyond what a privacy level tells.
//!
//! Left out: conditions, formats, defaults.

use std::fmt;

/// What templates may name at the level `busy`: nothing of the event but when it is.
pub const BUSY_FIELDS: &[&str] = &["calendar", "start", "end", "date"];

/// What they may name at the level `titles`, of an event that is not private.
pub const TITLES_FIELDS: &[&str] = &["calendar", "start", "end", "date", "title", "status"];

/// Octets of a template.
const LONGEST: usize = 4096;

/// A template, parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    pieces: Vec<Piece>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Field(String),
}

/// Why a text is no template, and where: the character, counted from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateError {
    pub at: usize,
    pub fault: Fault,
}

/// What is wrong with a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// A `{` without its `}`.
    Open,
    /// `{}`.
    Empty,
    /// Something else than letters, digits, `-`, `_` and dots between them.
    Name(String),
    /// More octets than [`LONGEST`].
    Long,
}

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "character {}: ", self.at)?;
        match &self.fault {
            Fault::Open => f.write_str("{ without }; write {{ for a brace"),
            Fault::Empty => f.write_str("no name between the braces; write {{ for a brace"),
            Fault::Name(name) => write!(f, "{name:?} is no field; write {{{{ for a brace"),
            Fault::Long => write!(f, "a template has at most {LONGEST} octets"),
        }
    }
}

impl std::error::Error for TemplateError {}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// A brace that is not closed, or something between braces that cannot be a field's name.
    pub fn parse(text: &str) -> Result<Template, TemplateError> {
        let error = |rest: &str, fault| TemplateError {
            at: text[..text.len() - rest.len()].chars().count() + 1,
            fault,
        };
        if text.len() > LONGEST {
            return Err(error(
                &text[text.floor_char_boundary(LONGEST)..],
                Fault::Long,
            ));
        }
        let (mut pieces, mut plain, mut rest) = (Vec::new(), String::new(), text);
        while let Some(at) = rest.find(['{', '}']) {
            plain.push_str(&rest[..at]);
            rest = &rest[at..];
            let doubled = ["{{", "}}"].into_iter().find(|two| rest.starts_with(two));
            if let Some(two) = doubled {
                plain.push_str(&two[..1]);
                rest = &rest[2..];
                continue;
            }
            let Some(inside) = rest.strip_prefix('{') else {
                plain.push('}');
                rest = &rest[1..];
                continue;
            };
            let end = inside
                .find(['{', '}'])
                .filter(|end| inside[*end..].starts_with('}'));
            let end = end.ok_or_else(|| error(rest, Fault::Open))?;
            let name = inside[..end].trim();
            match name {
                "" => return Err(error(rest, Fault::Empty)),
                name if !is_path(name) => return Err(error(inside, Fault::Name(name.to_owned()))),
                _ => {}
            }
            if !plain.is_empty() {
                pieces.push(Piece::Text(std::mem::take(&mut plain)));
            }
            pieces.push(Piece::Field(name.to_owned()));
            rest = &inside[end + 1..];
        }
        plain.push_str(rest);
        if !plain.is_empty() {
            pieces.push(Piece::Text(plain));
        }
        Ok(Template { pieces })
    }

    /// The text, each field as `field` gives it.
    pub fn render(&self, field: &dyn Fn(&str) -> Option<String>) -> String {
        let pieces = self.pieces.iter();
        pieces
            .map(|piece| match piece {
                Piece::Text(text) => text.clone(),
                Piece::Field(name) => field(name).unwrap_or_default(),
            })
            .collect()
    }

    /// The fields it names, in order, each as often as it is named.
    pub fn fields(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Text(_) => None,
            Piece::Field(name) => Some(name.as_str()),
        })
    }

    /// The first field that is not among those allowed (see [`BUSY_FIELDS`], [`TITLES_FIELDS`]) nor inside of one.
    pub fn reaches(&self, allowed: &[&str]) -> Option<&str> {
        self.fields().find(|name| {
            let root = name.split('.').next().unwrap_or(name);
            !allowed.contains(&root)
        })
    }
}

fn is_path(name: &str) -> bool {
    name.split('.').all(|part| {
        !part.is_empty()
            && part
                .chars()
                .all(|c| c.is_alphanumeric() || matches!(c, '-' | '_'))
    })
}

/// The value at a dotted path of a JSON document, as text: strings as they are, numbers and truth printed, lists of
/// those joined by commas. `None` for what is not there and for objects.
pub fn path_of(document: &serde_json::Value, path: &str) -> Option<String> {
    let mut value = document;
    for part in path.split('.') {
        value = match value {
            serde_json::Value::Array(items) => items.get(part.parse::<usize>().ok()?)?,
            other => other.get(part)?,
        };
    }
    plain(value)
}

fn plain(value: &serde_json::Value) -> Option<String> {
    match value {
        serde_json::Value::String(text) => Some(text.clone()),
        serde_json::Value::Number(number) => Some(number.to_string()),
        serde_json::Value::Bool(truth) => Some(truth.to_string()),
        serde_json::Value::Array(items) => {
            let scalar = |item: &serde_json::Value| !item.is_array() && !item.is_object();
            let texts: Vec<String> = items
                .iter()
                .filter(|i| scalar(i))
                .filter_map(plain)
                .collect();
            Some(texts.join(", "))
        }
        serde_json::Value::Null | serde_json::Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn rendered(text: &str) -> String {
        let config = json!({"type": "coaching", "level": 2, "questions": ["a", "b"], "deep": {"er": true}, "no": null});
        let field = |name: &str| match name.split_once('.') {
            Some(("config", path)) => path_of(&config, path),
            Some(_) => None,
            None => match name {
                "title" => Some("First {title}".to_owned()),
                "client" => Some("Cleo".to_owned()),
                _ => None,
            },
        };
        Template::parse(text).unwrap().render(&field)
    }

    #[test]
    fn fields_are_put_in() {
        for (template, text) in [
            ("", ""),
            ("plain", "plain"),
            ("{title}", "First {title}"),
            ("{ title } – {client}!", "First {title} – Cleo!"),
            ("{unknown}{client.email}", ""),
            ("[{config.type}] {config.level}", "[coaching] 2"),
            ("{config.questions} {config.questions.1}", "a, b b"),
            (
                "{config.deep.er}{config.deep}{config.no}{config.questions.7}",
                "true",
            ),
            ("{{title}}", "{title}"),
            ("{{{client}}}", "{Cleo}"),
            ("a } b", "a } b"),
            ("größer {{", "größer {"),
        ] {
            assert_eq!(rendered(template), text, "{template}");
        }
    }

    #[test]
    fn faults_tell_where() {
        for (template, at, fault) in [
            ("a {", 3, Fault::Open),
            ("ä {title", 3, Fault::Open),
            ("{a{b}}", 1, Fault::Open),
            ("{title} {}", 9, Fault::Empty),
            ("x{ }", 2, Fault::Empty),
            ("{a b}", 2, Fault::Name("a b".into())),
            ("{a..b}", 2, Fault::Name("a..b".into())),
            ("{client.}", 2, Fault::Name("client.".into())),
        ] {
            let error = Template::parse(template).unwrap_err();
            assert_eq!((error.at, &error.fault), (at, &fault), "{template}");
            assert!(error.to_string().starts_with(&format!("character {at}: ")));
        }
        let long = "ä".repeat(LONGEST);
        assert_eq!(Template::parse(&long).unwrap_err().fault, Fault::Long);
    }

    #[test]
    fn what_it_names_is_known_beforehand() {
        let template = Template::parse("{calendar}: {title} {client.email} {title}").unwrap();
        let fields: Vec<&str> = template.fields().collect();
        assert_eq!(fields, ["calendar", "title", "client.email", "title"]);
        assert_eq!(template.reaches(BUSY_FIELDS), Some("title"));
        assert_eq!(template.reaches(TITLES_FIELDS), Some("client.email"));
        let harmless = Template::parse("Busy {{{calendar}}}").unwrap();
        assert_eq!(harmless.reaches(BUSY_FIELDS), None);
    }
}
