//! The tables as data, for backups. A test compares this with both databases.

use Kind::{Bytes, Int, Text};

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Int,
    Text,
    Bytes,
}
/// A table of the schema.
pub(super) struct Table {
    pub name: &'static str,
    pub columns: &'static [(&'static str, Kind)],
    /// Ids come from the database, which has to know which were given out.
    pub numbered: bool,
}

macro_rules! tables {
    ($($name:literal $(, $numbered:ident)?: $($column:ident $kind:ident),+;)+) => {
        &[$(Table {
            name: $name,
            columns: &[$((stringify!($column), $kind)),+],
            numbered: false $(|| stringify!($numbered).len() > 0)?,
        }),+]
    };
}

#[rustfmt::skip]
pub(super) const TABLES: &[Table] = tables![
    "meta": name Text, value Text;
    "principal", numbered: id Int, kind Text, name Text, display_name Text, password Text, admin Int, second_factor Int,
        seq Int, created Int, disabled Int;
    "principal_address": address Text, principal_id Int, position Int;
    "principal_alias": name Text, principal_id Int;
    "membership": group_id Int, member_id Int;
    "calendar", numbered: id Int, owner_id Int, kind Text, components Text, timezone Text, transparent Int, seq Int,
        props_seq Int, pruned_seq Int, objects Int, bytes Int, created Int, modified Int, deleted Int;
    "binding": home_id Int, slug Text, calendar_id Int, seq Int;
    "binding_removed": home_id Int, slug Text, seq Int;
    "access_grant": calendar_id Int, principal_id Int, level Int, created Int;
    "object_body", numbered: id Int, calendar_id Int, name Text, body Bytes;
    "object": calendar_id Int, name Text, id Int, uid Text, component Text, etag Text, schedule_tag Text, seq Int,
        born_seq Int, size Int, created Int, modified Int, starts Int, ends Int, indexed_from Int, indexed_to Int,
        needs_object Int, session Int, occurrences Text;
    "object_removed": calendar_id Int, name Text, seq Int, born_seq Int, at Int;
    "occurrence": calendar_id Int, span Int, starts Int, object_id Int, rid Int, ends Int, busy Int;
    "property": owner_kind Text, owner_id Int, principal_id Int, name Text, value Text;
    "object_version", numbered: id Int, calendar_id Int, name Text, uid Text, etag Text, action Text, door Text,
        principal_id Int, at Int, body Bytes;
    "credential", numbered: id Int, kind Text, principal_id Int, label Text, hash Text, scopes Text, created Int,
        last_used Int, revoked Int;
    "feed", numbered: id Int, principal_id Int, token_hash Text, token_sealed Bytes, privacy Text, comment Text,
        past_days Int, future_days Int, expires Int, revoked Int, last_fetch Int, last_agent Text, created Int;
    "feed_calendar": feed_id Int, calendar_id Int;
    "connection", numbered: id Int, principal_id Int, provider Text, account Text, label Text, name Text, secret Bytes,
        secret_seq Int, scopes Text, health Text, reason Text, told Int, created Int, last_success Int, failures Int,
        not_before Int, listed Int, lease Int, fence Int,
        refreshing Int;
    "oauth_flow": state_hash Text, principal_id Int, provider Text, connection_id Int, verifier Bytes, bound Text,
        return_to Text, expires Int;
    "remote_calendar", numbered: id Int, connection_id Int, remote_id Text, name Text, color Text, zone Text,
        writable Int, is_primary Int, gone Int, extra Text;
    "link", numbered: id Int, calendar_id Int, remote_calendar_id Int, connection_id Int, direction Text, privacy
        Text, title_template Text, description_template Text, auto_create Int, auto_update Int, conflict Text, guests
        Text, poll_interval Int, state Text, reason Text, cursor Bytes, page Bytes, listing Int, listing_no Int,
        local_seq Int, last_sync Int, next_sync Int, poll_at Int, nudged Int, watch_at Int,
        poked Int, approved Int, created Int;
    "unit": link_id Int, uid Text, name Text, remote_id Text, generation Int, ours_etag Text, base_ours Bytes,
        base_theirs Bytes, theirs_hash Text, losses Text, wanted Int, held Int, dirty Int, attempts Int, retry_at Int,
        parked Text, reason Text, settled Int, received Int;
    "remote_item": link_id Int, remote_id Text, series Text, uid Text, stamp Text, doc Bytes, seen Int;
    "watch", numbered: id Int, connection_id Int, link_id Int, provider Text, watch_id Text, resource Text,
        secret_hash Text, expires Int, state Text;
    "sync_run", numbered: id Int, link_id Int, cause Text, started Int, ended Int, counts Text, fault Text, undone
        Int;
    "sync_step": run_id Int, n Int, uid Text, side Text, action Text, before Bytes, after Bytes, at Int;
    "sync_conflict", numbered: id Int, link_id Int, uid Text, at Int, fields Text, ours Bytes, theirs Bytes;
];
