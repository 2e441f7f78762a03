//! Making a link: a remote calendar and a calendar of one's own, which may be made for it.

use super::check::{self, Change};
use super::look::{self, Shown};
use super::{App, can, invalid, may_link, remote_of, scope};
use crate::app::calendars;
use crate::ical::zone::Zone;
use crate::model::access::Scopes;
use crate::model::bridge::RemoteCalendar;
use crate::model::calendar::RESERVED_SLUGS;
use crate::model::property::{COLOR, DISPLAY_NAME, element};
use crate::model::{Bound, CalendarKind, ComponentSet, Error, RemoteCalendarId, Result, Who};
use crate::store::bridges::{NewLink, links};
use crate::sync;

/// A link to be made.
#[derive(Clone, Debug)]
pub struct New {
    pub remote: RemoteCalendarId,
    pub target: Target,
    pub settings: Change,
}

/// The local end.
#[derive(Clone, Debug)]
pub enum Target {
    /// A calendar of one's own home, by its slug.
    Existing(String),
    /// A new one, as the remote one is called and coloured unless said otherwise.
    New {
        name: Option<String>,
        color: Option<String>,
    },
}

/// Attempts at a slug that nobody has.
const SLUGS: usize = 100;

/// Makes a link of `who`; its first run follows at once.
///
/// # Errors
/// `Invalid` with the field that is wrong, `Conflict` when the two are linked already.
pub async fn create(app: &App, who: &Who, new: New) -> Result<Shown> {
    scope(who)?;
    let (connection, remote) = remote_of(app, who, new.remote).await?;
    let bridge = app.bridge().await?;
    let can = can(bridge, &connection, &remote)?;
    let settings = check::settled(new.settings, can.usual(), &can)?;
    let calendar = match new.target {
        Target::Existing(slug) => existing(app, who, &slug).await?,
        Target::New { name, color } => made(app, who, &remote, name, color).await?,
    };
    let row = NewLink {
        calendar: calendar.calendar.id,
        remote: remote.id,
        connection: connection.id,
        settings,
    };
    let now = app.clock.now();
    let id = app
        .store
        .write(move |tx| Box::pin(async move { links::create(tx, &row, now).await }))
        .await?;
    sync::linked(bridge).await?;
    app.wake.ring();
    look::get(app, who, id).await
}

async fn existing(app: &App, who: &Who, slug: &str) -> Result<Bound> {
    let found = calendars::find(app, who, &who.name, slug).await;
    let bound = match found {
        Err(Error::NotFound) => return Err(invalid("calendar", "there is no such calendar")),
        found => found?,
    };
    may_link(&bound, who)?;
    if !bound.calendar.components.0.iter().any(|c| c == "VEVENT") {
        return Err(invalid("calendar", "it holds no events"));
    }
    Ok(bound)
}

/// A calendar for what comes from there.
async fn made(
    app: &App,
    who: &Who,
    remote: &RemoteCalendar,
    name: Option<String>,
    color: Option<String>,
) -> Result<Bound> {
    let given = calendars::Changes {
        name,
        color,
        ..calendars::Changes::default()
    };
    calendars::check(&given)?;
    let name = given.name.unwrap_or_else(|| remote.name.clone());
    let color = given.color.unwrap_or_else(|| remote.color.clone());
    let face = [(DISPLAY_NAME, name.as_str()), (COLOR, color.as_str())];
    let properties: Vec<(String, String)> = face
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(property, value)| (property.to_string(), element(property, value)))
        .collect();
    let timezone = match Zone::named(&remote.zone) {
        Some(_) => remote.zone.clone(),
        None => String::new(),
    };
    // Making the calendar is part of making the link.
    let acting = Who {
        scopes: who.scopes.and(Scopes::WRITE),
        ..who.clone()
    };
    for slug in slugs(&name) {
        let new = calendars::New {
            kind: CalendarKind::Calendar,
            components: ComponentSet(vec!["VEVENT".into()]),
            timezone: timezone.clone(),
            properties: properties.clone(),
            ..calendars::New::named(slug)
        };
        match calendars::create(app, &acting, &who.name, new).await {
            Err(Error::Precondition {
                is: crate::model::Precondition::ResourceMustBeNull,
                ..
            }) => continue,
            done => return done,
        }
    }
    Err(Error::Conflict(
        "too many calendars of this name: give another one".into(),
    ))
}

/// What a calendar of this name may be called in addresses, the first choice first.
fn slugs(name: &str) -> impl Iterator<Item = String> {
    let mut slug = String::new();
    for c in name.chars().flat_map(char::to_lowercase) {
        match c {
            'a'..='z' | '0'..='9' => slug.push(c),
            _ if slug.is_empty() || slug.ends_with('-') => {}
            _ => slug.push('-'),
        }
        if slug.len() >= 40 {
            break;
        }
    }
    let slug = slug.trim_end_matches('-').to_string();
    let slug = if slug.is_empty() {
        "linked".to_string()
    } else {
        slug
    };
    let taken = RESERVED_SLUGS.contains(&slug.as_str());
    (usize::from(taken)..SLUGS).map(move |n| match n {
        0 => slug.clone(),
        n => format!("{slug}-{}", n + 1),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_addresses() {
        for (name, slug) in [
            ("Work", "work"),
            ("anna@example.com", "anna-example-com"),
            ("  Team / Büro  ", "team-b-ro"),
            ("日本語", "linked"),
            ("inbox", "inbox-2"),
            ("", "linked"),
        ] {
            assert_eq!(slugs(name).next().as_deref(), Some(slug), "{name}");
        }
        let more: Vec<String> = slugs("Work").take(3).collect();
        assert_eq!(more, ["work", "work-2", "work-3"]);
        assert!(slugs(&"x".repeat(500)).all(|slug| slug.len() < 50));
    }
}
