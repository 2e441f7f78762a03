"""The requests that Apple's clients were recorded sending, in their order; holes filled in, answers read as they read them."""

import re

import pytest
from kalends import APPLE, CAL, CS, DAV, Http, event, shared

pytestmark = pytest.mark.skipif(shared() is None, reason="no shared requests beside the repository (KALENDS_SHARED)")

#: (request, method, path, depth, statuses that the client goes on from). {u} is the user's name.
HOME, CALENDAR, PRINCIPAL = "/dav/calendars/{u}/", "/dav/calendars/{u}/calendar/", "/dav/principals/{u}/"
ANSWERED = {207}
SET = {200, 207}  # 200 without a body: all set, and nothing more wanted (RFC 8144 §2.1)
PATCHED = {200, 204, 207}  # RFC 8144 §2.2: the requests prefer a minimal answer
ABSENT_TOO = {200, 207, 403, 404, 405, 501}  # what is not advertised may be refused, but never with a server error
OSX = [
    ("startup_well_known_propfind", "PROPFIND", "/", 0, ANSWERED),
    ("startup_principal_initial_propfind", "PROPFIND", "/principals/", 0, ANSWERED),
    ("startup_principal_propfind", "PROPFIND", PRINCIPAL, 0, ANSWERED),
    ("startup_principals_report", "REPORT", "/dav/principals/", 0, {200}),
    ("poll_calendarhome_depth1_propfind", "PROPFIND", HOME, 1, ANSWERED),
    ("startup_calendarhome_default_alarm_date_proppatch", "PROPPATCH", HOME, None, PATCHED),
    ("startup_calendarhome_default_alarm_datetime_proppatch", "PROPPATCH", HOME, None, PATCHED),
    ("startup_calendar_order_proppatch", "PROPPATCH", CALENDAR, None, PATCHED),
    ("startup_calendar_displayname_proppatch", "PROPPATCH", CALENDAR, None, PATCHED),
    ("startup_calendar_color_proppatch", "PROPPATCH", CALENDAR, None, PATCHED),
    ("startup_calendar_timezone_proppatch", "PROPPATCH", CALENDAR, None, PATCHED),
    ("startup_calendar_description_proppatch", "PROPPATCH", CALENDAR, None, PATCHED),
    ("poll_calendar_propfind", "PROPFIND", CALENDAR, 0, ANSWERED),
    ("startup_query_events_depth1_report", "REPORT", CALENDAR, 1, ANSWERED),
    ("poll_calendar_depth1_propfind", "PROPFIND", CALENDAR, 1, ANSWERED),
    ("startup_principal_expand", "REPORT", PRINCIPAL, 0, ANSWERED),
    ("startup_delegate_principal_propfind", "PROPFIND", PRINCIPAL, 0, ANSWERED),
    ("poll_calendarhome_sync", "REPORT", HOME, 1, ANSWERED),
    ("startup_create_calendar", "MKCALENDAR", "/dav/calendars/{u}/8B2A3C/", None, {201}),
    ("principal_search_report", "REPORT", "/dav/principals/", 0, {200, 207, 403}),
    ("report_principal_search", "REPORT", "/dav/principals/", 0, {200, 207, 403}),
    ("poll_inbox_propfind", "PROPFIND", HOME + "inbox/", 0, ABSENT_TOO),
    ("notification_sync", "REPORT", HOME + "notifications/", 1, ABSENT_TOO),
    ("poll_notification_depth1_propfind", "PROPFIND", HOME + "notifications/", 1, ABSENT_TOO),
    ("post_freebusy", "POST", HOME + "outbox/", None, ABSENT_TOO),
]
IOS = [
    ("startup_well_known", "PROPFIND", "/", 0, ANSWERED),
    ("startup_principal_propfind_initial", "PROPFIND", "/principals/", 0, ANSWERED),
    ("startup_principal_propfind", "PROPFIND", PRINCIPAL, 0, ANSWERED),
    ("startup_principals_report", "REPORT", "/principals/", 0, {200}),
    ("poll_calendarhome_propfind", "PROPFIND", HOME, 1, ANSWERED),
    ("startup_calendar_color_proppatch", "PROPPATCH", CALENDAR, None, PATCHED),
    ("startup_calendar_order_proppatch", "PROPPATCH", CALENDAR, None, PATCHED),
    ("poll_calendar_propfind", "PROPFIND", CALENDAR, 0, ANSWERED),
    ("poll_calendar_vevent_tr_query", "REPORT", CALENDAR, 1, ANSWERED),
    ("poll_calendar_vtodo_query", "REPORT", CALENDAR, 1, ANSWERED),
    ("poll_calendar_propfind_d1", "PROPFIND", CALENDAR, 1, ANSWERED),
    ("poll_calendar_multiget", "REPORT", CALENDAR, 1, ANSWERED),
]
HOLES = {"order": "7", "component_type": "VEVENT", "color": "FF2968FF", "name": "Made by Apple", "displayname": "Named",
         "sync-token": "", "start-date": "20261101", "description": "Described", "timezone": "", "calendar_color": "#FF2968FF", "context": "attendee",
         "searchTokens": "<C:search-token>made</C:search-token>"}


def body_of(client, name, user):
    for suffix in (".request", ".request.xml"):
        path = shared() / "clients/apple" / client / (name + suffix)
        if path.exists():
            # A file with two documents shows both values of a switch: the first one is sent.
            text = path.read_text().split("\n\n<?xml")[0]
            holes = HOLES | {"hrefs": f'<A:href xmlns:A="DAV:">/dav/calendars/{user}/calendar/x.ics</A:href>'}
            return re.sub(r"%\(([\w-]+)\)s|\{([\w-]+)\}", lambda hole: holes.get(hole[1] or hole[2], "x"), text)
    raise AssertionError(f"no recorded request {client}/{name}")


def play(client, name, method, path, depth, http, user):
    headers = {"Depth": str(depth)} if depth is not None else {}
    kind = "text/calendar" if name == "post_freebusy" else "text/xml"
    return http.ask(method, path.format(u=user), body_of(client, name, user), Content_Type=kind, Accept="*/*",
                    Prefer="return=minimal", Brief="t", Accept_Encoding="identity", **headers)


@pytest.mark.parametrize("client, script", [("OS_X_10_11", OSX), ("iOS_5", IOS)], ids=["macOS", "iOS"])
def test_a_recorded_set_up_goes_through(server, user, calendar, client, script):
    assert calendar.put("x.ics", event("x")).status == 201
    http, wrong = server.http(user), []
    for name, method, path, depth, statuses in script:
        reply = play(client, name, method, path, depth, http, user.user)
        if reply.status not in statuses:
            wrong.append(f"{name}: {reply.status} {reply.body[:300]}")
        elif method == "PROPPATCH" and re.search(rb"HTTP/1.1 [45]", reply.body):
            wrong.append(f"{name}: {reply.body[:400]}")
    assert not wrong, "\n".join(wrong)


def test_what_apple_stores_it_reads_again(server, user, calendar):
    http = server.http(user)
    for name, method, path, depth, _ in OSX:
        if method in ("PROPPATCH", "MKCALENDAR"):
            play("OS_X_10_11", name, method, path, depth, http, user.user)
    made = f"/dav/calendars/{user.user}/8B2A3C/"
    found, _ = http.propfind(made, (DAV, "displayname"), (APPLE, "calendar-color"), (CAL, "supported-calendar-component-set"),
                             (CAL, "calendar-timezone")).responses()
    values = found[made]
    assert values[f"{{{DAV}}}displayname"].text == "Made by Apple"
    colour = values[f"{{{APPLE}}}calendar-color"]
    assert colour.text == "#FF2968FF" and colour.get("symbolic-color") == "custom"
    assert [comp.get("name") for comp in values[f"{{{CAL}}}supported-calendar-component-set"]] == ["VEVENT"]
    assert "TZID:America/Los_Angeles\r\n" in values[f"{{{CAL}}}calendar-timezone"].text
    home = f"/dav/calendars/{user.user}/"
    found, _ = http.propfind(home, (CAL, "default-alarm-vevent-date")).responses()
    assert found[home][f"{{{CAL}}}default-alarm-vevent-date"].text.startswith("BEGIN:VALARM\r\n")


def test_the_home_tells_which_calendar_changed(server, user, calendar):
    """CLIENTS.md §1.8: a sync-collection on the home with the token that the home gave."""
    home, http = f"/dav/calendars/{user.user}/", server.http(user)
    _, _, token = http.sync(home)
    found, gone, same = http.sync(home, token)
    assert (found, gone, same) == ({}, {}, token)
    calendar.put("x.ics", event("x"))
    found, gone, after = http.sync(home, token, (CS, "getctag"), (DAV, "sync-token"))
    assert (list(found), gone) == ([f"{home}calendar/"], {}) and after != token
    assert http.ask("DELETE", f"{home}calendar/").status == 204
    found, gone, last = http.sync(home, after)
    assert (found, gone) == ({}, {f"{home}calendar/": 404}) and last != after


def test_proxies_expand_to_nobody_without_an_error(server, user):
    reply = play("OS_X_10_11", "startup_principal_expand", "REPORT", PRINCIPAL, 0, server.http(user), user.user)
    (values,) = reply.responses()[0].values()
    assert {f"{{{CS}}}calendar-proxy-read-for", f"{{{CS}}}calendar-proxy-write-for"} <= set(values)


def test_without_credentials_every_step_asks_for_them(server):
    for path in ("/", "/principals/", "/dav/", "/dav/principals/admin/", "/dav/calendars/admin/"):
        for method in ("PROPFIND", "OPTIONS") if path.startswith("/dav/p") else ("PROPFIND",):
            reply = Http(server.port).ask(method, path, Depth="0")
            assert reply.status in ((200, 401) if method == "OPTIONS" else (401,)), (method, path, reply.status)
