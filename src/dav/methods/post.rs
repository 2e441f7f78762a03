//! POST to a calendar adds a member under a name of ours (RFC 5995). The name is made of the object's tag, so a client
//! that repeats a POST whose answer it missed does not make a second object: it is told of the first (no-uid-conflict).

use http::{HeaderValue, StatusCode, header};

use super::put;
use crate::dav::{Call, live};
use crate::model::object::Tags;
use crate::model::{Error, Etag, Path, Result};
use crate::wire::Response;

pub async fn run(call: Call) -> Result<Response> {
    let Path::Calendar { name, slug } = call.path() else {
        return Err(Error::MethodNotAllowed);
    };
    match call.request.query.as_deref() {
        None | Some("") | Some(live::ADD_MEMBER) => {}
        Some(other) => {
            return Err(Error::BadRequest(format!(
                "?{other}: a calendar takes POST for ?add-member"
            )));
        }
    }
    put::check_media_type(&call)?;
    let bound = put::parent(&call, name, slug).await?;
    let object = format!("{}.ics", Etag::of(&call.request.body).0);
    let mut guard = call.guard(&bound, &object).await?;
    guard.if_none_match = Some(Tags::Any);
    let put = put::store(&call, bound.clone(), &object, guard).await?;
    let mut response = put::answer(&call, &bound, &object, &put, StatusCode::CREATED).await?;
    if let Ok(location) = HeaderValue::try_from(call.object_href(&bound, &object)) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}
