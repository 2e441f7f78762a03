//! Conditional headers against the present state: what can be refused before a write begins, and the guard that the write
//! door checks again under its lock.

use super::Call;
use super::conditions::{State, Verdict};
use super::resource::Place;
use super::view::Node;
use super::{export, tokens};
use crate::model::object::Tags;
use crate::model::{Bound, Error, Guard, Member, Path, Result};
use crate::store::{calendars, objects};

impl Call {
    /// RFC 4918 §10.4: one of the lists of `If` has to hold. Nothing is looked up without that header.
    pub async fn check_if(&self) -> Result<()> {
        let lists = &self.request.conditions.lists;
        if lists.is_empty() {
            return Ok(());
        }
        for list in lists {
            let state = match &list.resource {
                None => self.state(self.path()).await?,
                Some(tagged) => match self.tagged(tagged) {
                    Some(path) => self.state(&path).await?,
                    None => State::default(),
                },
            };
            if list.holds(&state) {
                return Ok(());
            }
        }
        Err(Error::PreconditionFailed)
    }

    /// RFC 9110 §13.1 for writes that do not go through the objects' door: properties, and a calendar's removal.
    pub fn check_tags(&self, node: &Node) -> Result<()> {
        let conditions = &self.request.conditions;
        let verdict = match node {
            Node::Object(_, object) => conditions.read(object.etag, object.modified),
            Node::Calendar(bound) => {
                conditions.read(&export::tag(&bound.calendar), bound.calendar.modified)
            }
            // No other resource has a tag.
            _ if matches!(conditions.if_match, Some(Tags::List(_))) => Verdict::Failed,
            _ => Verdict::Go,
        };
        // If-Modified-Since is for reads; If-None-Match that holds is a refusal here.
        match verdict {
            Verdict::NotModified if conditions.if_none_match.is_none() => Ok(()),
            Verdict::Go => Ok(()),
            Verdict::Failed | Verdict::NotModified => Err(Error::PreconditionFailed),
        }
    }

    /// The resource that a list is tagged with.
    fn tagged(&self, uri: &str) -> Option<Path> {
        let uri: http::Uri = uri.parse().ok()?;
        Place::parse(self.app.local(uri.path()), self.who()).map(|place| place.path)
    }

    async fn state(&self, path: &Path) -> Result<State> {
        let who = self.who().id;
        let (name, slug, object) = match path {
            Path::Calendar { name, slug } => (name, slug, None),
            Path::Object { name, slug, object } => (name, slug, Some(object)),
            _ => return Ok(State::default()),
        };
        self.app
            .store
            .read(|tx| {
                Box::pin(async move {
                    let Some(bound) = calendars::find(tx, who, name, slug)
                        .await?
                        .filter(super::resource::can_read)
                    else {
                        return Ok(State::default());
                    };
                    let calendar = bound.calendar;
                    Ok(match object {
                        None => State {
                            etag: None,
                            sync_token: Some(tokens::of_calendar(calendar.id, calendar.seq)),
                        },
                        Some(object) => {
                            let head = objects::head(tx, calendar.id, object).await?;
                            State {
                                etag: head.map(|head| head.member.etag.0),
                                sync_token: None,
                            }
                        }
                    })
                })
            })
            .await
    }

    /// The conditions of a write on the object `name`. What the door cannot check by itself (`If`, dates) is checked here,
    /// and the state that it held for becomes part of the guard.
    pub async fn guard(&self, bound: &Bound, name: &str) -> Result<Guard> {
        let conditions = &self.request.conditions;
        let mut guard = conditions.guard();
        if conditions.lists.is_empty() && conditions.if_unmodified_since.is_none() {
            return Ok(guard);
        }
        let id = bound.calendar.id;
        let head = self
            .app
            .store
            .peek(|tx| Box::pin(objects::head(tx, id, name)))
            .await?;
        let present = head.map(|head| head.member);
        if !guard.holds(
            present
                .as_ref()
                .map(|member| (&member.etag, member.schedule_tag.as_deref())),
        ) {
            return Err(Error::PreconditionFailed);
        }
        let changed = |member: &Member| {
            conditions
                .if_unmodified_since
                .is_some_and(|since| member.modified > since)
        };
        if guard.if_match.is_none() && present.as_ref().is_some_and(changed) {
            return Err(Error::PreconditionFailed);
        }
        self.check_if().await?;
        match present {
            Some(member) => guard.if_match = Some(Tags::List(vec![member.etag.0])),
            None => guard.if_none_match = Some(Tags::Any),
        }
        Ok(guard)
    }
}
