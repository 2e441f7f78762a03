//! OPTIONS: what may be done here, and what the server can do at all. RFC 4918 §10.1, RFC 4791 §5.1.

use http::{HeaderValue, header};

use super::allow_on;
use crate::dav::{Call, features, resource};
use crate::model::Result;
use crate::wire::{ReplyBody, Response};

pub async fn run(call: Call) -> Result<Response> {
    let mut response = Response::new(ReplyBody::Empty);
    let headers = response.headers_mut();
    headers.insert("dav", features::header());
    if let Ok(allow) = HeaderValue::try_from(allow_on(resource::kind(call.path()))) {
        headers.insert(header::ALLOW, allow);
    }
    Ok(response)
}
