"""Connections and links of one user by the JSON API, and what events mean whichever server wrote them."""

import json
import time
from dataclasses import dataclass
from urllib.parse import quote

from icalendar import Calendar as Parsed

from kalends import Calendar, Http

#: Bookkeeping that each server writes for itself, and the marks of mirrors.
OWN = {"DTSTAMP", "CREATED", "LAST-MODIFIED", "SEQUENCE", "X-KALENDS-MIRROR"}


def meaning(text):
    """{recurrence id: its properties} of one object; times as instants of their zone, lists without order."""
    found = {}
    for event in Parsed.from_ical(text).walk("VEVENT"):
        lines = sorted(line for name, value in event.property_items(recursive=False)
                       if name not in OWN | {"BEGIN", "END"} for line in said(name, value))
        alarms = sorted(sorted(str(pair) for pair in alarm.property_items(recursive=False)) for alarm in event.walk("VALARM"))
        rid = event.get("RECURRENCE-ID")
        found[str(rid.dt) if rid else ""] = lines + alarms
    return found


def said(name, value):
    """One property; EXDATE may be one line or several."""
    if hasattr(value, "dts"):
        return [f"{name} {one.dt}" for one in value.dts]
    if hasattr(value, "dt"):
        return [f"{name} {value.dt} {getattr(value.dt, 'tzinfo', None)}"]
    if name == "RRULE":
        return [f"{name} {sorted((key, value) for key, value in value.items())}"]
    return [f"{name} {value}"]


def by_uid(texts):
    """{UID: meaning}; a UID that is there twice is a failure."""
    found = {}
    for text in texts:
        uid = str(next(iter(Parsed.from_ical(text).walk("VEVENT"))).get("UID"))
        assert uid not in found, f"{uid} is there twice"
        found[uid] = meaning(text)
    return found


@dataclass
class Bridge:
    """The API as one user, and that user's calendars."""

    server: object
    user: object
    token: str

    def ask(self, method, path, body=None, expect=(200, 201, 202, 204), **headers):
        text = None if body is None else json.dumps(body)
        kind = {"Content_Type": "application/json"} if body is not None else {}
        reply = Http(self.server.port).ask(method, "/api/v1" + path, text, Authorization=f"Bearer {self.token}", **kind, **headers)
        found = json.loads(reply.body) if reply.body and "json" in reply.headers.get("content-type", "") else None
        assert reply.status in expect, (method, path, reply.status, reply.body[:800])
        return found if len(expect) > 1 else (reply, found)

    def connect(self, url, account):
        return self.ask("POST", "/connections", {"provider": "caldav", "url": url, "username": account.user,
                                                 "password": account.password})

    def remote(self, connection, name):
        all_ = self.ask("POST", f"/connections/{connection['id']}:refresh")
        return next(one for one in all_ if one["name"].split("/")[-1] == name)

    def link(self, remote, calendar=None, **settings):
        target = {"calendar": calendar} if calendar else {}
        return self.ask("POST", "/links", {"remote_calendar": remote["id"], "direction": "both"} | target | settings)

    def sync(self, link):
        """Syncs until a run is through and nothing waits; what is parked or broken is a failure."""
        deadline = time.monotonic() + 60
        while True:
            done = self.ask("POST", f"/links/{link['id']}:sync")  # nothing: the account is being worked on
            seen = self.ask("GET", f"/links/{link['id']}")
            assert not seen["status"]["parked"] and seen["state"] == "active", (seen, self.ask("GET", f"/links/{link['id']}/queue"))
            assert not done or not (done["fault"] or done["asked"]), done
            if done and not seen["status"]["waiting"]:
                return seen
            assert time.monotonic() < deadline, (seen, self.ask("GET", f"/links/{link['id']}/queue"))
            time.sleep(0.1)

    def calendar(self, slug):
        return Calendar(self.server, self.user, slug)

    def texts(self, slug):
        here = self.calendar(slug)
        return {href: here.http.ask("GET", href).body.decode() for href in here.etags()}

    def edit(self, slug, uid, change):
        """Changes the text of an event as a calendar client would."""
        href, text = next((href, text) for href, text in self.texts(slug).items() if f"UID:{uid}\r\n" in text)
        here = self.calendar(slug)
        tag = here.http.ask("GET", href).headers["etag"]
        changed = change(text)
        assert changed != text
        reply = here.http.ask("PUT", href, changed, If_Match=tag, Content_Type="text/calendar; charset=utf-8")
        assert reply.status in (201, 204), (reply.status, reply.body)

    def delete(self, slug, uid):
        href = next(href for href, text in self.texts(slug).items() if f"UID:{uid}\r\n" in text)
        assert self.calendar(slug).http.ask("DELETE", href).status == 204

    def add(self, slug, uid, text):
        reply = self.calendar(slug).put(quote(uid) + ".ics", text)
        assert reply.status == 201, (reply.status, reply.body)
