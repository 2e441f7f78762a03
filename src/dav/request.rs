//! One DAV request: its headers read once, its body as bytes. What a method makes of the body is the method's matter.
//!
//! Depth, Destination, Overwrite and If are RFC 4918 §10; Prefer is RFC 7240 with RFC 8144; `Brief` is its forerunner.

use bytes::Bytes;
use http::{HeaderMap, header, request::Parts};

use super::conditions::Conditions;
use super::resource::Place;
use crate::model::{Error, Path, Result, Who};
use crate::xml::{self, Element, XmlErrorKind};

/// `Depth` (RFC 4918 §10.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    Zero,
    One,
    Infinity,
}

/// What the client would rather have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Prefer {
    /// `return=minimal`, its old spelling `return-minimal`, or `Brief: t`: no 404 propstats (RFC 8144 §2.1).
    pub minimal: bool,
    /// `return=representation` (RFC 8144 §2.3, §3).
    pub representation: bool,
    /// `depth-noroot`: the members without the collection itself (RFC 8144 §2.2).
    pub noroot: bool,
}

/// The request, once parsed.
#[derive(Debug)]
pub struct Request {
    pub place: Place,
    /// `?add-member` (RFC 5995) and whatever else follows the path.
    pub query: Option<String>,
    pub depth: Option<Depth>,
    /// `Overwrite: F` makes it false.
    pub overwrite: bool,
    /// Where COPY and MOVE go.
    pub destination: Option<Path>,
    pub conditions: Conditions,
    pub prefer: Prefer,
    /// The media type of the body without parameters, lower case; and its charset, lower case.
    pub media_type: Option<String>,
    pub charset: Option<String>,
    /// The body is a part of the representation only (`Content-Range`).
    pub partial: bool,
    /// The client takes gzip.
    pub gzip: bool,
    pub body: Bytes,
}

impl Request {
    /// Reads the headers. `local` takes the path prefix of the public address off a path.
    pub fn parse(
        parts: &Parts,
        local: impl Fn(&str) -> &str,
        who: &Who,
        body: Bytes,
    ) -> Result<Request> {
        let headers = &parts.headers;
        let path = local(parts.uri.path());
        let place = Place::parse(path, who).ok_or_else(|| nowhere(path, &parts.method, who))?;
        let (depth, noroot) = depth(headers)?;
        let mut prefer = prefer(headers);
        prefer.noroot |= noroot;
        let content_type = text(headers, header::CONTENT_TYPE.as_str());
        Ok(Request {
            place,
            query: parts.uri.query().map(str::to_owned),
            depth,
            overwrite: overwrite(headers)?,
            destination: destination(headers, local, who)?,
            conditions: Conditions::parse(headers)?,
            prefer,
            media_type: content_type.map(essence),
            charset: content_type.and_then(charset),
            partial: headers.contains_key(header::CONTENT_RANGE),
            gzip: takes_gzip(headers),
            body,
        })
    }

    /// The body's media type is one of XML.
    pub fn says_xml(&self) -> bool {
        let media = self.media_type.as_deref();
        media.is_some_and(|media| media.ends_with("/xml") || media.ends_with("+xml"))
    }

    /// The body as XML; `None` when there is none.
    pub fn xml(&self, limits: &xml::Limits) -> Result<Option<Element>> {
        if self.body.is_empty() {
            return Ok(None);
        }
        if let Some(media) = self.media_type.as_deref()
            && !(self.says_xml() || LOOSE_XML_TYPES.contains(&media))
        {
            return Err(Error::UnsupportedMediaType(format!(
                "{media}: this method takes application/xml"
            )));
        }
        xml::read(&self.body, limits)
            .map(Some)
            .map_err(|fault| match fault.kind {
                XmlErrorKind::TooLarge => Error::TooLarge(format!("request body: {fault}")),
                _ => Error::BadRequest(format!("request body: {fault}")),
            })
    }

    /// The body as XML with this root element.
    pub fn document(&self, limits: &xml::Limits, root: &xml::Name) -> Result<Element> {
        let document = self
            .xml(limits)?
            .ok_or_else(|| Error::BadRequest(format!("the body must be a {root}")))?;
        if document.name != *root {
            return Err(Error::BadRequest(format!(
                "the body must be a {root}, not a {}",
                document.name
            )));
        }
        Ok(document)
    }
}

/// What HTTP libraries put on an XML body when nobody tells them better.
const LOOSE_XML_TYPES: [&str; 3] = [
    "text/plain",
    "application/x-www-form-urlencoded",
    "application/octet-stream",
];

/// The answer at an address outside of the layout. What would be made there has no collection to be made in.
fn nowhere(path: &str, method: &http::Method, who: &Who) -> Error {
    let makes = ["PUT", "MKCOL", "MKCALENDAR"].contains(&method.as_str());
    if makes && is_below_own_calendars(path, who) {
        return no_collection();
    }
    Error::NotFound
}

/// RFC 4918 §9.3.1, §9.7.1, §9.8.5
fn no_collection() -> Error {
    Error::Conflict("there is no collection to hold this: calendars hold objects only".into())
}

/// Deeper in the person's own home than the layout goes.
fn is_below_own_calendars(path: &str, who: &Who) -> bool {
    let mut segments = path.match_indices('/').map(|(at, _)| &path[..at]);
    segments.any(
        |above| matches!(Path::parse(above), Some(Path::Object { name, .. }) if name == who.name),
    )
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

/// The depth, and whether the collection itself is to be left out (`1,noroot`, older than RFC 8144).
fn depth(headers: &HeaderMap) -> Result<(Option<Depth>, bool)> {
    let Some(value) = text(headers, "depth") else {
        return Ok((None, false));
    };
    let (depth, noroot) = match value.split_once(',') {
        Some((depth, rest)) => (depth.trim(), rest.trim().eq_ignore_ascii_case("noroot")),
        None => (value, false),
    };
    let depth = match depth {
        "0" => Depth::Zero,
        "1" => Depth::One,
        word if word.eq_ignore_ascii_case("infinity") => Depth::Infinity,
        _ => return Err(Error::BadRequest("header Depth: 0, 1 or infinity".into())),
    };
    Ok((Some(depth), noroot))
}

fn overwrite(headers: &HeaderMap) -> Result<bool> {
    match text(headers, "overwrite") {
        None => Ok(true),
        Some(value) if value.eq_ignore_ascii_case("t") => Ok(true),
        Some(value) if value.eq_ignore_ascii_case("f") => Ok(false),
        Some(_) => Err(Error::BadRequest("header Overwrite: T or F".into())),
    }
}

/// The path of `Destination`. Its authority is not compared: behind a proxy we may not know our own, and a
/// destination on another server would have to name an address of ours all the same.
fn destination(
    headers: &HeaderMap,
    local: impl Fn(&str) -> &str,
    who: &Who,
) -> Result<Option<Path>> {
    let Some(value) = text(headers, "destination") else {
        return Ok(None);
    };
    let uri: http::Uri = value
        .parse()
        .map_err(|_| Error::BadRequest("header Destination: not an address".into()))?;
    let path = local(uri.path());
    match Place::parse(path, who) {
        Some(place) => Ok(Some(place.path)),
        None if is_below_own_calendars(path, who) => Err(no_collection()),
        None => Err(Error::Forbidden(format!(
            "{}: outside of the calendar space",
            uri.path()
        ))),
    }
}

fn prefer(headers: &HeaderMap) -> Prefer {
    let mut prefer = Prefer::default();
    for value in headers
        .get_all("prefer")
        .iter()
        .filter_map(|value| value.to_str().ok())
    {
        for preference in value.split(',') {
            let token = preference.split(';').next().unwrap_or_default();
            let token: String = token
                .chars()
                .filter(|c| !matches!(c, ' ' | '\t' | '"'))
                .collect();
            match token.to_ascii_lowercase().as_str() {
                "return=minimal" | "return-minimal" => prefer.minimal = true,
                "return=representation" | "return-representation" => prefer.representation = true,
                "depth-noroot" => prefer.noroot = true,
                _ => {}
            }
        }
    }
    if text(headers, "brief").is_some_and(|value| value.eq_ignore_ascii_case("t")) {
        prefer.minimal = true;
    }
    // RFC 7240 §4.2: the two contradict each other; the cheaper one wins.
    prefer.representation &= !prefer.minimal;
    prefer
}

fn essence(content_type: &str) -> String {
    content_type
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase()
}

fn charset(content_type: &str) -> Option<String> {
    content_type.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim()
            .eq_ignore_ascii_case("charset")
            .then(|| value.trim().trim_matches('"').to_ascii_lowercase())
    })
}

/// Whether `Accept-Encoding` lists gzip with a weight other than 0.
fn takes_gzip(headers: &HeaderMap) -> bool {
    text(headers, "accept-encoding").is_some_and(|value| {
        value.split(',').any(|coding| {
            let (name, parameters) = coding.split_once(';').unwrap_or((coding, ""));
            let weight = parameters.trim().strip_prefix("q=").unwrap_or("1");
            name.trim().eq_ignore_ascii_case("gzip") && weight.parse() != Ok(0.0)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::PrincipalId;
    use crate::model::access::Scopes;

    fn request(headers: &[(&str, &str)]) -> Result<Request> {
        let mut http = http::Request::builder().uri("/dav/calendars/anna/work/");
        for (name, value) in headers {
            http = http.header(*name, *value);
        }
        let who = Who {
            id: PrincipalId(1),
            name: "anna".into(),
            admin: false,
            scopes: Scopes::ALL,
        };
        let (parts, ()) = http.body(()).unwrap().into_parts();
        Request::parse(&parts, |path| path, &who, Bytes::new())
    }

    #[test]
    fn depth_in_its_three_forms_and_with_noroot() {
        for (value, want, noroot) in [
            ("0", Depth::Zero, false),
            ("1", Depth::One, false),
            ("Infinity", Depth::Infinity, false),
            ("1,noroot", Depth::One, true),
        ] {
            let request = request(&[("Depth", value)]).unwrap();
            assert_eq!(
                (request.depth, request.prefer.noroot),
                (Some(want), noroot),
                "{value}"
            );
        }
        assert!(request(&[("Depth", "2")]).is_err());
        assert_eq!(request(&[]).unwrap().depth, None);
    }

    #[test]
    fn preferences_of_old_and_new_clients() {
        for (name, value, minimal, representation, noroot) in [
            ("Prefer", "return=minimal", true, false, false),
            ("Prefer", "return-minimal", true, false, false),
            (
                "Prefer",
                "depth-noroot, return=\"minimal\"; foo=bar",
                true,
                false,
                true,
            ),
            ("Prefer", "return=representation", false, true, false),
            ("Prefer", "respond-async", false, false, false),
            ("Brief", "t", true, false, false),
            ("Brief", "f", false, false, false),
        ] {
            let prefer = request(&[(name, value)]).unwrap().prefer;
            assert_eq!(
                prefer,
                Prefer {
                    minimal,
                    representation,
                    noroot
                },
                "{name}: {value}"
            );
        }
    }

    #[test]
    fn destinations_are_absolute_or_paths_and_stay_inside() {
        let there =
            |value| request(&[("Destination", value)]).map(|r| r.destination.map(|p| p.print()));
        let want = Some("/dav/calendars/anna/b/c%40d.ics".to_owned());
        assert_eq!(
            there("http://localhost:8008/dav/calendars/anna/b/c@d.ics").unwrap(),
            want
        );
        assert_eq!(there("/dav/calendars/anna/b/c%40d.ics").unwrap(), want);
        assert!(matches!(there("/etc/passwd"), Err(Error::Forbidden(_))));
        assert!(matches!(there("::"), Err(Error::BadRequest(_))));
    }

    #[test]
    fn small_headers() {
        let all = request(&[
            ("Overwrite", "F"),
            ("Content-Type", "Text/Calendar; charset=\"UTF-8\""),
            ("Accept-Encoding", "br;q=1, gzip;q=0.5"),
        ])
        .unwrap();
        assert!(!all.overwrite && all.gzip);
        assert_eq!(
            (all.media_type.as_deref(), all.charset.as_deref()),
            (Some("text/calendar"), Some("utf-8"))
        );
        assert!(
            !request(&[("Accept-Encoding", "gzip;q=0, identity")])
                .unwrap()
                .gzip
        );
        assert!(request(&[("Overwrite", "maybe")]).is_err());
    }
}
