//! Live properties: one row each. PROPFIND, propname, allprop, PROPPATCH, MKCALENDAR, expand-property, the reports and
//! `supported-report-set` read this table; names that it lacks are dead properties.
//!
//! A getter writes from what was loaded; it never asks the store. `needs` says what has to be loaded for it.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::view::{Needs, On, Out, View};
use crate::model::{Privilege, Result};
use crate::xml::{Element, Name};

mod access;
mod calendars;
mod change;
mod general;
mod principals;

pub use access::privilege_names;
pub use calendars::{ADD_MEMBER, DATE_TIMES};
pub use change::{Change, component_set, is_calendar, zone_of_text};
pub use general::OBJECT_TYPE;

/// One live property.
pub struct Prop {
    pub name: Name,
    /// Where it is defined.
    pub spec: &'static str,
    /// Resources that may have it.
    pub on: On,
    pub needs: Needs,
    /// `None`: this resource does not have it after all.
    pub get: fn(&View, Out) -> Option<()>,
    /// Part of allprop (RFC 4918 §9.1: the properties of that RFC; the others only by name).
    pub in_allprop: bool,
    /// Without this privilege the answer is a 403 propstat.
    pub privilege: Option<Privilege>,
    /// Absent: protected.
    pub set: Option<Set>,
    /// Everybody who may read the calendar has an own value, whose owner's is the default.
    pub personal: bool,
    /// May be given when the calendar is made, though not changed.
    pub at_creation: bool,
}

/// Reads a new value; `None` is the property's removal.
pub type Set = fn(Option<&Element>) -> Result<Change>;

impl Prop {
    const fn new(
        name: Name,
        spec: &'static str,
        on: On,
        get: fn(&View, Out) -> Option<()>,
    ) -> Prop {
        Prop {
            name,
            spec,
            on,
            needs: Needs::NOTHING,
            get,
            in_allprop: false,
            privilege: None,
            set: None,
            personal: false,
            at_creation: false,
        }
    }

    /// A property whose value is what a client stored.
    const fn stored(name: Name, spec: &'static str, on: On) -> Prop {
        Prop::new(name, spec, on, |view, out| out.stored(view))
            .needs(Needs::STORED)
            .writable(change::keep)
    }

    const fn needs(mut self, needs: Needs) -> Prop {
        self.needs = needs;
        self
    }

    const fn in_allprop(mut self) -> Prop {
        self.in_allprop = true;
        self
    }

    const fn guarded(mut self, privilege: Privilege) -> Prop {
        self.privilege = Some(privilege);
        self
    }

    const fn writable(mut self, set: Set) -> Prop {
        self.set = Some(set);
        self
    }

    const fn personal(mut self) -> Prop {
        self.personal = true;
        self
    }

    const fn at_creation(mut self) -> Prop {
        self.at_creation = true;
        self
    }
}

/// The live property of this name.
pub fn find(name: &Name) -> Option<&'static Prop> {
    static BY_NAME: LazyLock<HashMap<&'static Name, &'static Prop>> =
        LazyLock::new(|| LIVE.iter().map(|prop| (&prop.name, prop)).collect());
    BY_NAME.get(name).copied()
}

pub static LIVE: &[Prop] = &[
    // RFC 4918
    Prop::new(
        Name::dav("resourcetype"),
        "RFC 4918 §15.9",
        On::ALL,
        general::resourcetype,
    )
    .in_allprop()
    .at_creation(),
    Prop::new(
        Name::dav("displayname"),
        "RFC 4918 §15.2",
        On::ALL,
        general::displayname,
    )
    .needs(Needs::STORED)
    .in_allprop()
    .writable(change::keep)
    .personal(),
    Prop::new(
        Name::dav("getetag"),
        "RFC 4918 §15.6",
        On::OBJECT,
        |view, out| out.etag(view.object()?.etag),
    )
    .in_allprop(),
    Prop::new(
        Name::dav("getcontenttype"),
        "RFC 4918 §15.5",
        On::OBJECT.or(On::CALENDAR),
        general::getcontenttype,
    )
    .in_allprop(),
    Prop::new(
        Name::dav("getcontentlength"),
        "RFC 4918 §15.4",
        On::OBJECT,
        |view, out| out.number(view.object()?.size),
    )
    .needs(Needs::MEMBER)
    .in_allprop(),
    Prop::new(
        Name::dav("getlastmodified"),
        "RFC 4918 §15.7",
        On::OBJECT.or(On::CALENDAR),
        general::getlastmodified,
    )
    .needs(Needs::MEMBER)
    .in_allprop(),
    Prop::new(
        Name::dav("creationdate"),
        "RFC 4918 §15.1",
        On::OBJECT.or(On::CALENDAR).or(On::HOMELY),
        general::creationdate,
    )
    .needs(Needs::MEMBER)
    .in_allprop(),
    // RFC 3253, 5842, 5995, 6578, 4331 and ctag
    Prop::new(
        Name::dav("supported-report-set"),
        "RFC 3253 §3.1.5",
        On::ALL,
        general::supported_report_set,
    ),
    Prop::new(
        Name::dav("supported-method-set"),
        "RFC 3253 §3.1.3",
        On::ALL,
        general::supported_method_set,
    ),
    Prop::new(
        Name::dav("resource-id"),
        "RFC 5842 §3.1",
        On::PRINCIPAL.or(On::HOMELY).or(On::CALENDAR),
        general::resource_id,
    ),
    Prop::new(
        Name::dav("add-member"),
        "RFC 5995 §3.2.1",
        On::CALENDAR,
        calendars::add_member,
    ),
    Prop::new(
        Name::dav("sync-token"),
        "RFC 6578 §4",
        On::SYNCED,
        general::sync_token,
    )
    .needs(Needs::HOME_STATE),
    Prop::new(
        Name::cs("getctag"),
        "caldav-ctag §4.1",
        On::SYNCED,
        general::sync_token,
    )
    .needs(Needs::HOME_STATE),
    Prop::new(
        Name::dav("quota-used-bytes"),
        "RFC 4331 §4",
        On::CALENDAR.or(On::HOME),
        general::quota_used,
    )
    .needs(Needs::USAGE),
    // RFC 3744, 5397
    Prop::new(
        Name::dav("current-user-principal"),
        "RFC 5397 §3",
        On::ALL,
        principals::current_user_principal,
    ),
    Prop::new(
        Name::dav("principal-collection-set"),
        "RFC 3744 §5.8",
        On::ALL,
        principals::principal_collection_set,
    ),
    Prop::new(
        Name::dav("owner"),
        "RFC 3744 §5.1",
        On::OWNED,
        access::owner,
    ),
    Prop::new(
        Name::dav("supported-privilege-set"),
        "RFC 3744 §5.3",
        On::ALL,
        access::supported_privilege_set,
    ),
    Prop::new(
        Name::dav("current-user-privilege-set"),
        "RFC 3744 §5.4",
        On::ALL,
        access::current_user_privilege_set,
    )
    .guarded(Privilege::ReadCurrentUserPrivilegeSet),
    Prop::new(Name::dav("acl"), "RFC 3744 §5.5", On::ALL, access::acl)
        .needs(Needs::GRANTS)
        .guarded(Privilege::ReadAcl),
    Prop::new(
        Name::dav("acl-restrictions"),
        "RFC 3744 §5.6",
        On::ALL,
        access::acl_restrictions,
    ),
    Prop::new(
        Name::dav("inherited-acl-set"),
        "RFC 3744 §5.7",
        On::ALL,
        access::inherited_acl_set,
    ),
    Prop::new(
        Name::dav("principal-URL"),
        "RFC 3744 §4.2",
        On::PRINCIPAL.or(On::PROXY),
        principals::principal_url,
    ),
    Prop::new(
        Name::dav("alternate-URI-set"),
        "RFC 3744 §4.1",
        On::PRINCIPAL.or(On::PROXY),
        principals::alternate_uri_set,
    ),
    Prop::new(
        Name::dav("group-member-set"),
        "RFC 3744 §4.3",
        On::PRINCIPAL.or(On::PROXY),
        principals::group_member_set,
    )
    .needs(Needs::GROUP_MEMBERS),
    Prop::new(
        Name::dav("group-membership"),
        "RFC 3744 §4.4",
        On::PRINCIPAL.or(On::PROXY),
        principals::group_membership,
    )
    .needs(Needs::GROUPS),
    // CalDAV principals
    Prop::new(
        Name::caldav("calendar-home-set"),
        "RFC 4791 §6.2.1",
        On::PRINCIPAL,
        principals::calendar_home_set,
    ),
    Prop::new(
        Name::caldav("calendar-user-address-set"),
        "RFC 6638 §2.4.1",
        On::PRINCIPAL,
        principals::addresses,
    ),
    Prop::new(
        Name::caldav("calendar-user-type"),
        "RFC 6638 §2.4.2",
        On::PRINCIPAL,
        principals::calendar_user_type,
    ),
    Prop::new(
        Name::cs("email-address-set"),
        "CalendarServer",
        On::PRINCIPAL,
        principals::email_address_set,
    ),
    Prop::new(
        Name::cs("first-name"),
        "CalendarServer",
        On::PRINCIPAL,
        principals::first_name,
    ),
    Prop::new(
        Name::cs("last-name"),
        "CalendarServer",
        On::PRINCIPAL,
        principals::last_name,
    ),
    Prop::new(
        Name::cs("record-type"),
        "CalendarServer",
        On::PRINCIPAL,
        principals::record_type,
    ),
    Prop::new(
        Name::cs("calendar-proxy-read-for"),
        "caldav-proxy §5.3.1",
        On::PRINCIPAL,
        |_, out| out.empty(),
    ),
    Prop::new(
        Name::cs("calendar-proxy-write-for"),
        "caldav-proxy §5.3.2",
        On::PRINCIPAL,
        |_, out| out.empty(),
    ),
    // Calendars
    Prop::stored(
        Name::caldav("calendar-description"),
        "RFC 4791 §5.2.1",
        On::CALENDAR,
    )
    .personal(),
    Prop::new(
        Name::caldav("calendar-timezone"),
        "RFC 4791 §5.2.2",
        On::CALENDAR,
        calendars::timezone,
    )
    .needs(Needs::STORED)
    .writable(change::timezone),
    Prop::new(
        Name::caldav("calendar-timezone-id"),
        "RFC 7809 §5.2",
        On::CALENDAR,
        calendars::timezone_id,
    )
    .writable(change::timezone_id),
    Prop::new(
        Name::caldav("supported-calendar-component-set"),
        "RFC 4791 §5.2.3",
        On::CALENDAR,
        calendars::component_set,
    )
    .at_creation(),
    Prop::new(
        Name::caldav("supported-calendar-component-sets"),
        "CalendarServer",
        On::HOME,
        calendars::component_sets,
    ),
    Prop::new(
        Name::caldav("supported-calendar-data"),
        "RFC 4791 §5.2.4",
        On::CALENDAR,
        calendars::supported_data,
    ),
    Prop::new(
        Name::caldav("supported-collation-set"),
        "RFC 4791 §7.5.1",
        On::CALENDAR.or(On::HOME),
        calendars::collations,
    ),
    Prop::new(
        Name::caldav("max-resource-size"),
        "RFC 4791 §5.2.5",
        On::CALENDAR,
        |view, out| out.number(view.desk.limits.object_bytes as i64),
    ),
    Prop::new(
        Name::caldav("min-date-time"),
        "RFC 4791 §5.2.6",
        On::CALENDAR,
        |_, out| out.text(calendars::MIN_DATE_TIME),
    ),
    Prop::new(
        Name::caldav("max-date-time"),
        "RFC 4791 §5.2.7",
        On::CALENDAR,
        |_, out| out.text(calendars::MAX_DATE_TIME),
    ),
    Prop::new(
        Name::caldav("max-attendees-per-instance"),
        "RFC 4791 §5.2.9",
        On::CALENDAR,
        |view, out| out.number(view.desk.limits.attendees as i64),
    ),
    Prop::new(
        Name::caldav("schedule-calendar-transp"),
        "RFC 6638 §9.1",
        On::CALENDAR,
        calendars::transparency,
    )
    .writable(change::transparency),
    Prop::new(
        Name::caldav("schedule-tag"),
        "RFC 6638 §9.3",
        On::OBJECT,
        |view, out| out.etag(view.object()?.schedule_tag?),
    )
    .needs(Needs::MEMBER),
    // Apple's, kept for each person
    Prop::stored(Name::apple("calendar-color"), "Apple", On::CALENDAR).personal(),
    Prop::stored(Name::apple("calendar-order"), "Apple", On::CALENDAR).personal(),
    Prop::stored(
        Name::caldav("calendar-free-busy-set"),
        "caldav-sched draft",
        On::HOME.or(On::INBOX),
    ),
    Prop::stored(
        Name::caldav("default-alarm-vevent-date"),
        "CalendarServer",
        On::HOME.or(On::CALENDAR),
    )
    .personal(),
    Prop::stored(
        Name::caldav("default-alarm-vevent-datetime"),
        "CalendarServer",
        On::HOME.or(On::CALENDAR),
    )
    .personal(),
    Prop::stored(
        Name::caldav("default-alarm-vtodo-date"),
        "CalendarServer",
        On::HOME.or(On::CALENDAR),
    )
    .personal(),
    Prop::stored(
        Name::caldav("default-alarm-vtodo-datetime"),
        "CalendarServer",
        On::HOME.or(On::CALENDAR),
    )
    .personal(),
];
