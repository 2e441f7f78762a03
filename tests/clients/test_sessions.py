"""Sessions by JSON and by CalDAV: two views of one VEVENT."""

import json

import pytest
from kalends import Calendar, Http, event

SESSION = {
    "title": "Coaching with Ada", "start": "2026-11-23T10:00:00", "end": "2026-11-23T11:00:00",
    "timezone": "Europe/Berlin", "location": "Studio 2", "description": "Bring notes; and, water",
    "client": {"name": "Ada", "email": "ada@example.org", "phone": "+49 30 1"},
    "config": {"type": "coaching", "questions": ["What, and; why?"]}, "reminders": [30],
}


class Api:
    def __init__(self, server, token):
        self.http, self.token = Http(server.port), token

    def ask(self, method, path, body=None, **headers):
        text = None if body is None else json.dumps(body)
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        reply = self.http.ask(method, "/api/v1" + path, text, Content_Type=kind,
                              Authorization=self.token and f"Bearer {self.token}", **headers)
        content = reply.headers.get("content-type", "")
        return reply, json.loads(reply.body) if "json" in content and reply.body else None


@pytest.fixture
def api(server, user, secrets_seen):
    _, out, _ = server.cli("token", "new", user.user, "--label", "tests", "--scope", "read,write")
    token = out.split()[-1]
    secrets_seen.add(token)
    return Api(server, token)


@pytest.fixture
def sessions(server, user):
    return Calendar(server, user, "sessions")


def test_what_json_creates_caldav_sees(api, sessions):
    reply, made = api.ask("POST", "/sessions", SESSION)
    assert reply.status == 201, reply.body
    (href,) = sessions.etags()
    body = sessions.http.ask("GET", href).body.replace(b"\r\n ", b"")
    for line in (b"SUMMARY:Coaching with Ada", b"DTSTART;TZID=Europe/Berlin:20261123T100000", b"TZID:Europe/Berlin",
                 rb"DESCRIPTION:Bring notes\; and\, water", b"BEGIN:PARTICIPANT", b"STRUCTURED-DATA", b"BEGIN:VALARM",
                 b"STATUS:CONFIRMED", f"UID:{made['uid']}".encode()):
        assert line in body, (line, body)


def test_what_a_calendar_client_changes_json_sees(api, sessions):
    _, made = api.ask("POST", "/sessions", SESSION)
    (href,) = sessions.etags()
    got = sessions.http.ask("GET", href)
    moved = got.body.replace(b"20261123T100000", b"20261124T150000").replace(b"20261123T110000", b"20261124T160000")
    put = sessions.http.ask("PUT", href, moved, If_Match=got.headers["etag"], Content_Type="text/calendar")
    assert put.status == 204, put.body
    reply, seen = api.ask("GET", f"/sessions/{made['uid']}")
    assert reply.status == 200 and (seen["start"], seen["timezone"]) == ("2026-11-24T14:00:00Z", "Europe/Berlin"), seen
    assert seen["client"] == SESSION["client"] and seen["config"] == SESSION["config"]


def test_session_fields_survive_a_client_that_drops_them(api, sessions):
    _, made = api.ask("POST", "/sessions", SESSION)
    (href,) = sessions.etags()
    plain = event(made["uid"], "Renamed by a simple client")
    put = sessions.http.ask("PUT", href, plain, Content_Type="text/calendar")
    assert put.status == 204 and "etag" not in put.headers, "changed by the server: no ETag for this PUT"
    _, seen = api.ask("GET", f"/sessions/{made['uid']}")
    assert (seen["title"], seen["client"], seen["config"]) == ("Renamed by a simple client", SESSION["client"], SESSION["config"])


def test_states_are_patched_and_kept_in_the_event(api, sessions):
    _, made = api.ask("POST", "/sessions", SESSION)
    for status, lines in (("completed", [b"STATUS:CONFIRMED", b"X-KALENDS-STATUS"]), ("cancelled", [b"STATUS:CANCELLED"]),
                          ("tentative", [b"STATUS:TENTATIVE"]), ("scheduled", [b"STATUS:CONFIRMED"])):
        reply, seen = api.ask("PATCH", f"/sessions/{made['uid']}", {"status": status})
        assert reply.status == 200 and seen["status"] == status, reply.body
        (href,) = sessions.etags()
        body = sessions.http.ask("GET", href).body
        assert all(line in body for line in lines), (status, body)


def test_lists_follow_cursors_and_ranges(api):
    for day in range(10, 17):
        reply, _ = api.ask("POST", "/sessions", {**SESSION, "title": f"Day {day}", "start": f"2026-12-{day}T10:00:00",
                                                 "end": f"2026-12-{day}T11:00:00"})
        assert reply.status == 201
    titles, cursor, pages = [], None, 0
    while pages < 10:
        pages += 1
        reply, page = api.ask("GET", "/sessions?limit=3" + (f"&cursor={cursor}" if cursor else ""))
        assert reply.status == 200, reply.body
        items = next(value for value in page.values() if isinstance(value, list))
        titles += [item["title"] for item in items]
        cursor = next((value for key, value in page.items() if "cursor" in key), None)
        if not cursor:
            break
    assert sorted(titles) == [f"Day {day}" for day in range(10, 17)] and pages == 3
    reply, page = api.ask("GET", "/sessions?from=2026-12-12T00:00:00Z&to=2026-12-14T00:00:00Z")
    items = next(value for value in page.values() if isinstance(value, list))
    assert sorted(item["title"] for item in items) == ["Day 12", "Day 13"]


def test_deleted_by_either_side_is_gone_on_both(api, sessions):
    _, one = api.ask("POST", "/sessions", SESSION)
    assert api.ask("DELETE", f"/sessions/{one['uid']}")[0].status == 204
    assert sessions.etags() == {}
    _, two = api.ask("POST", "/sessions", SESSION)
    (href,) = sessions.etags()
    assert sessions.http.ask("DELETE", href).status == 204
    assert api.ask("GET", f"/sessions/{two['uid']}")[0].status == 404


@pytest.mark.parametrize("body, field", [
    ({**SESSION, "start": "tomorrow"}, "start"),
    ({**SESSION, "timezone": "Middle/Earth"}, "timezone"),
    ({**SESSION, "end": "2026-11-22T10:00:00"}, "end"),
    ({**SESSION, "status": "great"}, "status"),
])
def test_wrong_fields_are_problem_documents(api, sessions, body, field):
    reply, problem = api.ask("POST", "/sessions", body)
    assert 400 <= reply.status < 500 and reply.headers["content-type"].startswith("application/problem+json")
    assert problem["type"] and problem["title"] and problem["status"] == reply.status
    assert field in json.dumps(problem)
    assert sessions.etags() == {}


def test_tokens_bind_to_their_scope_and_owner(api, server, user):
    _, made = api.ask("POST", "/sessions", SESSION)
    _, out, _ = server.cli("token", "new", user.user, "--label", "reader", "--scope", "read")
    reader = Api(server, out.split()[-1])
    assert reader.ask("GET", f"/sessions/{made['uid']}")[0].status == 200
    assert reader.ask("DELETE", f"/sessions/{made['uid']}")[0].status == 403
    _, out, _ = server.cli("token", "new", server.new_user().user, "--label", "other", "--scope", "read,write")
    assert Api(server, out.split()[-1]).ask("GET", f"/sessions/{made['uid']}")[0].status == 404
    assert Api(server, None).ask("GET", "/sessions")[0].status == 401
    assert Api(server, "wrong").ask("GET", "/sessions")[0].status == 401


def test_the_description_names_what_is_there(server):
    reply, document = Api(server, None).ask("GET", "/openapi.json")
    assert reply.status == 200 and document["openapi"].startswith("3.")
    assert any(path.endswith("/sessions") for path in document["paths"])
