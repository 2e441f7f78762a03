//! Providers of remote calendars: one trait, a folder for each.
//!
//! A provider's folder holds `mod.rs` (the calls, each in two pure halves: request from arguments, result from
//! response), `wire.rs` (their JSON or XML) and `map.rs` (their event ↔ our object, pure). A remote *event* is a list
//! of [`Item`]s: the master (or a single event) and the exceptions that the provider stores as resources of their own.
//! No provider's name appears outside its folder and its row of [`PROVIDERS`].
//!
//! What may go wrong is [`Fault`], the whole vocabulary that sync has for trouble.

pub mod account;
pub mod address;
pub mod caldav;
pub mod dated;
mod fault;
pub mod google;
pub mod http;
mod ical_doc;
pub mod ics;
pub mod microsoft;
pub mod oauth;
pub mod presets;
#[cfg(test)]
pub mod testing;
#[cfg(test)]
mod tests;

pub use crate::ical::session::ASKS_CONFERENCE;
pub use fault::{Fault, Refusal};

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;

use crate::clock::Clock;
use crate::model::bridge::GuestPolicy;

/// What an `async fn` of an object-safe trait returns.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The connection broke; `sent` says whether the request may have reached the other side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    pub sent: bool,
    /// For logs and people; without addresses or secrets.
    pub reason: String,
}

/// Sends one request and reads the whole (bounded) answer. No redirect is followed.
/// In production [`http`]'s client; in tests the simulator, without a socket.
pub trait Transport: Send + Sync {
    fn send(
        &self,
        request: ::http::Request<Bytes>,
    ) -> Answer<'_, Result<::http::Response<Bytes>, Broken>>;
}

/// Gives the `Authorization` header of an account. Implemented by `sync`, which keeps tokens and refreshes them.
pub trait Credentials: Send + Sync {
    /// `rejected`: the last header was refused with 401, so a token has to be refreshed before it is given again.
    fn header(&self, rejected: bool) -> Answer<'_, Result<Option<::http::HeaderValue>, Fault>>;

    /// User name and password or secret address, for providers without OAuth.
    fn basic(&self) -> Option<(String, secrecy::SecretString)> {
        None
    }
}

/// Where a provider's services are: settings with the real addresses as defaults.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Endpoints {
    pub api: String,
    pub authorize: String,
    pub token: String,
    pub userinfo: String,
    /// Empty: the provider has none.
    pub revoke: String,
}

/// One account at a provider, ready for calls. Cheap to clone.
#[derive(Clone)]
pub struct Account {
    pub transport: Arc<dyn Transport>,
    pub credentials: Arc<dyn Credentials>,
    pub endpoints: Arc<Endpoints>,
    pub clock: Clock,
    /// The account's own address (mail), to tell `self` among attendees; may be empty.
    pub label: String,
}

/// What a provider can do: data, not branches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caps {
    pub writes: bool,
    /// Webhooks.
    pub watches: bool,
    /// Its own free/busy call.
    pub busy: bool,
    /// Requests at a time for one account.
    pub concurrency: usize,
    /// Seconds: polls are never closer, and this far apart by default.
    pub least_interval: i64,
    pub interval: i64,
}

/// A provider's row: name, how people connect, and its code.
pub struct Row {
    pub name: &'static str,
    pub title: &'static str,
    pub oauth: Option<&'static OAuthSpec>,
    pub provider: &'static dyn Provider,
}

/// Every provider.
pub static PROVIDERS: &[Row] = &[
    Row {
        name: "google",
        title: "Google Calendar",
        oauth: Some(&google::OAUTH),
        provider: &google::Google,
    },
    Row {
        name: "microsoft",
        title: "Microsoft 365 and Outlook.com",
        oauth: Some(&microsoft::OAUTH),
        provider: &microsoft::Microsoft,
    },
    Row {
        name: "caldav",
        title: "CalDAV (iCloud, Fastmail, Nextcloud …)",
        oauth: None,
        provider: &caldav::CalDav,
    },
    Row {
        name: "ics",
        title: "Subscribed .ics address",
        oauth: None,
        provider: &ics::Ics,
    },
];

/// The provider of this name.
pub fn provider(name: &str) -> Option<&'static Row> {
    PROVIDERS.iter().find(|row| row.name == name)
}

/// Marks each VEVENT that a Kalends made, for calendars that keep iCalendar text; its value is a [`Marker`].
pub const MIRROR: &str = "X-KALENDS-MIRROR";

/// OAuth 2 as one provider does it (addresses are in [`Endpoints`]).
#[derive(Debug)]
pub struct OAuthSpec {
    /// Scopes asked for: (scope, what does not work without it; empty: nothing works).
    pub scopes: &'static [(&'static str, &'static str)],
    /// Further parameters of the authorize address.
    pub authorize: &'static [(&'static str, &'static str)],
    /// Where people take consent back themselves, when there is no call for it.
    pub consent_page: &'static str,
    /// Path of the page where an administrator approves the application, beside that of [`Endpoints::authorize`];
    /// empty: there is none.
    pub admin_consent: &'static str,
    /// Grants of applications on trial end after so many seconds, and what to say then.
    pub short_lived: Option<(i64, &'static str)>,
}

/// Who the account is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Never changes: `sub`, `oid`, principal address.
    pub account: String,
    pub label: String,
}

/// A calendar as the provider lists it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listed {
    pub remote_id: String,
    pub name: String,
    /// `#RRGGBB`, or empty.
    pub color: String,
    /// IANA name, or empty.
    pub zone: String,
    pub writable: bool,
    pub primary: bool,
    pub extra: String,
}

/// The remote calendar that a call is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub remote_id: String,
    /// IANA name; `UTC` when the provider tells none.
    pub zone: String,
    pub extra: String,
}

/// One resource of the provider's: an event, a series' master, or an exception of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Event id; for CalDAV the canonical href; for ICS a content key.
    pub id: String,
    /// Of an exception: the id of its master.
    pub series: Option<String>,
    /// ETag or change key as the provider wrote it: equal means unchanged. Empty: unknown.
    pub stamp: String,
    /// JSON or iCalendar as it came; unknown keys included.
    pub doc: Bytes,
}

/// What a listing reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// An event with all its exceptions; replaces what was known of it. The master (or single event) comes first.
    Whole(Vec<Item>),
    /// One resource; the others of its series stay as they are known.
    Part(Item),
    /// A resource is no more: a single event, a whole series, or one exception's resource.
    Gone(String),
}

/// One page of changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    pub changes: Vec<Change>,
    pub next: Next,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// More of the same listing: give this back as `from`.
    Page(Vec<u8>),
    /// The end. The cursor is for the next run; none: every run lists everything.
    Done(Option<Vec<u8>>),
}

/// Where a listing goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From<'a> {
    /// Everything there is: at its end, what was not named is gone.
    Start,
    /// What changed since this cursor.
    Cursor(&'a [u8]),
    /// The next page of either.
    Page(&'a [u8]),
}

/// Marks a resource as made by a Kalends, in a place that guests do not see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marker {
    /// The installation's id.
    pub instance: String,
    pub link: String,
    /// UID of the event that it mirrors.
    pub uid: String,
}

impl Marker {
    /// One value of an extended property; `read` takes it apart.
    pub fn print(&self) -> String {
        format!("1 {} {} {}", self.instance, self.link, self.uid)
    }

    pub fn read(text: &str) -> Option<Marker> {
        let mut words = text.splitn(4, ' ');
        let marker = |w: &mut dyn FnMut() -> Option<String>| {
            (w()?.as_str() == "1").then_some(())?;
            Some(Marker {
                instance: w()?,
                link: w()?,
                uid: w()?,
            })
        };
        marker(&mut || words.next().map(String::from))
    }
}

/// An event as we want it there.
#[derive(Clone, Copy, Debug)]
pub struct Put<'a> {
    /// Derived from installation, link, UID and generation: the remote id where we may choose it (base32hex, lower
    /// case), else the transaction id, so that a create that is sent twice makes one event.
    pub key: &'a str,
    pub marker: &'a Marker,
    /// The whole object (one UID with master and overrides) as it may be seen there: privacy and templates applied,
    /// and without ATTENDEE and ORGANIZER unless `guests` says otherwise.
    pub text: &'a [u8],
    /// What is known of it there, master first; empty: create. Its stamps guard the writes.
    pub known: &'a [Item],
    pub guests: GuestPolicy,
    /// Our own answer to the invitation, when it changed and somebody else organises the event: PARTSTAT.
    pub respond: Option<&'a str>,
}

impl Put<'_> {
    /// Shall it carry the marker? What began there never does, or it would be taken for a mirror elsewhere; `marked`
    /// says whether a resource carries one.
    pub fn marks(&self, marked: impl FnOnce(&Item) -> bool) -> bool {
        self.known.first().is_none_or(marked)
    }
}

/// What is there after a put.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// The event as the provider has it now, read back where its answer did not tell.
    pub items: Vec<Item>,
    /// What it could not hold.
    pub losses: Vec<Loss>,
}

/// A line of the fidelity ledger: what the other side does not hold of one event. Our store keeps it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct Loss {
    /// RECURRENCE-ID of the instance; none: the whole event.
    pub rid: Option<String>,
    /// `VALARM`, `GEO`, `RRULE` …
    pub property: String,
    /// In words: `only one reminder is kept there`.
    pub what: String,
}

/// A remote event as an iCalendar object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// One UID with master and overrides; CRLF, VTIMEZONEs included.
    pub text: Vec<u8>,
    pub uid: String,
    pub marker: Option<Marker>,
    /// Whether we may change more than our own answer, reminders and free/busy.
    pub ours_to_edit: bool,
    /// It has guests besides the account itself.
    pub has_guests: bool,
    pub losses: Vec<Loss>,
}

/// What a remote event is to us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Read {
    Event(Box<Reading>),
    /// Nothing that a calendar shows: a cancelled event, a birthday, a working location.
    Nothing,
}

/// A webhook that the provider promised to call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watch {
    /// The provider's id of it.
    pub id: String,
    /// What else is needed to recognise or stop it (Google's resource id).
    pub resource: String,
    /// Seconds since 1970 UTC.
    pub expires: i64,
}

/// What a webhook shall call.
#[derive(Clone, Debug)]
pub struct Hook<'a> {
    pub url: &'a str,
    /// Unguessable, of our making; comes back with each call.
    pub secret: &'a str,
    /// An id of our making, unique for each watch.
    pub id: &'a str,
    /// How long we should like it to live, in seconds.
    pub life: i64,
}

/// A stretch of time that is taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Busy {
    /// Seconds since 1970 UTC, end exclusive.
    pub start: i64,
    pub end: i64,
    pub tentative: bool,
}

/// Busy time of one calendar, by its remote id; unknown is not free.
pub type BusyOf = (String, Result<Vec<Busy>, Fault>);

/// A provider. Calls take the account and give meaning or a [`Fault`]; they never retry by themselves, except once
/// after a 401 (see [`Account::send`]).
pub trait Provider: Send + Sync {
    fn caps(&self) -> Caps;

    fn identity<'a>(&'a self, account: &'a Account) -> Answer<'a, Result<Identity, Fault>>;

    fn calendars<'a>(&'a self, account: &'a Account) -> Answer<'a, Result<Vec<Listed>, Fault>>;

    /// One page of what changed. `Fault::CursorGone`: begin again from [`From::Start`].
    fn changes<'a>(
        &'a self,
        account: &'a Account,
        place: &'a Place,
        from: From<'a>,
    ) -> Answer<'a, Result<Page, Fault>>;

    /// An event with all its exceptions by the id of its master; none: it is gone.
    fn get<'a>(
        &'a self,
        account: &'a Account,
        place: &'a Place,
        id: &'a str,
    ) -> Answer<'a, Result<Option<Vec<Item>>, Fault>>;

    /// Makes the event there be `put.text`, with as few and as small requests as that takes: none when it is so
    /// already. Safe to repeat after any crash. Keys that are not ours stay as they are. What is made gets the marker;
    /// what began there never does.
    /// A write that would mail guests without being told to is [`Fault::Refused`], `guests`.
    /// `Fault::Stale`: it changed there meanwhile, read it again first.
    fn put<'a>(
        &'a self,
        account: &'a Account,
        place: &'a Place,
        put: Put<'a>,
    ) -> Answer<'a, Result<Placed, Fault>>;

    /// Deletes an event with its exceptions. One that is gone already is a success; `Fault::Stale` when it changed.
    /// One whose guests would be mailed is [`Fault::Refused`], unless `guests` says that they shall be.
    fn delete<'a>(
        &'a self,
        account: &'a Account,
        place: &'a Place,
        items: &'a [Item],
        guests: GuestPolicy,
    ) -> Answer<'a, Result<(), Fault>>;

    /// Busy time of calendars by their remote ids, each known or not. Ask for at most 60 days.
    fn busy<'a>(
        &'a self,
        account: &'a Account,
        calendars: &'a [String],
        range: (i64, i64),
    ) -> Answer<'a, Result<Vec<BusyOf>, Fault>>;

    fn watch<'a>(
        &'a self,
        account: &'a Account,
        place: &'a Place,
        hook: &'a Hook<'a>,
    ) -> Answer<'a, Result<Watch, Fault>>;

    /// Makes a watch live longer. `None`: this provider cannot, make a new one.
    fn renew<'a>(
        &'a self,
        account: &'a Account,
        watch: &'a Watch,
        life: i64,
    ) -> Answer<'a, Result<Option<Watch>, Fault>>;

    fn unwatch<'a>(
        &'a self,
        account: &'a Account,
        watch: &'a Watch,
    ) -> Answer<'a, Result<(), Fault>>;

    /// What the resources of one event mean. Pure.
    ///
    /// # Errors
    /// A [`Refusal`] when it cannot be said in iCalendar: the event is parked with that reason.
    fn read(&self, place: &Place, account: &str, items: &[Item]) -> Result<Read, Refusal>;
}
