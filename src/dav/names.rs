//! The XML names that several files here use, grouped by namespace. Names of one use stand where they are used.

use crate::xml::Name;

macro_rules! names {
    ($space:ident: $($id:ident = $local:literal),+ $(,)?) => {
        $(pub static $id: Name = Name::$space($local);)+
    };
}

/// `DAV:`
pub mod dav {
    use super::Name;
    names! { dav:
        MULTISTATUS = "multistatus", RESPONSE = "response", PROPSTAT = "propstat", PROP = "prop", STATUS = "status",
        ERROR = "error", RESPONSEDESCRIPTION = "responsedescription", HREF = "href", SYNC_TOKEN = "sync-token",
        PROPFIND = "propfind", ALLPROP = "allprop", PROPNAME = "propname", INCLUDE = "include",
        PROPERTYUPDATE = "propertyupdate", SET = "set", REMOVE = "remove", MKCOL = "mkcol",
        MKCOL_RESPONSE = "mkcol-response", RESOURCETYPE = "resourcetype", COLLECTION = "collection",
        PRINCIPAL = "principal", DISPLAYNAME = "displayname", LIMIT = "limit", NRESULTS = "nresults", SYNC_LEVEL = "sync-level", SYNC_COLLECTION = "sync-collection",
        ACE = "ace", GRANT = "grant", PRIVILEGE = "privilege",
        PROTECTED = "protected", PROPERTY = "property",
        SUPPORTED_REPORT = "supported-report", REPORT = "report", SUPPORTED_PRIVILEGE = "supported-privilege",
        DESCRIPTION = "description", MATCH = "match", SELF = "self",
        PROPERTY_SEARCH = "property-search", PRINCIPAL_PROPERTY = "principal-property", PRINCIPAL_SEARCH_PROPERTY = "principal-search-property",
        PRINCIPAL_SEARCH_PROPERTY_SET = "principal-search-property-set",
        NUMBER_OF_MATCHES_WITHIN_LIMITS = "number-of-matches-within-limits", RESOURCE = "resource",
        NEED_PRIVILEGES = "need-privileges",
    }
}

/// `urn:ietf:params:xml:ns:caldav`
pub mod cal {
    use super::Name;
    names! { caldav:
    CALENDAR = "calendar", CALENDAR_DATA = "calendar-data", CALENDAR_MULTIGET = "calendar-multiget",
    CALENDAR_QUERY = "calendar-query", FREE_BUSY_QUERY = "free-busy-query", FILTER = "filter",
    TIMEZONE = "timezone", TIMEZONE_ID = "timezone-id", TIME_RANGE = "time-range", MKCALENDAR = "mkcalendar",
    COMP = "comp",
    SUPPORTED_CALENDAR_COMPONENT_SET = "supported-calendar-component-set",
    CALENDAR_TIMEZONE = "calendar-timezone", OPAQUE = "opaque", TRANSPARENT = "transparent",
    }
}

/// `http://calendarserver.org/ns/`
pub mod cs {
    use super::Name;
    names! { cs:
        CALENDARSERVER_PRINCIPAL_SEARCH = "calendarserver-principal-search", SEARCH_TOKEN = "search-token",
        NOTIFICATION = "notification", CALENDAR_PROXY_READ = "calendar-proxy-read",
        CALENDAR_PROXY_WRITE = "calendar-proxy-write",
    }
}
