//! CalDAV: RFC 4918 (classes 1 and 3), 3744, 3253 expand-property, 5397, 5689, 5995, 6578, 7240/8144 and 4791, with the
//! properties of 6638 that clients set and Apple's extensions.
//!
//! A request is parsed once ([`request`]), its method found in [`methods::METHODS`], its resource loaded with what the
//! answer needs ([`resource`]), and the answer written from the property table ([`live`]) while it is sent ([`reply`]).
//!
//! Left out: locks (class 2), scheduling (inbox and outbox are there and empty), changing rights by ACL.

mod check;
pub mod conditions;
mod data;
pub mod date;
pub mod error;
mod export;
pub mod features;
pub mod filter;
mod listing;
pub mod live;
mod members;
pub mod methods;
mod names;
mod plan;
pub mod reply;
pub mod reports;
pub mod request;
pub mod resource;
mod retrieval;
#[cfg(test)]
mod tests;
mod tokens;
mod update;
mod view;

use std::sync::Arc;

use http::{HeaderValue, StatusCode, header};

use crate::app::App;
use crate::model::path::encode;
use crate::model::{Bound, Error, Path, Result, Who};
use crate::objects::{self, Rules};
use crate::wire::{self, ReplyBody, Response};
use request::Request;
use view::Desk;

/// A request on its way through a method.
pub struct Call {
    pub app: App,
    pub desk: Arc<Desk>,
    pub request: Request,
}

impl Call {
    pub fn who(&self) -> &Who {
        &self.desk.who
    }

    /// The address of the request, as answers spell it.
    pub fn href(&self) -> String {
        self.request.place.href(&self.desk)
    }

    pub fn path(&self) -> &Path {
        &self.request.place.path
    }

    pub fn form(&self) -> reply::Form {
        reply::Form {
            prefer: self.request.prefer,
            gzip: self.request.gzip,
        }
    }

    /// The address of an object, as answers spell it.
    pub fn object_href(&self, bound: &Bound, name: &str) -> String {
        format!("{}{}", self.desk.calendar(bound), encode(name))
    }

    /// What calendars take.
    pub fn rules(&self) -> Rules {
        let limits = &self.app.config.limits;
        let mut rules = Rules::default();
        rules.limits.bytes = limits.object_bytes;
        rules.max_attendees = u32::try_from(limits.attendees).ok();
        (rules.min_date_time, rules.max_date_time) = live::DATE_TIMES;
        rules
    }

    /// What the door for writes needs.
    pub fn door<'c>(&'c self, rules: &'c Rules) -> objects::Context<'c> {
        objects::Context {
            store: &self.app.store,
            rules,
            wake: &self.app.wake,
            now: self.app.clock.now(),
        }
    }

    pub fn xml_limits(&self) -> crate::xml::Limits {
        let limits = &self.app.config.limits;
        crate::xml::Limits {
            bytes: limits.xml_bytes,
            depth: limits.xml_depth,
            ..Default::default()
        }
    }
}

/// Answers a request of somebody who has been identified.
pub async fn serve(app: &App, who: Who, http: wire::Request) -> Response {
    let path = http.uri().path().to_owned();
    match answer(app, who, http).await {
        Ok(response) => response,
        Err(why) => refusal(app, &why, &path).await,
    }
}

async fn answer(app: &App, who: Who, http: wire::Request) -> Result<Response> {
    let method = methods::find(http.method().as_str())?;
    let (parts, body) = http.into_parts();
    let body = method.read_body(body, &app.config.limits).await?;
    let request = Request::parse(&parts, |path| app.local(path), &who, body)?;
    let desk = Desk {
        who,
        prefix: app.prefix().to_owned(),
        limits: app.config.limits.clone(),
    };
    let call = Call {
        app: app.clone(),
        desk: Arc::new(desk),
        request,
    };
    (method.run)(call).await
}

/// The answer to a request that failed.
async fn refusal(app: &App, why: &Error, path: &str) -> Response {
    if matches!(why, Error::NotFound)
        && let Some(elsewhere) = renamed(app, path).await
    {
        return elsewhere;
    }
    let mut response = error::render(why, app.prefix(), path);
    if matches!(why, Error::MethodNotAllowed)
        && let Ok(allow) = HeaderValue::try_from(methods::allow(app.local(path)))
    {
        response.headers_mut().insert(header::ALLOW, allow);
    }
    response
}

/// A redirect from a principal's former name to its present one, by path only.
async fn renamed(app: &App, path: &str) -> Option<Response> {
    let mut place = Path::parse(app.local(path))?;
    let name = match &mut place {
        Path::Principal(name)
        | Path::Proxy { name, .. }
        | Path::Home(name)
        | Path::Inbox(name)
        | Path::Outbox(name)
        | Path::Notifications(name)
        | Path::Calendar { name, .. }
        | Path::Object { name, .. } => name,
        Path::Root | Path::Principals | Path::Homes => return None,
    };
    let old = name.clone();
    *name = app
        .store
        .peek(|tx| Box::pin(crate::store::principals::renamed(tx, &old)))
        .await
        .ok()??;
    let mut response = Response::new(ReplyBody::Empty);
    *response.status_mut() = StatusCode::MOVED_PERMANENTLY;
    let location = HeaderValue::try_from(format!("{}{}", app.prefix(), place.print())).ok()?;
    response.headers_mut().insert(header::LOCATION, location);
    Some(response)
}
