//! The methods: one row each. Dispatch, `Allow` and supported-method-set read this table.

mod acl;
mod copy_move;
mod delete;
mod get;
mod mkcol;
mod options;
mod post;
mod propfind;
mod proppatch;
mod put;
mod report;
mod transfer_calendar;

use bytes::Bytes;
use futures_util::future::BoxFuture;

use super::Call;
use super::resource;
use super::view::On;
use crate::config::Limits;
use crate::model::{Error, Path, Precondition, Result};
use crate::wire::{RequestBody, Response};

/// One method.
pub struct Method {
    pub name: &'static str,
    /// Resources that it applies to.
    pub on: On,
    /// The longest body that it takes.
    body: Body,
    pub run: fn(Call) -> BoxFuture<'static, Result<Response>>,
}

/// What kind of body a method takes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Body {
    Xml,
    Object,
}

macro_rules! method {
    ($name:literal, $on:expr, $body:ident, $run:path) => {
        Method {
            name: $name,
            on: $on,
            body: Body::$body,
            run: |call| Box::pin($run(call)),
        }
    };
}

const MEMBERS: On = On::OBJECT;
const CONTENT: On = On::OBJECT.or(On::CALENDAR);
const WITH_RIGHTS: On = On::HOME.or(On::CALENDAR).or(On::OBJECT);

pub static METHODS: &[Method] = &[
    method!("OPTIONS", On::ALL, Xml, options::run),
    method!("GET", On::ALL, Xml, get::run),
    method!("HEAD", On::ALL, Xml, get::run),
    method!("PUT", MEMBERS, Object, put::run),
    method!("POST", On::CALENDAR, Object, post::run),
    method!("DELETE", CONTENT, Xml, delete::run),
    method!("COPY", CONTENT, Xml, copy_move::copy),
    method!("MOVE", CONTENT, Xml, copy_move::rename),
    method!("MKCALENDAR", On::CALENDAR, Xml, mkcol::mkcalendar),
    method!("MKCOL", On::CALENDAR, Xml, mkcol::mkcol),
    method!("PROPFIND", On::ALL, Xml, propfind::run),
    method!("PROPPATCH", On::ALL, Xml, proppatch::run),
    method!("REPORT", On::ALL, Xml, report::run),
    method!("ACL", WITH_RIGHTS, Xml, acl::run),
];

/// The row of a method. One that nobody here knows is refused like one that does not apply.
pub fn find(name: &str) -> Result<&'static Method> {
    METHODS
        .iter()
        .find(|method| method.name == name)
        .ok_or(Error::MethodNotAllowed)
}

/// The `Allow` header for a path.
pub fn allow(local_path: &str) -> String {
    let kind = Path::parse(local_path).map_or(On::ROOT, |path| resource::kind(&path));
    allow_on(kind)
}

fn allow_on(kind: On) -> String {
    let names: Vec<&str> = METHODS
        .iter()
        .filter(|method| method.on.meets(kind))
        .map(|method| method.name)
        .collect();
    names.join(", ")
}

impl Method {
    /// The whole body, within the limit of its kind.
    pub async fn read_body(&self, body: RequestBody, limits: &Limits) -> Result<Bytes> {
        match self.body {
            Body::Xml => body.read(limits.xml_bytes, "limits.xml_bytes").await,
            Body::Object => body
                .read(limits.object_bytes, "limits.object_bytes")
                .await
                .map_err(|why| match why {
                    Error::TooLarge(why) => Error::precondition(Precondition::MaxResourceSize, why),
                    other => other,
                }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn allow_lists_what_applies() {
        assert_eq!(
            allow("/dav/calendars/a/b/c.ics"),
            "OPTIONS, GET, HEAD, PUT, DELETE, COPY, MOVE, PROPFIND, PROPPATCH, REPORT, ACL"
        );
        assert_eq!(
            allow("/dav/principals/a/"),
            "OPTIONS, GET, HEAD, PROPFIND, PROPPATCH, REPORT"
        );
        assert!(find("BREW").is_err());
    }
}
