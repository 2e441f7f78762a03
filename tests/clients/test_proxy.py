"""Behind a reverse proxy and under a path: every href has the prefix, whether the proxy takes it off or leaves it on."""

import caldav
import pytest
from kalends import DAV, Calendar, Http, Server, event


@pytest.fixture(scope="module")
def prefixed(folder):
    server = Server(folder / "prefixed")
    server.variables = {"KALENDS_PUBLIC_URL": f"{server.base}/calendars"}
    yield server.start()
    assert server.stop() == 0


def test_the_first_start_prints_the_public_address(prefixed):
    assert prefixed.printed_address() == f"{prefixed.base}/calendars/dav/"


def test_well_known_leads_into_the_prefix(prefixed):
    reply = Http(prefixed.port).ask("PROPFIND", "/.well-known/caldav")
    assert (reply.status, reply.headers["location"]) == (301, "/calendars/dav/")


@pytest.mark.parametrize("path", ["/dav/", "/calendars/dav/"], ids=["taken off", "left on"])
def test_hrefs_have_the_prefix(prefixed, path):
    found, _ = prefixed.http().propfind(path, (DAV, "current-user-principal")).responses()
    (values,) = found.values()
    assert list(found) == ["/calendars/dav/"]
    assert values[f"{{{DAV}}}current-user-principal"].findtext(f"{{{DAV}}}href") == "/calendars/dav/principals/admin/"


def test_python_caldav_works_under_the_prefix(prefixed):
    account = prefixed.account
    with caldav.DAVClient(url=f"{prefixed.base}/calendars/dav/", username=account.user, password=account.password) as client:
        calendar = client.principal().make_calendar(name="Under", cal_id="under")
        calendar.save_event(event("x").decode())
        assert [e.icalendar_component["UID"] for e in calendar.events()] == ["x"]
    inside = Calendar(prefixed, slug="under")
    assert [href.startswith("/calendars/dav/") for href in inside.etags()] == [True]


def test_a_password_in_the_clear_is_taken_through_a_proxy_with_tls_only(prefixed):
    clear = {"X_Forwarded_For": "192.0.2.7", "X_Forwarded_Proto": "http"}
    reply = prefixed.http().propfind("/dav/", (DAV, "displayname"), **clear)
    assert reply.status in (401, 403)
    reply = prefixed.http().propfind("/dav/", (DAV, "displayname"), **clear | {"X_Forwarded_Proto": "https"})
    assert reply.status == 207
