//! PROPFIND (RFC 4918 §9.1), Depth 0, 1, and infinity where that ends.

use crate::dav::listing::{Listing, Scope};
use crate::dav::names::dav;
use crate::dav::plan::Asked;
use crate::dav::request::Depth;
use crate::dav::{Call, reply};
use crate::model::{Error, Path, Precondition, Result};
use crate::wire::Response;

pub async fn run(call: Call) -> Result<Response> {
    let asked = match call.request.xml(&call.xml_limits())? {
        None => Asked::All {
            include: Vec::new(),
        },
        Some(document) if document.name == dav::PROPFIND => Asked::of(&document)?,
        Some(document) => {
            return Err(Error::BadRequest(format!(
                "the body must be a propfind, not a {}",
                document.name
            )));
        }
    };
    // RFC 4918 §9.1: no Depth header means infinity, where that ends; elsewhere discovery goes on without it.
    let endless = matches!(call.path(), Path::Root | Path::Principals | Path::Homes);
    let default = if endless { Depth::One } else { Depth::Infinity };
    let depth = call.request.depth.unwrap_or(default);
    if depth == Depth::Infinity && endless {
        return Err(Error::precondition(
            Precondition::PropfindFiniteDepth,
            "Depth infinity is answered in one home or calendar; ask for 0 or 1 here",
        ));
    }
    call.check_if().await?;
    let (form, href) = (call.form(), call.href());
    let scope = Scope {
        desk: call.desk,
        asked,
        minimal: form.prefer.minimal,
    };
    let listing = Listing::new(
        call.app,
        scope,
        call.request.place.path,
        href,
        depth,
        form.prefer.noroot,
    );
    reply::stream(form, listing).await
}
