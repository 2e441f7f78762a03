//! PROPPATCH (RFC 4918 §9.2): all instructions or none.

use http::{HeaderValue, StatusCode};

use crate::dav::names::dav;
use crate::dav::resource::{self, Resource};
use crate::dav::{Call, reply, update};
use crate::model::{Privilege, Result};
use crate::wire::{ReplyBody, Response};

pub async fn run(call: Call) -> Result<Response> {
    let document = call
        .request
        .document(&call.xml_limits(), &dav::PROPERTYUPDATE)?;
    let (who, path) = (call.who(), call.path());
    let found = call
        .app
        .store
        .read(|tx| Box::pin(resource::load(tx, who, path)))
        .await?;
    let node = found.node();
    call.check_tags(&node)?;
    call.check_if().await?;
    let judged = update::judge(
        update::read(&document)?,
        node.kind(),
        call.desk.limits.property_bytes,
    );
    let target = target(&call, &found, &judged)?;
    let good = update::all_good(&judged);
    let judged = match good {
        true => apply(&call, target, judged).await?,
        false => judged,
    };
    if good && call.request.prefer.minimal {
        let mut response = Response::new(ReplyBody::Empty);
        response.headers_mut().insert(
            "preference-applied",
            HeaderValue::from_static("return=minimal"),
        );
        return Ok(response);
    }
    let mut w = reply::document();
    w.open(&dav::RESPONSE).element(&dav::HREF, &call.href());
    update::write_propstats(&mut w, &judged);
    w.close();
    let mut response = reply::whole(reply::Form::default(), w);
    *response.status_mut() = StatusCode::MULTI_STATUS;
    Ok(response)
}

async fn apply(
    call: &Call,
    target: update::Target,
    judged: Vec<update::Judged>,
) -> Result<Vec<update::Judged>> {
    let now = call.app.clock.now();
    call.app
        .store
        .write(move |tx| {
            Box::pin(async move {
                update::apply(tx, target, &judged, now).await?;
                Ok(judged)
            })
        })
        .await
}

/// Whose properties these are, if the person may set them. Who may only read a calendar may still give it a colour and
/// a name of their own.
fn target(call: &Call, found: &Resource, judged: &[update::Judged]) -> Result<update::Target> {
    let who = call.who();
    resource::may_write(who)?;
    let node = found.node();
    let (kind, id) =
        resource::owner(&node).ok_or_else(|| resource::lacking(Privilege::WriteProperties))?;
    let own = match found {
        Resource::Calendar(bound) if bound.calendar.owner != who.id => Some(who.id),
        _ => None,
    };
    let personal = own.is_some()
        && judged
            .iter()
            .all(|one| update::is_personal(&one.instruction.name));
    if !personal {
        resource::demand(node.privileges(who), Privilege::WriteProperties)?;
    }
    Ok(update::Target { kind, id, own })
}
