//! Conditional headers: `If` (RFC 4918 §10.4), `If-Match` and its kin (RFC 9110 §13.1), `If-Schedule-Tag-Match`
//! (RFC 6638 §8.3). Parsing and evaluation are pure; looking up the resources that `If` names is the caller's work.

use http::HeaderMap;

use crate::model::object::Tags;
use crate::model::{Error, Guard, Result};

/// More conditions than any client sends, few enough to look each one's resource up.
const MAX_LISTS: usize = 32;

/// The conditional headers of one request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conditions {
    pub if_match: Option<Tags>,
    pub if_none_match: Option<Tags>,
    pub if_schedule_tag_match: Option<String>,
    /// Seconds since 1970 UTC. An unreadable date is ignored (RFC 9110 §13.1.3).
    pub if_modified_since: Option<i64>,
    pub if_unmodified_since: Option<i64>,
    /// The lists of `If`; empty without that header.
    pub lists: Vec<List>,
}

/// One parenthesised list: all of its conditions must hold of its resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct List {
    /// The tagged resource; `None` is the resource that the request addresses.
    pub resource: Option<String>,
    pub all: Vec<Condition>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    pub not: bool,
    pub is: Is,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Is {
    /// A state token: a lock token or a sync token (RFC 6578 §5).
    State(String),
    /// An entity tag without its quotes; weak ones never match (RFC 4918 §10.4.4 wants strong comparison).
    Etag(String),
    WeakEtag,
}

/// What a resource is at the moment, for [`Conditions::holds`] and [`List::holds`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    pub etag: Option<String>,
    pub sync_token: Option<String>,
}

impl List {
    /// Whether the list is true of a resource in this state.
    pub fn holds(&self, state: &State) -> bool {
        self.all.iter().all(|condition| {
            let is = match &condition.is {
                Is::State(token) => state.sync_token.as_ref() == Some(token),
                Is::Etag(tag) => state.etag.as_ref() == Some(tag),
                Is::WeakEtag => false,
            };
            is != condition.not
        })
    }
}

/// How a conditional GET ends (RFC 9110 §13.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Go,
    NotModified,
    Failed,
}

impl Conditions {
    pub fn parse(headers: &HeaderMap) -> Result<Conditions> {
        Ok(Conditions {
            if_match: tags(headers, "if-match")?,
            if_none_match: tags(headers, "if-none-match")?,
            if_schedule_tag_match: tags(headers, "if-schedule-tag-match")?.and_then(|tags| {
                match tags {
                    Tags::Any => None,
                    Tags::List(tags) => tags.into_iter().next(),
                }
            }),
            if_modified_since: date(headers, "if-modified-since"),
            if_unmodified_since: date(headers, "if-unmodified-since"),
            lists: match joined(headers, "if")? {
                Some(text) => parse_if(&text)?,
                None => Vec::new(),
            },
        })
    }

    /// What the write door checks again under its lock.
    pub fn guard(&self) -> Guard {
        Guard {
            if_match: self.if_match.clone(),
            if_none_match: self.if_none_match.clone(),
            schedule_tag: self.if_schedule_tag_match.clone(),
        }
    }

    /// RFC 9110 §13.2.2 for a read of a representation with this tag and time.
    pub fn read(&self, etag: &str, modified: i64) -> Verdict {
        let has = |tags: &Tags| match tags {
            Tags::Any => true,
            Tags::List(tags) => tags.iter().any(|tag| tag == etag),
        };
        match (&self.if_match, self.if_unmodified_since) {
            (Some(tags), _) if !has(tags) => return Verdict::Failed,
            (None, Some(since)) if modified > since => return Verdict::Failed,
            _ => {}
        }
        match (&self.if_none_match, self.if_modified_since) {
            (Some(tags), _) if has(tags) => Verdict::NotModified,
            (None, Some(since)) if modified <= since => Verdict::NotModified,
            _ => Verdict::Go,
        }
    }
}

/// The value of a header that may come in several lines.
fn joined(headers: &HeaderMap, name: &str) -> Result<Option<String>> {
    let mut all: Option<String> = None;
    for value in headers.get_all(name) {
        let value = value
            .to_str()
            .map_err(|_| Error::BadRequest(format!("header {name}: not readable text")))?;
        match &mut all {
            None => all = Some(value.to_owned()),
            Some(text) => {
                text.push_str(", ");
                text.push_str(value);
            }
        }
    }
    Ok(all)
}

fn date(headers: &HeaderMap, name: &str) -> Option<i64> {
    super::date::parse(headers.get(name)?.to_str().ok()?)
}

/// `*`, or a list of entity tags. Weak ones are dropped: writes compare strongly (RFC 9110 §13.1.1), and every tag
/// we give out is strong. Tags without quotes are taken as they are, since some clients strip them.
fn tags(headers: &HeaderMap, name: &str) -> Result<Option<Tags>> {
    let Some(text) = joined(headers, name)? else {
        return Ok(None);
    };
    let text = text.trim();
    if text == "*" {
        return Ok(Some(Tags::Any));
    }
    let mut list = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let weak = rest.starts_with("W/");
        let body = if weak { &rest[2..] } else { rest };
        let (tag, after) = match body.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').ok_or_else(|| {
                Error::BadRequest(format!(
                    "header {name}: an entity tag lacks its closing quote"
                ))
            })?,
            None => body
                .split_once(',')
                .map_or((body, ""), |(tag, _)| (tag.trim(), &body[tag.len()..])),
        };
        // A proxy that codes contents may have made the tag weak; for If-None-Match that still counts.
        if !weak || name == "if-none-match" {
            list.push(tag.to_owned());
        }
        rest = after.trim_start_matches([' ', '\t', ',']);
    }
    Ok(Some(Tags::List(list)))
}

/// RFC 4918 §10.4.2: `1*No-tag-list | 1*Tagged-list`.
fn parse_if(text: &str) -> Result<Vec<List>> {
    let bad = |what: &str| Error::BadRequest(format!("header If: {what}"));
    let mut lists = Vec::new();
    let mut resource = None;
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        if let Some(tag) = rest.strip_prefix('<') {
            let (uri, after) = tag
                .split_once('>')
                .ok_or_else(|| bad("a resource tag lacks its >"))?;
            resource = Some(uri.to_owned());
            rest = after.trim_start();
            if !rest.starts_with('(') {
                return Err(bad("a resource tag without a list"));
            }
        } else if let Some(list) = rest.strip_prefix('(') {
            let (all, after) = parse_list(list)?;
            lists.push(List {
                resource: resource.clone(),
                all,
            });
            rest = after.trim_start_matches([' ', '\t', ',']);
        } else {
            return Err(bad("neither a list nor a resource tag"));
        }
        if lists.len() > MAX_LISTS {
            return Err(bad("too many lists"));
        }
    }
    if lists.is_empty() {
        return Err(bad("no list"));
    }
    Ok(lists)
}

/// Conditions up to the closing parenthesis, and what comes after it.
fn parse_list(text: &str) -> Result<(Vec<Condition>, &str)> {
    let bad = |what: &str| Error::BadRequest(format!("header If: {what}"));
    let mut all = Vec::new();
    let mut rest = text.trim_start();
    loop {
        if let Some(after) = rest.strip_prefix(')') {
            return if all.is_empty() {
                Err(bad("an empty list"))
            } else {
                Ok((all, after))
            };
        }
        let not = rest
            .get(..3)
            .is_some_and(|word| word.eq_ignore_ascii_case("not"));
        if not {
            rest = rest[3..].trim_start();
        }
        let (is, after) = if let Some(token) = rest.strip_prefix('<') {
            let (token, after) = token
                .split_once('>')
                .ok_or_else(|| bad("a state token lacks its >"))?;
            (Is::State(token.to_owned()), after)
        } else if let Some(tag) = rest.strip_prefix('[') {
            let (tag, after) = tag
                .split_once(']')
                .ok_or_else(|| bad("an entity tag lacks its ]"))?;
            let is = match tag.trim() {
                weak if weak.starts_with("W/") => Is::WeakEtag,
                strong => Is::Etag(strong.trim_matches('"').to_owned()),
            };
            (is, after)
        } else {
            return Err(bad("expected a state token, an entity tag or )"));
        };
        all.push(Condition { not, is });
        rest = after.trim_start();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(list: &[(&'static str, &str)]) -> HeaderMap {
        list.iter()
            .map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap()))
            .collect()
    }

    fn parse(list: &[(&'static str, &str)]) -> Conditions {
        Conditions::parse(&headers(list)).unwrap()
    }

    fn some_tags(tags: &[&str]) -> Option<Tags> {
        Some(Tags::List(tags.iter().map(|t| t.to_string()).collect()))
    }

    #[test]
    fn entity_tags_in_every_form_that_clients_send() {
        for (value, want) in [
            ("*", Some(Tags::Any)),
            ("\"a\"", some_tags(&["a"])),
            ("\"a\", \"b,c\" ,\"d\"", some_tags(&["a", "b,c", "d"])),
            ("bare", some_tags(&["bare"])),
            ("bare, \"b\"", some_tags(&["bare", "b"])),
            ("W/\"a\"", some_tags(&[])),
        ] {
            assert_eq!(parse(&[("if-match", value)]).if_match, want, "{value}");
        }
        assert_eq!(
            parse(&[("if-none-match", "W/\"a\"")]).if_none_match,
            some_tags(&["a"])
        );
        assert!(Conditions::parse(&headers(&[("if-match", "\"a")])).is_err());
    }

    #[test]
    fn the_if_header_examples_of_rfc_4918() {
        // §10.4.6, §10.4.7, §10.4.8, §10.4.9
        let tagless = parse(&[(
            "if",
            "(<urn:a> [\"I am an ETag\"]) ([\"I am another ETag\"])",
        )])
        .lists;
        assert_eq!(tagless.len(), 2);
        assert_eq!(
            tagless[0].all[1],
            Condition {
                not: false,
                is: Is::Etag("I am an ETag".into())
            }
        );
        let not = parse(&[("if", "(Not <urn:a> <urn:b>)")]).lists;
        assert_eq!(
            not[0].all[0],
            Condition {
                not: true,
                is: Is::State("urn:a".into())
            }
        );
        assert!(!not[0].all[1].not);
        let always = parse(&[("if", "(<urn:a>) (Not <DAV:no-lock>)")]).lists;
        assert!(!always[0].holds(&State::default()) && always[1].holds(&State::default()));
        let tagged = parse(&[(
            "if",
            "</resource1> (<urn:a> [W/\"A weak ETag\"]) ([\"strong ETag\"])",
        )])
        .lists;
        assert_eq!(tagged[1].resource.as_deref(), Some("/resource1"));
        assert_eq!(tagged[0].all[1].is, Is::WeakEtag);
    }

    #[test]
    fn lists_compare_with_tag_and_sync_token() {
        let state = State {
            etag: Some("x".into()),
            sync_token: Some("data:,1".into()),
        };
        for (header, want) in [
            ("([\"x\"])", true),
            ("([\"y\"])", false),
            ("(Not [\"y\"])", true),
            ("(<data:,1>)", true),
            ("(<data:,1> [\"x\"])", true),
            ("(<data:,2> [\"x\"])", false),
            ("([W/\"x\"])", false),
        ] {
            assert_eq!(
                parse(&[("if", header)]).lists[0].holds(&state),
                want,
                "{header}"
            );
        }
    }

    #[test]
    fn malformed_if_headers_are_400() {
        for bad in [
            "",
            "x",
            "()",
            "(",
            "(<a>",
            "<a>",
            "<a> <b> (<c>)",
            "([\"x\")",
            "(<a",
        ] {
            let refused = Conditions::parse(&headers(&[("if", bad)]));
            assert!(matches!(refused, Err(Error::BadRequest(_))), "{bad}");
        }
        let many = "(<a>)".repeat(MAX_LISTS + 1);
        assert!(Conditions::parse(&headers(&[("if", &many)])).is_err());
    }

    #[test]
    fn conditional_reads() {
        let day = "Thu, 01 Jan 1970 00:01:40 GMT"; // 100
        for (list, modified, want) in [
            (vec![("if-none-match", "\"t\"")], 5, Verdict::NotModified),
            (vec![("if-none-match", "\"u\"")], 5, Verdict::Go),
            (vec![("if-none-match", "*")], 5, Verdict::NotModified),
            (vec![("if-match", "\"u\"")], 5, Verdict::Failed),
            (vec![("if-match", "\"t\"")], 5, Verdict::Go),
            (vec![("if-modified-since", day)], 100, Verdict::NotModified),
            (vec![("if-modified-since", day)], 101, Verdict::Go),
            (vec![("if-unmodified-since", day)], 101, Verdict::Failed),
            (
                vec![("if-none-match", "\"u\""), ("if-modified-since", day)],
                100,
                Verdict::Go,
            ),
            (vec![("if-modified-since", "yesterday")], 5, Verdict::Go),
        ] {
            assert_eq!(parse(&list).read("t", modified), want, "{list:?}");
        }
    }
}
