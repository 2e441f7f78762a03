-- Bridges: accounts at providers, their calendars, and the links that keep local calendars in step with them.

-- An account at a provider. `account` is the provider's own id of it, compared on reconnect. Secrets are sealed.
create table connection (
  id           integer primary key autoincrement,
  principal_id integer not null references principal(id) on delete cascade,
  provider     text not null,
  account      text not null,
  label        text not null,
  name         text not null default '',         -- what its owner calls it; '' = the label
  secret       blob not null,                    -- sealed: tokens, or user name and password, or a secret address
  secret_seq   integer not null default 0,       -- counts its changes, so that a late refresh does not undo a newer one
  scopes       text not null default '',
  health       text not null default 'ok',       -- ok | reconnect | paused | operator
  reason       text not null default '',
  told         integer not null default 0,       -- 1: the owner was told of the present trouble
  created      integer not null,
  last_success integer,
  failures     integer not null default 0,
  not_before   integer not null default 0,
  listed       integer,                          -- when its calendars were last listed
  lease        integer not null default 0,       -- a server works on it until then
  fence        integer not null default 0,        -- counts leases: who lost one changes nothing
  refreshing   integer not null default 0        -- a server renews its tokens until then
) strict;
create unique index connection_once on connection(principal_id, provider, account);

-- An authorization that was begun: the single-use `state` by its hash, bound to who began it.
create table oauth_flow (
  state_hash    text primary key not null,
  principal_id  integer not null references principal(id) on delete cascade,
  provider      text not null,
  connection_id integer,                         -- a reconnect of this one
  verifier      blob not null,                   -- sealed PKCE verifier
  bound         text not null,                   -- hash of the cookie of the browser that began it
  return_to     text not null default '',
  expires       integer not null
) strict, without rowid;

create table remote_calendar (
  id            integer primary key autoincrement,
  connection_id integer not null references connection(id) on delete cascade,
  remote_id     text not null,
  name          text not null,
  color         text not null default '',
  zone          text not null default '',
  writable      integer not null default 0,
  is_primary    integer not null default 0,
  gone          integer not null default 0,
  extra         text not null default ''
) strict;
create unique index remote_calendar_once on remote_calendar(connection_id, remote_id);

-- Local calendar <-> remote calendar. `cursor` is saved in one transaction with the data that it stands for.
create table link (
  id                   integer primary key autoincrement,
  calendar_id          integer not null references calendar(id) on delete cascade,
  remote_calendar_id   integer not null references remote_calendar(id) on delete cascade,
  connection_id        integer not null references connection(id) on delete cascade,
  direction            text not null,            -- pull | push | both | busy
  privacy              text not null,            -- full | titles | busy
  title_template       text not null default '',
  description_template text not null default '',
  auto_create          integer not null default 1,
  auto_update          integer not null default 1,
  conflict             text not null default 'theirs',
  guests               text not null default 'never',
  poll_interval        integer not null,
  state                text not null default 'active',
  reason               text not null default '',
  cursor               blob,
  page                 blob,                     -- where a listing that spans runs goes on
  listing              integer not null default 0, -- 1: that listing names everything; what it does not name is gone
  listing_no           integer not null default 0, -- counts full listings, see remote_item.seen
  local_seq            integer not null default 0,
  last_sync            integer,
  next_sync            integer not null default 0,                -- when it runs next, for whatever reason
  poll_at              integer not null default 0,                -- when theirs are asked for next
  nudged               integer not null default 0,                -- 1: something was changed here
  watch_at             integer not null default 0,                -- when its webhook is to be made or renewed
  poked                integer,
  approved             integer not null default 0, -- 1: the owner said yes to what the breaker asked
  created              integer not null
) strict;
create unique index link_once on link(calendar_id, remote_calendar_id);
create index link_calendar on link(calendar_id);
create index link_connection on link(connection_id);
create index link_next on link(next_sync);

-- The mapping: one event of a link, and what both sides last agreed on (the base). Its rows with dirty > 0 are the
-- durable queue. base_ours is our text as it then was, base_theirs the reading of theirs: each side is compared with its own.
create table unit (
  link_id     integer not null references link(id) on delete cascade,
  uid         text not null,
  name        text not null default '',          -- of the local object; '' = none here
  remote_id   text not null default '',          -- of the master there; '' = none there
  generation  integer not null default 0,        -- counts creations there, so that a new one gets a new key
  ours_etag   text not null default '',          -- of base_ours
  base_ours   blob,
  base_theirs blob,
  theirs_hash text not null default '',          -- canonical digest of base_theirs
  losses      text not null default '[]',        -- the fidelity ledger, JSON
  wanted      integer not null default -1,       -- a session's own choice: 1 sync, 0 do not, -1 as the link says
  held        integer not null default 0,        -- 1: undone; stays as it is until either side changes
  dirty       integer not null default 0,        -- counts marks since it was last settled; 0 = settled
  attempts    integer not null default 0,
  retry_at    integer not null default 0,
  parked      text not null default '',          -- a stable word: why it is not tried any more
  reason      text not null default '',
  settled     integer,
  received    integer not null default 0,        -- when a change of theirs last came in, for the policy `newest`
  primary key (link_id, uid)
) strict, without rowid;
create index unit_dirty on unit(link_id, retry_at) where dirty > 0 and parked = '';
create index unit_name on unit(link_id, name) where name <> '';
create index unit_remote on unit(link_id, remote_id) where remote_id <> '';

-- Every resource of the remote calendar as it was last seen, unknown keys included.
create table remote_item (
  link_id   integer not null references link(id) on delete cascade,
  remote_id text not null,
  series    text not null default '',            -- of an exception: its master
  uid       text not null default '',            -- of the unit that it belongs to; '' = belongs to none (skipped)
  stamp     text not null default '',
  doc       blob not null,
  seen      integer not null default 0,          -- listing_no when a listing last named it; -1: written by us, and not named yet
  primary key (link_id, remote_id)
) strict, without rowid;
create index remote_item_series on remote_item(link_id, series) where series <> '';
create index remote_item_uid on remote_item(link_id, uid);
-- What we wrote there and no listing has named since: made and removed between two looks, it is in neither.
create index remote_item_unconfirmed on remote_item(link_id) where seen < 0;

-- Webhooks that a provider promised to call.
create table watch (
  id            integer primary key autoincrement,
  connection_id integer not null references connection(id) on delete cascade,
  link_id       integer,                         -- none: of a link that is gone; it is to be stopped
  provider      text not null,
  watch_id      text not null,                   -- the provider's
  resource      text not null default '',
  secret_hash   text not null,
  expires       integer not null,
  state         text not null default 'live'     -- live | old (replaced, to be stopped)
) strict;
create unique index watch_once on watch(provider, watch_id);
create index watch_link on watch(link_id);

create table sync_run (
  id       integer primary key autoincrement,
  link_id  integer not null references link(id) on delete cascade,
  cause    text not null,                        -- poll | webhook | local | asked | undo
  started  integer not null,
  ended    integer,
  counts   text not null default '{}',           -- JSON
  fault    text not null default '',
  undone   integer
) strict;
create index sync_run_link on sync_run(link_id, id);

-- What a run did, so that it can be undone.
create table sync_step (
  run_id  integer not null references sync_run(id) on delete cascade,
  n       integer not null,
  uid     text not null,
  side    text not null,                         -- ours | theirs
  action  text not null,                         -- create | update | delete
  before  blob,                                  -- that side's text before; none: there was nothing
  after   blob,
  at      integer not null,
  primary key (run_id, n)
) strict, without rowid;

-- Fields that both sides had changed: what won, and what lost and is kept.
create table sync_conflict (
  id      integer primary key autoincrement,
  link_id integer not null references link(id) on delete cascade,
  uid     text not null,
  at      integer not null,
  fields  text not null,                         -- JSON: rid, property, base, ours, theirs, kept
  ours    blob not null,                         -- the whole texts
  theirs  blob not null
) strict;
create index sync_conflict_link on sync_conflict(link_id, id);
