"""What a client finds when it knows a host name only (RFC 6764, and the paths that Apple's clients try)."""

import re

import pytest
from kalends import APPLE, CAL, CS, DAV, Http

PROBED = ["/", "/principals/", "/dav/", "/dav/principals/", "/calendar/dav/{user}/user/"]
METHODS = ["GET", "HEAD", "PROPFIND", "OPTIONS", "REPORT", "PUT", "DELETE", "MKCALENDAR", "PROPPATCH", "POST"]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("known", [True, False])
def test_well_known_redirects_every_method_by_path_only(server, method, known):
    reply = Http(server.port, server.account if known else None).ask(method, "/.well-known/caldav")
    assert (reply.status, reply.headers["location"]) == (301, "/dav/")


@pytest.mark.parametrize("path", PROBED)
def test_propfind_without_credentials_is_asked_for_basic(server, path):
    reply = Http(server.port).propfind(path.format(user="admin"), (DAV, "current-user-principal"))
    assert reply.status == 401
    assert re.match(r'Basic realm="', reply.headers["www-authenticate"])


@pytest.mark.parametrize("path", PROBED)
def test_propfind_with_credentials_names_the_principal(server, user, path):
    names = [(DAV, "current-user-principal"), (DAV, "principal-URL"), (DAV, "resourcetype")]
    reply = server.http(user).propfind(path.format(user=user.user), *names, Brief="t")
    assert reply.status == 207
    found, _ = reply.responses()
    (values,) = found.values()
    assert values[f"{{{DAV}}}current-user-principal"].findtext(f"{{{DAV}}}href") == f"/dav/principals/{user.user}/"


def test_the_principal_leads_to_the_home_and_the_home_to_calendars(server, user):
    http = server.http(user)
    found, _ = http.propfind(f"/dav/principals/{user.user}/", (CAL, "calendar-home-set"),
                             (CAL, "calendar-user-address-set"), (DAV, "displayname")).responses()
    (principal,) = found.values()
    addresses = [href.text for href in principal[f"{{{CAL}}}calendar-user-address-set"]]
    assert f"mailto:{user.user}@example.org" in addresses
    home = principal[f"{{{CAL}}}calendar-home-set"].findtext(f"{{{DAV}}}href")
    assert home == f"/dav/calendars/{user.user}/"
    found, _ = http.propfind(home, (DAV, "resourcetype"), (CAL, "supported-calendar-component-set"), (CS, "getctag"),
                             (DAV, "sync-token"), (DAV, "current-user-privilege-set"), depth=1).responses()
    calendars = {href for href, values in found.items()
                 if values[f"{{{DAV}}}resourcetype"].find(f"{{{CAL}}}calendar") is not None}
    assert {f"{home}calendar/", f"{home}sessions/"} <= calendars
    assert found[home][f"{{{DAV}}}resourcetype"].find(f"{{{CAL}}}calendar") is None, "the home is a container"
    for href in calendars:
        assert found[href][f"{{{CS}}}getctag"].text and found[href][f"{{{DAV}}}sync-token"].text
        assert found[href][f"{{{DAV}}}current-user-privilege-set"].iter(f"{{{DAV}}}write")


@pytest.mark.parametrize("path", ["/dav/", "/dav/principals/{user}/", "/dav/calendars/{user}/",
                                  "/dav/calendars/{user}/calendar/"])
def test_options_tells_what_is_there(server, user, path):
    reply = server.http(user).ask("OPTIONS", path.format(user=user.user))
    assert reply.status in (200, 204)
    features = {word.strip() for word in reply.headers["dav"].split(",")}
    assert {"1", "3", "access-control", "calendar-access", "extended-mkcol"} <= features
    assert "PROPFIND" in reply.headers["allow"]


def test_wrong_password_is_401_and_does_not_tell_which_names_exist(server, user):
    from kalends import Account
    replies = [Http(server.port, Account(name, "wrong")).propfind("/dav/", (DAV, "displayname"))
               for name in (user.user, "nobody-has-this-name")]
    assert [reply.status for reply in replies] == [401, 401]
    assert replies[0].body == replies[1].body


def test_unknown_properties_are_404_and_return_minimal_leaves_them_out(server, user):
    path = f"/dav/calendars/{user.user}/calendar/"
    ask = [(DAV, "displayname"), (APPLE, "autoprovisioned"), ("http://me.com/_namespace/", "bulk-requests")]
    full = server.http(user).propfind(path, *ask)
    assert b"404" in full.body and b"autoprovisioned" in full.body
    brief = server.http(user).propfind(path, *ask, Prefer="return=minimal")
    assert brief.status == 207 and b"autoprovisioned" not in brief.body


def test_another_users_home_is_hidden(server, user):
    other = server.new_user()
    reply = server.http(other).propfind(f"/dav/calendars/{user.user}/calendar/", (DAV, "displayname"))
    assert reply.status in (403, 404)
    reply = server.http(other).ask("GET", f"/dav/calendars/{user.user}/calendar/x.ics")
    assert reply.status in (403, 404)
