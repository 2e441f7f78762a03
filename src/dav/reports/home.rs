//! sync-collection of a calendar home (RFC 6578 §3.3).
//!
//! Level 1: a calendar is reported when its membership, its properties or its contents changed, which is what Apple's
//! polling asks for. Infinite: the objects that changed as well. The token remembers the state of each calendar in view
//! (see `tokens`), so a shared calendar costs no write in anybody's home.

use std::collections::VecDeque;
use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::asked_of;
use super::sync::{Ask, Level, bad_token, write_truncated};
use crate::app::App;
use crate::dav::listing::Scope;
use crate::dav::members::Members;
use crate::dav::names::dav;
use crate::dav::plan::Plan;
use crate::dav::reply::{self, Next, Pages};
use crate::dav::tokens::{Home, Seen};
use crate::dav::view::On;
use crate::dav::{Call, resource};
use crate::model::{Bound, Error, Path, Precondition, Principal, Result, Who};
use crate::store::{Tx, calendars};
use crate::wire::Response;
use crate::xml::{Element, Writer};

/// The token of a home as it is now.
pub async fn token(tx: &mut Tx<'_>, who: &Who, home: &Principal) -> Result<Home> {
    let all = calendars::list(tx, who.id, &home.name).await?;
    Ok(Home::of(
        home.id,
        home.seq,
        all.iter()
            .filter(|bound| resource::can_read(bound))
            .map(seen),
    ))
}

fn seen(bound: &Bound) -> Seen {
    let calendar = &bound.calendar;
    Seen {
        id: calendar.id.0,
        seq: calendar.seq,
        props_seq: calendar.props_seq,
    }
}

pub async fn run(call: Call, document: &Element, ask: Ask) -> Result<Response> {
    let Path::Home(name) = call.path() else {
        return Err(Error::NotFound);
    };
    let (asked, data) = asked_of(document)?;
    let (who, form) = (call.who(), call.form());
    let before = match ask.token.as_str() {
        "" => None,
        token => Some(Home::parse(token).ok_or_else(bad_token)?),
    };
    let difference = call
        .app
        .store
        .read(|tx| Box::pin(compare(tx, who, name, before.as_ref())))
        .await?;
    check(&ask, &difference)?;
    let Difference {
        now,
        changed,
        removed,
        ..
    } = difference;
    let object_plan = match ask.level {
        Level::One => None,
        Level::Infinite => Some(Arc::new(Plan::new(
            &asked,
            On::OBJECT,
            form.prefer.minimal,
            data,
        ))),
    };
    let scope = Scope {
        desk: call.desk.clone(),
        asked,
        minimal: form.prefer.minimal,
    };
    let (now, changed, truncated) = cut(
        now,
        changed,
        before.as_ref(),
        ask.limit.map(|limit| limit - removed.len()),
    );
    let sync = HomeSync {
        href: call.href(),
        home: name.clone(),
        app: call.app.clone(),
        scope,
        token: now.print(),
        removed,
        changed,
        truncated,
        object_plan,
        before: before.unwrap_or_default(),
        started: false,
        objects: VecDeque::new(),
    };
    reply::stream(form, sync).await
}

/// Refuses what cannot be answered in parts, or at all.
fn check(ask: &Ask, difference: &Difference) -> Result<()> {
    if difference.replaced && ask.level == Level::Infinite {
        // What was below the former calendar of that name is not known any more.
        return Err(bad_token());
    }
    let too_many = ask.limit.is_some_and(|limit| match ask.level {
        Level::One => difference.removed.len() > limit,
        Level::Infinite => true,
    });
    match too_many {
        true => Err(Error::precondition(
            Precondition::NumberOfMatchesWithinLimits,
            "a home is truncated at whole calendars, on level 1 only",
        )),
        false => Ok(()),
    }
}

/// What happened in a home since a token.
struct Difference {
    now: Home,
    changed: Vec<Bound>,
    /// Slugs.
    removed: Vec<String>,
    /// A calendar was removed and another one made under its name.
    replaced: bool,
}

async fn compare(
    tx: &mut Tx<'_>,
    who: &Who,
    name: &str,
    before: Option<&Home>,
) -> Result<Difference> {
    let (home, _) = resource::home(tx, who, name).await?;
    let mut all = calendars::list(tx, who.id, name).await?;
    all.retain(resource::can_read);
    let now = Home::of(home.id, home.seq, all.iter().map(seen));
    let Some(before) = before else {
        return Ok(Difference {
            now,
            changed: all,
            removed: Vec::new(),
            replaced: false,
        });
    };
    if before.home != home.id.0 || before.seq > home.seq {
        return Err(bad_token());
    }
    let removed: Vec<String> = calendars::unbound_since(tx, home.id, before.seq)
        .await?
        .into_iter()
        .map(|(slug, _)| slug)
        .collect();
    let gone = before
        .calendars
        .iter()
        .filter(|old| now.calendars.iter().all(|new| new.id != old.id))
        .count();
    if gone > removed.len() && home.id != who.id {
        // A grant was taken back; the token does not say what that calendar was called.
        return Err(bad_token());
    }
    let is_stale = |bound: &Bound| {
        let old = before.seen(bound.calendar.id);
        old.is_some_and(|old| old.seq > bound.calendar.seq || old.seq < bound.calendar.pruned_seq)
    };
    if all.iter().any(is_stale) {
        return Err(bad_token());
    }
    all.retain(|bound| before.seen(bound.calendar.id) != Some(&seen(bound)));
    Ok(Difference {
        replaced: gone > removed.len(),
        now,
        changed: all,
        removed,
    })
}

/// Cuts the changed calendars to the client's limit; the token then remembers the others as they were.
fn cut(
    mut now: Home,
    mut changed: Vec<Bound>,
    before: Option<&Home>,
    limit: Option<usize>,
) -> (Home, Vec<Bound>, bool) {
    let Some(limit) = limit.filter(|limit| *limit < changed.len()) else {
        return (now, changed, false);
    };
    let later = changed.split_off(limit);
    now.calendars
        .retain(|new| later.iter().all(|bound| bound.calendar.id.0 != new.id));
    for bound in &later {
        now.calendars
            .extend(before.and_then(|before| before.seen(bound.calendar.id)));
    }
    (now, changed, true)
}

struct HomeSync {
    href: String,
    home: String,
    app: App,
    scope: Scope,
    token: String,
    removed: Vec<String>,
    changed: Vec<Bound>,
    truncated: bool,
    /// How objects are written, on level infinite.
    object_plan: Option<Arc<Plan>>,
    before: Home,
    started: bool,
    /// Calendars whose objects are still to be written, from which number on.
    objects: VecDeque<(Members, i64)>,
}

impl Pages for HomeSync {
    fn page<'a>(&'a mut self, w: &'a mut Writer) -> BoxFuture<'a, Result<Next>> {
        Box::pin(async move {
            if !self.started {
                self.started = true;
                let (scope, changed) = (&self.scope, &self.changed);
                self.app
                    .store
                    .read(|tx| Box::pin(scope.write_calendars(tx, changed, w)))
                    .await?;
                self.write_removed(w);
                self.begin_objects().await?;
            } else if let Some((members, since)) = self.objects.pop_front() {
                let (until, page) = (members.bound.calendar.seq, members.page_size());
                let written = self
                    .app
                    .store
                    .read(|tx| Box::pin(members.write_changes(tx, w, since, until, page)))
                    .await?;
                if written.more {
                    self.objects.push_front((members, written.last));
                }
            }
            if !self.objects.is_empty() {
                return Ok(Next::More);
            }
            if self.truncated {
                write_truncated(w, &self.href);
            }
            w.element(&dav::SYNC_TOKEN, &self.token);
            Ok(Next::Done)
        })
    }
}

impl HomeSync {
    fn write_removed(&self, w: &mut Writer) {
        for slug in &self.removed {
            let path = Path::Calendar {
                name: self.home.clone(),
                slug: slug.clone(),
            };
            w.open(&dav::RESPONSE)
                .element(&dav::HREF, &self.scope.desk.href(&path));
            w.element(&dav::STATUS, "HTTP/1.1 404 Not Found").close();
        }
    }

    async fn begin_objects(&mut self) -> Result<()> {
        let Some(plan) = &self.object_plan else {
            return Ok(());
        };
        for bound in &self.changed {
            let since = self
                .before
                .seen(bound.calendar.id)
                .map_or(0, |seen| seen.seq);
            let (desk, plan, bound) = (self.scope.desk.clone(), plan.clone(), bound.clone());
            let members = self
                .app
                .store
                .read(|tx| Box::pin(Members::new(tx, desk, bound, plan)))
                .await?;
            self.objects.push_back((members, since));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Calendar, CalendarId, CalendarKind, ComponentSet, PrincipalId, Privileges};

    fn bound(id: i64) -> Bound {
        Bound {
            home: PrincipalId(1),
            home_name: "anna".into(),
            slug: format!("c{id}"),
            calendar: Calendar {
                id: CalendarId(id),
                owner: PrincipalId(1),
                owner_name: "anna".into(),
                kind: CalendarKind::Calendar,
                components: ComponentSet::standard(),
                timezone: String::new(),
                transparent: false,
                seq: 10 * id,
                props_seq: 0,
                pruned_seq: 0,
                objects: 0,
                bytes: 0,
                created: 0,
                modified: 0,
            },
            privileges: Privileges::ALL,
        }
    }

    #[test]
    fn a_truncated_home_remembers_what_it_left_out_as_it_was() {
        let all: Vec<Bound> = (1..=3).map(bound).collect();
        let now = Home::of(PrincipalId(1), 7, all.iter().map(seen));
        let before = Home::of(
            PrincipalId(1),
            6,
            [Seen {
                id: 2,
                seq: 1,
                props_seq: 0,
            }],
        );
        let (token, sent, truncated) = cut(now.clone(), all.clone(), Some(&before), Some(1));
        assert!(truncated && sent.len() == 1);
        assert_eq!(token.print(), "data:,h1_7/1.10.0/2.1.0");
        let (token, sent, truncated) = cut(now.clone(), all, None, Some(3));
        assert!(!truncated && sent.len() == 3);
        assert_eq!(token, now);
    }
}
