//! What handlers take out of a request: who asks, the JSON body, conditions, limits of lists.

use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Request, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::problem::Problem;
use crate::app::App;
use crate::model::access::Scopes;
use crate::model::object::Tags;
use crate::model::{Door, Error, Guard, Who};
use crate::wire::Peer;

pub type Reply<T> = Result<T, Problem>;

/// Who is asking, by Basic or Bearer.
pub struct Signed(pub Who);

impl Signed {
    /// The person, if the credential may be used for this.
    pub fn with(self, scope: Scopes) -> Result<Who, Error> {
        if self.0.scopes.has(scope) {
            return Ok(self.0);
        }
        Err(Error::forbidden(format!(
            "this token lacks the scope {}",
            scope.print()
        )))
    }

    /// The person, if they signed in themselves and not by a token for less.
    pub fn in_person(self) -> Result<Who, Error> {
        if self.0.scopes.has(Scopes::ALL) {
            return Ok(self.0);
        }
        Err(Error::forbidden(
            "API tokens may not do this: sign in with a password",
        ))
    }
}

impl FromRequestParts<App> for Signed {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Signed, Problem> {
        let peer = parts
            .extensions
            .get::<Peer>()
            .copied()
            .ok_or_else(|| Error::internal("a request without a peer"))?;
        Ok(Signed(
            app.auth.demand(&parts.headers, &peer, Door::Api).await?,
        ))
    }
}

/// A JSON object as body. Another content type is refused, which is also what keeps forms of other sites out: a
/// browser does not send JSON across sites without asking.
pub struct Object(pub Map<String, Value>);

impl FromRequest<App> for Object {
    type Rejection = Problem;

    async fn from_request(request: Request<Body>, app: &App) -> Result<Object, Problem> {
        match json(request, app).await? {
            Value::Object(object) => Ok(Object(object)),
            _ => Err(Error::bad("the body must be a JSON object").into()),
        }
    }
}

/// Any JSON value of a known shape as body.
pub struct Json<T>(pub T);

impl<T: DeserializeOwned> FromRequest<App> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request<Body>, app: &App) -> Result<Json<T>, Problem> {
        let value = json(request, app).await?;
        let read = serde_json::from_value(value);
        read.map(Json).map_err(|wrong| {
            Error::Invalid {
                field: String::new(),
                reason: wrong.to_string(),
            }
            .into()
        })
    }
}

async fn json(request: Request<Body>, app: &App) -> Result<Value, Error> {
    let kind = request
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or("");
    let kind = kind
        .split(';')
        .next()
        .unwrap_or("")
        .trim()
        .to_ascii_lowercase();
    if !["application/json", "application/merge-patch+json"].contains(&kind.as_str()) {
        return Err(Error::UnsupportedMediaType("send application/json".into()));
    }
    let limit = app.config.limits.json_bytes;
    let body = match Limited::new(request.into_body(), limit).collect().await {
        Ok(body) => body.to_bytes(),
        Err(fault) if fault.is::<LengthLimitError>() => {
            let text = format!("request body too large: limit {limit} bytes (limits.json_bytes)");
            return Err(Error::TooLarge(text));
        }
        Err(fault) => return Err(Error::bad(format!("the request body broke off: {fault}"))),
    };
    serde_json::from_slice(&body)
        .map_err(|wrong| Error::bad(format!("the body is not JSON: {wrong}")))
}

/// `If-Match` and `If-None-Match` (RFC 9110 §13.1).
pub fn guard(headers: &HeaderMap) -> Guard {
    Guard {
        if_match: tags(headers, &header::IF_MATCH),
        if_none_match: tags(headers, &header::IF_NONE_MATCH),
        schedule_tag: None,
    }
}

/// The tags of a conditional header, without quotes. Weak ones never match: they are kept with their `W/`.
fn tags(headers: &HeaderMap, name: &header::HeaderName) -> Option<Tags> {
    let mut all = headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .peekable();
    all.peek()?;
    let list: Vec<String> = all
        .flat_map(|value| value.split(','))
        .map(|tag| tag.trim())
        .map(|tag| {
            tag.strip_prefix('"')
                .and_then(|rest| rest.strip_suffix('"'))
                .unwrap_or(tag)
                .to_string()
        })
        .collect();
    Some(if list.iter().any(|tag| tag == "*") {
        Tags::Any
    } else {
        Tags::List(list)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_are_read_without_quotes() {
        let mut headers = HeaderMap::new();
        assert_eq!(guard(&headers), Guard::default());
        headers.insert(header::IF_MATCH, "\"a\", W/\"b\"".parse().unwrap());
        headers.insert(header::IF_NONE_MATCH, "*".parse().unwrap());
        let guard = guard(&headers);
        assert_eq!(
            guard.if_match,
            Some(Tags::List(vec!["a".into(), "W/\"b\"".into()]))
        );
        assert_eq!(guard.if_none_match, Some(Tags::Any));
    }
}
