//! MKCALENDAR (RFC 4791 §5.3.1) and MKCOL, plain and extended (RFC 5689).
//!
//! A home holds calendars only, so a plain MKCOL makes one too: Outlook CalDav Synchronizer creates calendars that way and
//! sets their properties afterwards.

use http::{HeaderValue, StatusCode, header};

use crate::app::calendars::check_slug;
use crate::dav::live::{self, component_set};
use crate::dav::names::{cal, dav};
use crate::dav::update::{self, Instruction, Judged};
use crate::dav::{Call, error, reply, resource};
use crate::model::calendar::RESERVED_SLUGS;
use crate::model::{
    CalendarKind, ComponentSet, Error, Path, Precondition, PrincipalId, Privilege, Privileges,
    Result,
};
use crate::store::calendars::{self, NewCalendar};
use crate::store::principals;
use crate::store::properties::OwnerKind;
use crate::wire::{ReplyBody, Response};
use crate::xml::{Element, Name, Writer};

pub async fn mkcalendar(call: Call) -> Result<Response> {
    let document = call.request.xml(&call.xml_limits())?;
    if let Some(document) = document
        .as_ref()
        .filter(|document| document.name != cal::MKCALENDAR)
    {
        return Err(Error::BadRequest(format!(
            "the body must be a mkcalendar, not a {}",
            document.name
        )));
    }
    make(call, document, true).await
}

pub async fn mkcol(call: Call) -> Result<Response> {
    // RFC 4918 §9.3: a body that is not understood is 415.
    let document = match call.request.xml(&call.xml_limits()) {
        Err(Error::BadRequest(why)) if !call.request.says_xml() => {
            return Err(Error::UnsupportedMediaType(why));
        }
        other => other?,
    };
    if let Some(document) = document
        .as_ref()
        .filter(|document| document.name != dav::MKCOL)
    {
        return Err(Error::UnsupportedMediaType(format!(
            "MKCOL does not take a {}",
            document.name
        )));
    }
    make(call, document, false).await
}

async fn make(call: Call, document: Option<Element>, mkcalendar: bool) -> Result<Response> {
    let (home, slug) = place(&call, mkcalendar).await?;
    let instructions = document.as_ref().map_or(Ok(Vec::new()), update::read)?;
    let (new, judged) = read(&call, home, slug, instructions);
    if !update::all_good(&judged) {
        return Ok(refused(&call, &judged, mkcalendar));
    }
    let now = call.app.clock.now();
    call.app
        .store
        .write(move |tx| {
            Box::pin(async move {
                let id = calendars::create(tx, &new, now).await?;
                let target = update::Target {
                    kind: OwnerKind::Calendar,
                    id: id.0,
                    own: None,
                };
                update::apply(tx, target, &judged, now).await
            })
        })
        .await?;
    let mut response = Response::new(ReplyBody::Empty);
    *response.status_mut() = StatusCode::CREATED;
    // RFC 4791 §5.3.1
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    Ok(response)
}

/// The home and the free slug in it.
async fn place(call: &Call, mkcalendar: bool) -> Result<(PrincipalId, String)> {
    let elsewhere = || {
        Error::precondition(
            Precondition::CalendarCollectionLocationOk,
            "calendars are made directly in a calendar home: /dav/calendars/NAME/CALENDAR/",
        )
    };
    let taken = || match mkcalendar {
        true => Error::precondition(
            Precondition::ResourceMustBeNull,
            "there is something at this address",
        ),
        false => Error::MethodNotAllowed,
    };
    let (name, slug) = match call.path() {
        Path::Calendar { name, slug } if !RESERVED_SLUGS.contains(&slug.as_str()) => (name, slug),
        // Without a calendar above there is nothing to be made in (RFC 4918 §9.3.1).
        Path::Object { name, slug, .. } => {
            super::put::parent(call, name, slug).await?;
            return Err(elsewhere());
        }
        _ => return Err(taken()),
    };
    check_slug(slug)?;
    let who = call.who();
    resource::may_write(who)?;
    let (home, there) = call
        .app
        .store
        .read(|tx| {
            Box::pin(async move {
                let home = principals::find(tx, name).await?;
                Ok((home, calendars::find(tx, who.id, name, slug).await?))
            })
        })
        .await?;
    // Another's home is not there, unless something in it is shared with the one who asks.
    let visible = there
        .as_ref()
        .is_some_and(|bound| bound.privileges != Privileges::NONE);
    match home.filter(|home| home.id == who.id || visible) {
        None if *name == who.name => Err(Error::Conflict("there is no such home".into())),
        None => Err(Error::NotFound),
        Some(_) if there.is_some() => Err(taken()),
        Some(home) if home.id != who.id => Err(resource::lacking(Privilege::Bind)),
        Some(home) => Ok((home.id, slug.clone())),
    }
}

/// The calendar to be made, and the properties that are set on it.
fn read(
    call: &Call,
    home: PrincipalId,
    slug: String,
    instructions: Vec<Instruction>,
) -> (NewCalendar, Vec<Judged>) {
    let mut new = NewCalendar {
        home,
        slug,
        kind: CalendarKind::Calendar,
        components: ComponentSet::standard(),
        timezone: String::new(),
        transparent: false,
    };
    let mut judged = Vec::new();
    let mut others = Vec::new();
    for instruction in instructions {
        let Some(value) = instruction.value.as_ref() else {
            continue;
        };
        let outcome = if instruction.name == dav::RESOURCETYPE {
            match live::is_calendar(value) {
                true => continue,
                false => Err(Error::precondition(
                    Precondition::ValidResourcetype,
                    "only calendars can be made",
                )),
            }
        } else if instruction.name == cal::SUPPORTED_CALENDAR_COMPONENT_SET {
            match component_set(value) {
                Ok(set) => {
                    new.components = set;
                    continue;
                }
                Err(why) => Err(why),
            }
        } else {
            others.push(instruction);
            continue;
        };
        judged.push(Judged {
            instruction,
            outcome,
        });
    }
    judged.extend(update::judge(
        others,
        crate::dav::view::On::CALENDAR,
        call.desk.limits.property_bytes,
    ));
    (new, judged)
}

/// RFC 4791 §5.3.1.1 answers a failed MKCALENDAR with 207; RFC 5689 §3 a failed MKCOL with the failure's own status.
fn refused(call: &Call, judged: &[Judged], mkcalendar: bool) -> Response {
    if mkcalendar {
        let mut w = reply::document();
        w.open(&dav::RESPONSE).element(&dav::HREF, &call.href());
        update::write_propstats(&mut w, judged);
        w.close();
        return reply::whole(reply::Form::default(), w);
    }
    static ROOT: &Name = &dav::MKCOL_RESPONSE;
    let mut w = Writer::document(ROOT, &[crate::xml::Ns::Dav, crate::xml::Ns::CalDav]);
    update::write_propstats(&mut w, judged);
    let mut response = error::xml(w.finish());
    let failed = judged.iter().find_map(|one| one.outcome.as_ref().err());
    *response.status_mut() = failed.map_or(StatusCode::FORBIDDEN, update::failure);
    response
}
