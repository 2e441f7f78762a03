//! Calendars: finding, making, changing and removing them, whatever door asks (RFC 4791 §5.3.1, §5.2).

use super::App;
use crate::ical::tree::{Limits, Tree};
use crate::ical::zone::{Zone, Zones};
use crate::model::access::{Scopes, demand, readable, writable};
use crate::model::calendar::RESERVED_SLUGS;
use crate::model::property::{COLOR, DESCRIPTION, DISPLAY_NAME, ORDER, element, text};
use crate::model::{
    Bound, Calendar, CalendarId, CalendarKind, ComponentSet, Error, Precondition, PrincipalId,
    Privilege, Privileges, Readable, Result, Who, Writable,
};
use crate::store::properties::{EVERYBODY, OwnerKind};
use crate::store::{Tx, calendars, properties};

/// A calendar to be made.
#[derive(Clone, Debug)]
pub struct New {
    pub slug: String,
    pub kind: CalendarKind,
    pub components: ComponentSet,
    /// An IANA name or a whole VTIMEZONE document; empty: UTC.
    pub timezone: String,
    /// schedule-calendar-transp.
    pub transparent: bool,
    /// Stored with it for everybody: name in Clark's notation, XML element.
    pub properties: Vec<(String, String)>,
}

impl New {
    /// With everything as it is when nothing is said about it.
    pub fn named(slug: impl Into<String>) -> New {
        New {
            slug: slug.into(),
            kind: CalendarKind::Calendar,
            components: ComponentSet::standard(),
            timezone: String::new(),
            transparent: false,
            properties: Vec::new(),
        }
    }
}

/// How somebody sees a calendar.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Face {
    pub name: Option<String>,
    pub description: Option<String>,
    pub color: Option<String>,
    pub order: Option<i64>,
}

/// What somebody changes of a calendar; `None`: stays.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    pub name: Option<String>,
    pub description: Option<String>,
    pub color: Option<String>,
    pub order: Option<i64>,
    pub timezone: Option<String>,
    pub transparent: Option<bool>,
}

/// The calendar `slug` of the home `home`, as `who` sees it.
///
/// # Errors
/// `NotFound` when there is none that they may know of.
pub async fn find(app: &App, who: &Who, home: &str, slug: &str) -> Result<Bound> {
    let id = who.id;
    let found = app
        .store
        .peek(|tx| Box::pin(calendars::find(tx, id, home, slug)))
        .await?;
    found
        .filter(|bound| bound.privileges != Privileges::NONE)
        .ok_or(Error::NotFound)
}

/// A calendar of one's own home, to read.
///
/// # Errors
/// As [`find`], and `need-privileges`.
pub async fn to_read(app: &App, who: &Who, slug: &str) -> Result<Readable<Bound>> {
    readable(find(app, who, &who.name, slug).await?, who)
}

/// A calendar of one's own home, to change members of.
///
/// # Errors
/// As [`find`], and `need-privileges`.
pub async fn to_write(
    app: &App,
    who: &Who,
    slug: &str,
    needs: Privileges,
) -> Result<Writable<Bound>> {
    writable(find(app, who, &who.name, slug).await?, who, needs)
}

/// All calendars in one's own home, with their faces.
///
/// # Errors
/// Trouble with the database.
pub async fn list(app: &App, who: &Who) -> Result<Vec<(Bound, Face)>> {
    let (id, name) = (who.id, who.name.clone());
    app.store
        .read(|tx| {
            Box::pin(async move {
                let all = calendars::list(tx, id, &name).await?;
                let faces = faces(
                    tx,
                    id,
                    &all.iter()
                        .map(|bound| bound.calendar.id)
                        .collect::<Vec<_>>(),
                )
                .await?;
                Ok(all.into_iter().zip(faces).collect())
            })
        })
        .await
}

/// The faces of calendars as `who` sees them, in the order of `ids`.
///
/// # Errors
/// Trouble with the database.
pub async fn faces(tx: &mut Tx<'_>, who: PrincipalId, ids: &[CalendarId]) -> Result<Vec<Face>> {
    let numbers: Vec<i64> = ids.iter().map(|id| id.0).collect();
    let mut faces = vec![Face::default(); ids.len()];
    properties::for_many(tx, OwnerKind::Calendar, &numbers, who, |id, name, value| {
        let Some(face) = numbers
            .iter()
            .position(|other| *other == id)
            .map(|at| &mut faces[at])
        else {
            return Ok(());
        };
        let value = || Some(text(value)).filter(|text| !text.is_empty());
        match name {
            DISPLAY_NAME => face.name = value(),
            DESCRIPTION => face.description = value(),
            COLOR => face.color = value(),
            ORDER => face.order = value().and_then(|text| text.parse().ok()),
            _ => {}
        }
        Ok(())
    })
    .await?;
    Ok(faces)
}

/// Makes a calendar in `home`, which must be one's own.
///
/// # Errors
/// `resource-must-be-null` when the name is taken, `need-privileges` in another's home, `BadRequest` for a name that
/// no calendar may have.
pub async fn create(app: &App, who: &Who, home: &str, new: New) -> Result<Bound> {
    own_home(who, home, Privilege::Bind)?;
    check_slug(&new.slug)?;
    let (id, home, now) = (who.id, home.to_string(), app.clock.now());
    app.store
        .write(move |tx| {
            Box::pin(async move {
                let row = calendars::NewCalendar {
                    home: id,
                    slug: new.slug.clone(),
                    kind: new.kind,
                    components: new.components,
                    timezone: new.timezone,
                    transparent: new.transparent,
                };
                let calendar = calendars::create(tx, &row, now).await?;
                for (name, value) in &new.properties {
                    properties::set(tx, OwnerKind::Calendar, calendar.0, EVERYBODY, name, value)
                        .await?;
                }
                let bound = calendars::find(tx, id, &home, &new.slug).await?;
                bound.ok_or_else(|| Error::internal("the new calendar is not there"))
            })
        })
        .await
}

/// Takes a calendar out of a home: the owner's goes to the trash, a shared one only disappears from the sharee's home.
///
/// # Errors
/// `need-privileges` in another's home.
pub async fn remove(app: &App, who: &Who, bound: &Bound) -> Result<()> {
    own_home(who, &bound.home_name, Privilege::Unbind)?;
    let (home, slug, now) = (bound.home, bound.slug.clone(), app.clock.now());
    app.store
        .write(move |tx| Box::pin(async move { calendars::remove(tx, home, &slug, now).await }))
        .await
}

/// Changes how a calendar looks and counts. The owner changes the face for everybody, others for themselves.
///
/// # Errors
/// `need-privileges`, or `Invalid` for a zone that does not exist.
pub async fn update(app: &App, who: &Who, bound: &Bound, changes: Changes) -> Result<()> {
    let for_all = changes.timezone.is_some() || changes.transparent.is_some();
    let needs = if for_all {
        Privileges::NONE.with(Privilege::WriteProperties)
    } else {
        Privileges::NONE
    };
    demand(bound, who, Scopes::WRITE, needs)?;
    check(&changes)?;
    let (id, now) = (bound.calendar.id, app.clock.now());
    let whose = if bound.calendar.owner == who.id {
        EVERYBODY
    } else {
        who.id
    };
    app.store
        .write(move |tx| {
            Box::pin(async move {
                let order = changes.order.map(|order| order.to_string());
                let face = [
                    (DISPLAY_NAME, changes.name),
                    (DESCRIPTION, changes.description),
                    (COLOR, changes.color),
                    (ORDER, order),
                ];
                for (name, value) in face
                    .into_iter()
                    .filter_map(|(name, value)| Some((name, value?)))
                {
                    properties::set(
                        tx,
                        OwnerKind::Calendar,
                        id.0,
                        whose,
                        name,
                        &element(name, &value),
                    )
                    .await?;
                }
                if let Some(zone) = &changes.timezone {
                    calendars::set_timezone(tx, id, zone, now).await?;
                }
                if let Some(transparent) = changes.transparent {
                    calendars::set_transparent(tx, id, transparent, now).await?;
                }
                calendars::touch_props(tx, id, now).await
            })
        })
        .await
}

/// Can these changes be made at all?
///
/// # Errors
/// `Invalid` for a zone that does not exist, a colour that is none, a name that is no text.
pub fn check(changes: &Changes) -> Result<()> {
    let wrong = |field: &str, reason: &str| {
        Err(Error::Invalid {
            field: field.into(),
            reason: reason.into(),
        })
    };
    if changes
        .timezone
        .as_deref()
        .is_some_and(|name| !name.is_empty() && Zone::named(name).is_none())
    {
        return wrong("timezone", "not a time zone of the IANA database");
    }
    let is_color = |text: &str| {
        let digits = text.strip_prefix('#').unwrap_or("");
        matches!(digits.len(), 6 | 8) && digits.bytes().all(|b| b.is_ascii_hexdigit())
    };
    if changes
        .color
        .as_deref()
        .is_some_and(|color| !is_color(color))
    {
        return wrong("color", "not #rrggbb");
    }
    let odd = |text: &String| {
        text.chars()
            .any(|c| c.is_control() && !matches!(c, '\n' | '\t'))
            || text.len() > 4096
    };
    if changes
        .name
        .as_ref()
        .is_some_and(|name| odd(name) || name.contains('\n'))
    {
        return wrong("name", "has control characters or is too long");
    }
    if changes.description.as_ref().is_some_and(odd) {
        return wrong("description", "has control characters or is too long");
    }
    Ok(())
}

fn own_home(who: &Who, home: &str, needs: Privilege) -> Result<()> {
    if !who.scopes.has(Scopes::WRITE) {
        return Err(Error::forbidden("this token lacks the scope write"));
    }
    if who.name == home {
        return Ok(());
    }
    let needs = Privileges::NONE.with(needs);
    Err(Error::precondition(
        Precondition::NeedPrivileges { needs },
        "calendars are made and removed by who owns the home",
    ))
}

/// Refuses what no calendar may be called.
///
/// # Errors
/// `Forbidden` for names that mean something else, `BadRequest` for impossible ones.
pub fn check_slug(slug: &str) -> Result<()> {
    if RESERVED_SLUGS.contains(&slug) {
        return Err(Error::forbidden(format!(
            "{slug} is no name for a calendar: it means something else here"
        )));
    }
    let bad = slug.is_empty()
        || slug.len() > 255
        || slug.contains('/')
        || slug.chars().any(char::is_control);
    if bad || slug == "." || slug == ".." {
        return Err(Error::bad("this cannot be the name of a calendar"));
    }
    Ok(())
}

/// The zone of times without one in a calendar.
pub fn zone(calendar: &Calendar) -> Zone {
    let text = calendar.timezone.trim();
    if text
        .get(..6)
        .is_some_and(|start| start.eq_ignore_ascii_case("BEGIN:"))
    {
        let tree = Tree::parse(calendar.timezone.as_bytes(), &Limits::default());
        return tree
            .ok()
            .and_then(|tree| Zones::of(&tree).only())
            .unwrap_or(Zone::Fixed(0));
    }
    Zone::named(text).unwrap_or(Zone::Fixed(0))
}

/// The same as an IANA name; `UTC` where it has none.
pub fn zone_name(calendar: &Calendar) -> String {
    zone(calendar).iana_name().unwrap_or("UTC").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_mean_something_else_are_refused() {
        for slug in [
            "inbox",
            "outbox",
            "notifications",
            "",
            ".",
            "..",
            "a/b",
            "a\n",
            &"x".repeat(256),
        ] {
            assert!(check_slug(slug).is_err(), "{slug:?}");
        }
        for slug in ["work", "Arbeit & Spaß", "1E5A-…", "a.b"] {
            assert!(check_slug(slug).is_ok(), "{slug:?}");
        }
    }
}
