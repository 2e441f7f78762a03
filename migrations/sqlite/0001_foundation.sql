-- Times are whole seconds since 1970-01-01T00:00:00Z unless a column says otherwise; flags are 0 or 1.
-- Same tables and columns as ../postgres/0001_foundation.sql: a test compares the two.
-- `autoincrement` where an id is seen outside (sync tokens name the calendar's): it is never given out twice.

-- One row a fact about the whole installation (keys for hashed UIDs, server id).
create table meta (
  name  text primary key not null,
  value text not null
) strict, without rowid;

-- Users, groups and resources (rooms). `seq` numbers changes of the calendar home: which calendars are bound there.
create table principal (
  id            integer primary key autoincrement,
  kind          text not null,                    -- user | group | resource
  name          text not null unique,             -- in addresses; may change, see principal_alias
  display_name  text not null,
  password      text,                             -- argon2id PHC string; none: app passwords only
  admin         integer not null default 0,
  second_factor integer not null default 0,       -- 1: DAV takes app passwords only
  seq           integer not null default 0,
  created       integer not null,
  disabled      integer                           -- since when; none: active
) strict;

-- Calendar user addresses: mail addresses, lower case, without spaces. The first one is the address shown.
create table principal_address (
  address      text primary key not null,
  principal_id integer not null references principal(id) on delete cascade,
  position     integer not null default 0
) strict, without rowid;
create index principal_address_owner on principal_address(principal_id, position);

-- Former names, so that old addresses redirect after `user rename`.
create table principal_alias (
  name         text primary key not null,
  principal_id integer not null references principal(id) on delete cascade
) strict, without rowid;
create index principal_alias_owner on principal_alias(principal_id);

create table membership (
  group_id  integer not null references principal(id) on delete cascade,
  member_id integer not null references principal(id) on delete cascade,
  primary key (group_id, member_id)
) strict, without rowid;
create index membership_member on membership(member_id, group_id);

-- A calendar has an id of its own; where it appears is a binding. `seq` is its sync number and the lock of its
-- writers; `props_seq` numbers property changes, which the home's sync token sees and the calendar's does not.
create table calendar (
  id          integer primary key autoincrement,
  owner_id    integer not null references principal(id),
  kind        text not null default 'calendar',   -- calendar | sessions
  components  text not null default 'VEVENT,VTODO,VJOURNAL',
  timezone    text not null default '',           -- IANA name, or a whole VTIMEZONE document; '' = UTC
  transparent integer not null default 0,         -- schedule-calendar-transp
  seq         integer not null default 0,
  props_seq   integer not null default 0,
  pruned_seq  integer not null default 0,         -- tokens below are refused with valid-sync-token
  objects     integer not null default 0,
  bytes       integer not null default 0,
  created     integer not null,
  modified    integer not null,
  deleted     integer                             -- since when it is in the trash (unbound, kept for trash_days)
) strict;
create index calendar_owner on calendar(owner_id, kind);
create index calendar_trash on calendar(deleted) where deleted is not null;

-- (home, slug) -> calendar. The owner's binding and those of sharees are rows of one table.
create table binding (
  home_id     integer not null references principal(id) on delete cascade,
  slug        text not null,
  calendar_id integer not null references calendar(id) on delete cascade,
  seq         integer not null,                   -- the home's seq when it was bound
  primary key (home_id, slug)
) strict, without rowid;
create index binding_calendar on binding(calendar_id);

-- Slugs that were unbound, for the home's sync.
create table binding_removed (
  home_id integer not null references principal(id) on delete cascade,
  slug    text not null,
  seq     integer not null,
  primary key (home_id, slug)
) strict, without rowid;

-- Rights on a calendar for others than its owner. level: 1 free/busy, 2 read, 3 write, 4 manage.
create table access_grant (
  calendar_id  integer not null references calendar(id) on delete cascade,
  principal_id integer not null references principal(id) on delete cascade,
  level        integer not null,
  created      integer not null,
  primary key (calendar_id, principal_id)
) strict, without rowid;
create index access_grant_principal on access_grant(principal_id);

-- The tables of objects have no foreign keys: each would cost a lookup on every write. Rows go away with
-- their calendar in one place (store/retention.rs), and `verify` looks for strays.

-- What is known of a calendar object resource, apart from its text. Clustered by name, so that listing a calendar
-- reads neighbouring pages and no texts. `seq` is the calendar's seq of its last change.
create table object (
  calendar_id  integer not null,
  name         text not null,
  id           integer not null,                  -- of its text, its occurrences and its properties
  uid          text not null,
  component    text not null,
  etag         text not null,
  schedule_tag text,
  seq          integer not null,
  born_seq     integer not null,                  -- the calendar's seq when the name appeared, be it with an earlier object
  size         integer not null,
  created      integer not null,
  modified     integer not null,
  starts       integer,                           -- extent over all instances, widened by a day where local; none: unbounded
  ends         integer,
  indexed_from integer,                           -- occurrences are indexed from here on; none: from the first
  indexed_to   integer,                           -- occurrences are indexed up to here; none: all of them are
  needs_object integer not null default 0,        -- 1: the occurrence index alone may not answer for it
  session      integer not null default 0,        -- 1: has session fields, which a client's PUT may drop and we carry forward
  occurrences  text not null default '',          -- digest of its occurrence rows: unchanged ones are not rewritten
  primary key (calendar_id, name)
) strict, without rowid;
create unique index object_uid on object(calendar_id, uid);
create unique index object_seq on object(calendar_id, seq);
-- Objects that a question about a range must ask themselves: always, or beyond what is indexed.
create index object_unindexed on object(calendar_id, needs_object) where needs_object > 0;
create index object_horizon on object(calendar_id, indexed_to) where indexed_to is not null;
create index object_past on object(calendar_id, indexed_from) where indexed_from is not null;

-- The text itself, byte for byte, with the key of its object.
create table object_body (
  id          integer primary key,
  calendar_id integer not null,
  name        text not null,
  body        blob not null
) strict;

-- Names that were removed, for sync.
create table object_removed (
  calendar_id integer not null,
  name        text not null,
  seq         integer not null,
  born_seq    integer not null,                   -- tokens older than this never knew the name
  at          integer not null,
  primary key (calendar_id, name)
) strict, without rowid;
create unique index object_removed_seq on object_removed(calendar_id, seq);
create index object_removed_at on object_removed(at);

-- Instances of objects. `span` is a length class (see store/occurrences.rs), so that a range query reads a few short
-- index ranges whatever the length of the longest event. Odd classes are local: times are civil seconds, as if UTC.
create table occurrence (
  calendar_id integer not null,
  span        integer not null,
  starts      integer not null,
  object_id   integer not null,
  rid         integer not null,                   -- the instance's original start
  ends        integer not null,
  busy        integer not null,                   -- 0 free, 1 busy, 2 tentative, 3 unavailable
  primary key (calendar_id, span, starts, object_id, rid)
) strict, without rowid;
create index occurrence_object on occurrence(object_id);

-- WebDAV properties that are stored as XML. owner_kind: principal | home | calendar | object | inbox | outbox | notifications.
-- principal_id 0 holds for everybody, else it is that person's own value.
create table property (
  owner_kind   text not null,
  owner_id     integer not null,
  principal_id integer not null default 0,
  name         text not null,                     -- {namespace}local
  value        text not null,                     -- a self-contained XML element
  primary key (owner_kind, owner_id, principal_id, name)
) strict, without rowid;

-- Versions that were replaced or deleted.
create table object_version (
  id           integer primary key autoincrement,
  calendar_id  integer not null,
  name         text not null,
  uid          text not null,
  etag         text not null,
  action       text not null,                     -- replaced | deleted | moved
  door         text not null,                     -- caldav | api | import | restore | bridge | booking: through which it ended
  principal_id integer,                           -- who
  at           integer not null,
  body         blob not null
) strict;
create index object_version_name on object_version(calendar_id, name, id);
create index object_version_at on object_version(at);

-- Secrets that programs and devices type in: 160 random bits, kept as a hash only.
-- kind: app_password | api_token.
create table credential (
  id           integer primary key autoincrement,
  kind         text not null,
  principal_id integer not null references principal(id) on delete cascade,
  label        text not null,
  hash         text not null unique,              -- SHA-256, hex
  scopes       text not null default '',
  created      integer not null,
  last_used    integer,
  revoked      integer
) strict;
create index credential_principal on credential(principal_id, kind);

create table feed (
  id           integer primary key autoincrement,
  principal_id integer not null references principal(id) on delete cascade,
  token_hash   text not null unique,
  token_sealed blob not null,                     -- so that its owner can see the address again
  privacy      text not null,                     -- full | titles | busy
  comment      text not null default '',
  past_days    integer,                           -- window; none: unlimited
  future_days  integer,
  expires      integer,
  revoked      integer,
  last_fetch   integer,
  last_agent   text,
  created      integer not null
) strict;
create index feed_principal on feed(principal_id);

create table feed_calendar (
  feed_id     integer not null references feed(id) on delete cascade,
  calendar_id integer not null references calendar(id) on delete cascade,
  primary key (feed_id, calendar_id)
) strict, without rowid;
create index feed_calendar_calendar on feed_calendar(calendar_id);
