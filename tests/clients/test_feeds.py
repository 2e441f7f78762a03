"""Secret feeds as fetchers use them: conditional requests, HEAD, gzip, privacy, revocation."""

import gzip
import re
from email.utils import parsedate_to_datetime

import icalendar
import pytest
from kalends import Http, event

ZONED = event("secret-uid", "Private matter", more="LOCATION:Office 7\r\nATTENDEE:mailto:guest@example.org\r\n").replace(
    b"DTSTART:20261120T090000Z", b"DTSTART;TZID=Europe/Berlin:20261120T100000").replace(
    b"DTEND:20261120T100000Z", b"DTEND;TZID=Europe/Berlin:20261120T110000")


class Feed:
    def __init__(self, server, user, privacy):
        _, out, _ = server.cli("feed", "new", user.user, "--calendar", "calendar", "--privacy", privacy)
        self.path = re.search(r"/feeds/[^\s\"]+?\.ics", out)[0]
        self.http = Http(server.port)

    def get(self, **headers):
        return self.http.ask("GET", self.path, **headers)


@pytest.fixture
def feed(server, user, calendar, secrets_seen):
    assert calendar.put("x.ics", ZONED).status == 201

    def make(privacy="full"):
        one = Feed(server, user, privacy)
        secrets_seen.add(one.path.split("/")[-1].removesuffix(".ics"))
        return one
    return make


def test_a_feed_is_a_calendar_for_strangers(feed):
    reply = feed().get()
    assert (reply.status, reply.headers["content-type"]) == (200, "text/calendar; charset=utf-8")
    assert b"\n" not in reply.body.replace(b"\r\n", b"") and all(len(line) <= 75 for line in reply.body.split(b"\r\n"))
    read = icalendar.Calendar.from_ical(reply.body)
    assert read["METHOD"] == "PUBLISH"
    for name in ("NAME", "X-WR-CALNAME", "REFRESH-INTERVAL", "X-PUBLISHED-TTL"):
        assert name in read, name
    (one,) = read.walk("VEVENT")
    assert (one["UID"], one["SUMMARY"], one["LOCATION"]) == ("secret-uid", "Private matter", "Office 7")
    assert "DTSTAMP" in one
    assert [zone["TZID"] for zone in read.walk("VTIMEZONE")] == ["Europe/Berlin"]


def test_a_second_fetch_costs_nothing(feed, calendar):
    one = feed()
    first = one.get()
    assert one.get(If_None_Match=first.headers["etag"]).status == 304
    assert one.get(If_Modified_Since=first.headers["last-modified"]).status == 304
    assert parsedate_to_datetime(first.headers["last-modified"])
    calendar.put("y.ics", event("second"))
    again = one.get(If_None_Match=first.headers["etag"])
    assert again.status == 200 and again.headers["etag"] != first.headers["etag"] and b"second" in again.body


def test_head_says_what_get_says(feed):
    one = feed()
    get, head = one.get(), one.http.ask("HEAD", one.path)
    assert (head.status, head.body) == (200, b"")
    for name in ("content-type", "content-length", "etag", "last-modified"):
        assert head.headers.get(name) == get.headers.get(name), name


def test_gzip_is_another_representation(feed, calendar):
    calendar.put("long.ics", event("long", "Long " * 500))
    one = feed()
    plain, packed = one.get(), one.get(Accept_Encoding="gzip")
    assert packed.headers["content-encoding"] == "gzip" and gzip.decompress(packed.body) == plain.body
    assert packed.headers["etag"] != plain.headers["etag"]
    assert one.get(Accept_Encoding="gzip", If_None_Match=packed.headers["etag"]).status == 304


@pytest.mark.parametrize("privacy, shown, hidden", [
    ("titles", [b"Private matter", b"secret-uid"], [b"Office 7", b"guest@"]),
    ("busy", [b"DTSTART"], [b"Office 7", b"guest@", b"Private matter", b"secret-uid"]),
])
def test_privacy_levels_show_what_they_allow(feed, privacy, shown, hidden):
    body = feed(privacy).get().body
    assert all(text in body for text in shown) and not any(text in body for text in hidden), body


def test_the_other_forms_of_a_feed(feed):
    one = feed("busy")
    ifb = one.http.ask("GET", one.path.replace(".ics", ".ifb"))
    assert ifb.status == 200 and b"VFREEBUSY" in ifb.body
    json = one.http.ask("GET", one.path.replace(".ics", ".json"))
    assert json.status == 200 and json.headers["content-type"].startswith("application/json")


def test_a_revoked_feed_is_gone(feed, server, user):
    one = feed()
    assert one.get().status == 200
    _, listed, _ = server.cli("feed", "list", user.user, "--json")
    number = re.search(r'"id":\s*(\d+)', listed)[1]
    server.cli("feed", "revoke", user.user, number)
    assert one.get().status in (404, 410)


def test_a_wrong_secret_is_not_found(server):
    reply = Http(server.port).ask("GET", "/feeds/0123456789abcdef0123456789abcdef.ics")
    assert reply.status == 404 and b"<html" not in reply.body.lower()
