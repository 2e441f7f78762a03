//! Requests and answers of CalDAV upstreams, as text. Pure. RFC 4918 §13–14, RFC 4791 §7.8–7.9, RFC 6578 §3.

use url::Url;

use super::super::{Fault, Refusal};
use crate::xml::{self, Element, Name, Ns, Writer};

/// One `DAV:response`: an href and what is known of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// Absolute, in one spelling.
    pub href: String,
    /// Of the whole response, where it has one (a removed member).
    pub status: Option<u16>,
    /// Properties that were found.
    pub found: Vec<Element>,
}

impl Told {
    pub fn prop(&self, name: &Name) -> Option<&Element> {
        self.found.iter().find(|prop| prop.name == *name)
    }

    /// The text of a property, without the white space around it.
    pub fn text(&self, name: &Name) -> Option<String> {
        Some(self.prop(name)?.trimmed_text()).filter(|text| !text.is_empty())
    }

    /// The first href within a property.
    pub fn href_in(&self, name: &Name) -> Option<String> {
        let href = self.prop(name)?.child(&Name::dav("href"))?;
        Some(href.trimmed_text()).filter(|text| !text.is_empty())
    }

    pub fn etag(&self) -> Option<String> {
        self.text(&Name::dav("getetag"))
    }
}

/// A `DAV:multistatus`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Multistatus {
    pub told: Vec<Told>,
    pub sync_token: Option<String>,
}

/// Reads a 207 body that came from `base`.
///
/// # Errors
/// `Transient` for what is no multistatus: half an answer, a proxy's page.
pub fn multistatus(body: &[u8], base: &Url) -> Result<Multistatus, Fault> {
    let odd = || Fault::Transient("the calendar server's answer could not be read".into());
    let limits = xml::Limits {
        bytes: super::super::http::LARGEST,
        elements: 4_000_000,
        ..xml::Limits::default()
    };
    let root = xml::read(body, &limits).map_err(|_| odd())?;
    if root.name != Name::dav("multistatus") {
        return Err(odd());
    }
    let sync_token = root
        .child(&Name::dav("sync-token"))
        .map(Element::trimmed_text)
        .filter(|token| !token.is_empty());
    let response = Name::dav("response");
    let told = root
        .children_named(&response)
        .flat_map(|response| responses(response, base))
        .collect();
    Ok(Multistatus { told, sync_token })
}

/// A response may name several hrefs when it has a status and no properties (RFC 4918 §14.24).
fn responses(response: &Element, base: &Url) -> Vec<Told> {
    let status = response
        .child(&Name::dav("status"))
        .and_then(|line| status(&line.text()));
    let propstat = Name::dav("propstat");
    let found: Vec<Element> = response
        .children_named(&propstat)
        .filter(|part| {
            part.child(&Name::dav("status"))
                .and_then(|line| self::status(&line.text()))
                .is_some_and(|code| (200..300).contains(&code))
        })
        .filter_map(|part| part.child(&Name::dav("prop")))
        .flat_map(|prop| prop.elements().cloned())
        .collect();
    let href = Name::dav("href");
    response
        .children_named(&href)
        .filter_map(|href| absolute(base, &href.trimmed_text()))
        .map(|href| Told {
            href,
            status,
            found: found.clone(),
        })
        .collect()
}

/// `HTTP/1.1 404 Not Found` → 404.
fn status(line: &str) -> Option<u16> {
    line.split_ascii_whitespace().nth(1)?.parse().ok()
}

/// An href as an absolute address in one spelling: two servers, or one on two days, encode the same name differently.
pub fn absolute(base: &Url, href: &str) -> Option<String> {
    let mut url = base.join(href).ok()?;
    let path = xml::href::decode_path(url.path())?;
    url.set_path(&xml::href::encode_path(&path));
    url.set_query(None);
    url.set_fragment(None);
    Some(url.to_string())
}

/// The path of an absolute address, as request bodies name members.
fn path_of(href: &str) -> &str {
    let after = href.find("://").map_or(0, |at| at + 3);
    href[after..]
        .find('/')
        .map_or("/", |at| &href[after + at..])
}

fn document(root: &Name, build: impl FnOnce(&mut Writer)) -> Vec<u8> {
    let mut writer = Writer::document(root, &[Ns::Dav, Ns::CalDav, Ns::CalendarServer, Ns::Apple]);
    build(&mut writer);
    writer.finish()
}

fn props(writer: &mut Writer, names: &[Name]) {
    writer.open(&Name::dav("prop"));
    for name in names {
        writer.empty(name);
    }
    writer.close();
}

pub fn propfind(names: &[Name]) -> Vec<u8> {
    document(&Name::dav("propfind"), |writer| props(writer, names))
}

/// RFC 6578 §3.2; an empty token asks for everything.
pub fn sync_collection(token: &str) -> Vec<u8> {
    document(&Name::dav("sync-collection"), |writer| {
        writer.element(&Name::dav("sync-token"), token);
        writer.element(&Name::dav("sync-level"), "1");
        props(writer, &[Name::dav("getetag")]);
    })
}

pub fn multiget(hrefs: &[String]) -> Vec<u8> {
    document(&Name::caldav("calendar-multiget"), |writer| {
        props(
            writer,
            &[Name::dav("getetag"), Name::caldav("calendar-data")],
        );
        for href in hrefs {
            writer.element(&Name::dav("href"), path_of(href));
        }
    })
}

/// All VEVENTs: some servers fail without the component filter.
pub fn all_events() -> Vec<u8> {
    document(&Name::caldav("calendar-query"), |writer| {
        props(writer, &[Name::dav("getetag")]);
        writer.open(&Name::caldav("filter"));
        writer
            .open(&Name::caldav("comp-filter"))
            .attr("name", "VCALENDAR");
        writer
            .open(&Name::caldav("comp-filter"))
            .attr("name", "VEVENT");
        writer.close().close().close();
    })
}

/// The event with this UID, with its text.
pub fn with_uid(uid: &str) -> Vec<u8> {
    document(&Name::caldav("calendar-query"), |writer| {
        props(
            writer,
            &[Name::dav("getetag"), Name::caldav("calendar-data")],
        );
        writer.open(&Name::caldav("filter"));
        for name in ["VCALENDAR", "VEVENT"] {
            writer.open(&Name::caldav("comp-filter")).attr("name", name);
        }
        writer
            .open(&Name::caldav("prop-filter"))
            .attr("name", "UID");
        writer
            .open(&Name::caldav("text-match"))
            .attr("collation", "i;octet")
            .text(uid);
        writer.close().close().close().close().close();
    })
}

pub fn free_busy(range: (&str, &str)) -> Vec<u8> {
    document(&Name::caldav("free-busy-query"), |writer| {
        writer
            .open(&Name::caldav("time-range"))
            .attr("start", range.0)
            .attr("end", range.1);
        writer.close();
    })
}

/// Which precondition an error body names, and the href in it. Servers put words of their own beside it (RFC 4918 §16).
pub fn precondition(body: &[u8], base: &Url) -> Option<(String, Option<String>)> {
    let root = xml::read(body, &xml::Limits::default()).ok()?;
    let mut named = root
        .elements()
        .filter(|element| matches!(element.name.ns, Ns::Dav | Ns::CalDav));
    let element = named.find(|element| element.name.local.as_str() != "responsedescription")?;
    let href = element
        .child(&Name::dav("href"))
        .and_then(|href| absolute(base, &href.trimmed_text()));
    Some((element.name.local.as_str().to_string(), href))
}

/// What a status without a meaning of its own in a call says.
pub fn fault(status: u16, retry_at: Option<i64>) -> Fault {
    match status {
        401 => Fault::Revoked("the calendar server refuses the password".into()),
        403 => Fault::Refused(Refusal::new(
            "forbidden",
            "the calendar server does not permit this",
        )),
        404 | 410 => Fault::NotFound,
        412 => Fault::Stale,
        429 => Fault::Throttled(retry_at),
        503 if retry_at.is_some() => Fault::Throttled(retry_at),
        413 | 507 => Fault::Refused(Refusal::new(
            "too-large",
            "the calendar server has no room for it",
        )),
        408 | 423 | 425 | 500.. => {
            Fault::Transient(format!("the calendar server answered with {status}"))
        }
        _ => Fault::Refused(Refusal::new(
            "refused",
            format!("the calendar server refused it ({status})"),
        )),
    }
}
