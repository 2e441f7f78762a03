//! What pages take out of a request: who asks, and the fields of a form.

use std::collections::HashMap;

use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::header;
use axum::http::request::Parts;
use axum::response::Response;
use http_body_util::{BodyExt, Limited};

use super::frame::refusal;
use crate::app::App;
use crate::model::{Door, Error, Who};
use crate::wire::Peer;

/// Bytes of a form.
const LONGEST: usize = 64 * 1024;

/// Who is signed in.
pub struct Person(pub Who);

impl FromRequestParts<App> for Person {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Person, Response> {
        let peer = parts.extensions.get::<Peer>().copied();
        let who = match peer {
            Some(peer) => app.auth.demand(&parts.headers, &peer, Door::Api).await,
            None => Err(Error::internal("a request without a peer")),
        };
        who.map(Person).map_err(|fault| refusal(app, &fault))
    }
}

/// The number of a thing in its address; anything else is nothing that we have.
pub fn number(text: &str) -> Result<i64, Error> {
    text.parse().map_err(|_| Error::NotFound)
}

/// The fields of a form; of one that comes twice the last.
pub struct Form(HashMap<String, String>);

impl Form {
    /// A field without the spaces around it; empty when it was not sent.
    pub fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("", |text| text.trim())
    }

    /// As it was typed, for passwords.
    pub fn exact(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    /// A field, unless it was not sent.
    pub fn sent(&self, name: &str) -> Option<String> {
        self.0.get(name).map(|text| text.trim().to_string())
    }

    /// A field, unless it is empty.
    pub fn filled(&self, name: &str) -> Option<String> {
        self.sent(name).filter(|text| !text.is_empty())
    }

    fn read(body: &[u8]) -> Form {
        Form(url::form_urlencoded::parse(body).into_owned().collect())
    }
}

impl FromRequest<App> for Form {
    type Rejection = Response;

    async fn from_request(request: Request<Body>, app: &App) -> Result<Form, Response> {
        let kind = request.headers().get(header::CONTENT_TYPE);
        let kind = kind.and_then(|value| value.to_str().ok()).unwrap_or("");
        let is_form = kind
            .split(';')
            .next()
            .is_some_and(|kind| kind.trim() == "application/x-www-form-urlencoded");
        let fault = match Limited::new(request.into_body(), LONGEST).collect().await {
            Err(_) => Error::TooLarge("this form is too long".into()),
            // A button alone sends nothing, and some programs no type with it.
            Ok(body) => match body.to_bytes() {
                body if is_form || body.is_empty() => return Ok(Form::read(&body)),
                _ => Error::UnsupportedMediaType("send the form as it is".into()),
            },
        };
        Err(refusal(app, &fault))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_read_as_browsers_write_them() {
        let form = Form::read(b"a=1+2&b=%C3%BC%26&empty=&a=last&spaced=+x+");
        assert_eq!(form.get("a"), "last");
        assert_eq!(form.get("b"), "ü&");
        assert_eq!(
            (form.sent("empty"), form.filled("empty")),
            (Some(String::new()), None)
        );
        assert_eq!((form.get("spaced"), form.exact("spaced")), ("x", " x "));
        assert_eq!(form.get("missing"), "");
    }
}
