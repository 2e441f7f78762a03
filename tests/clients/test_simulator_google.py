"""Google's own Python client drives the simulator: the requests it makes are understood, and no answer of any call has a
key or a type that the discovery document does not have. The document is the one in Google's package."""

import json
from importlib import resources
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from google.auth.exceptions import RefreshError
from google.oauth2.credentials import Credentials
from googleapiclient.discovery import build_from_document
from googleapiclient.errors import HttpError
from googleapiclient.http import HttpRequest

from simulator import CALENDAR_SCOPES, CLIENT_ID, CLIENT_SECRET, Receiver, sign_in

DOCUMENT = json.loads(resources.files("googleapiclient.discovery_cache.documents").joinpath("calendar.v3.json").read_text())
KINDS = {"object": dict, "array": list, "string": str, "boolean": bool, "integer": int, "number": (int, float)}
ACCOUNT = "gina@gmail.test"


def methods(resource):
    for method in resource.get("methods", {}).values():
        yield method["id"], method
    for inner in resource.get("resources", {}).values():
        yield from methods(inner)


METHODS = dict(methods(DOCUMENT))


def wrong(schema, value, at):
    """What in a value is not as the discovery document says."""
    if "$ref" in schema:
        schema = DOCUMENT["schemas"][schema["$ref"]]
    kind = schema.get("type", "any")
    if kind != "any" and (not isinstance(value, KINDS[kind]) or kind == "integer" and isinstance(value, bool)):
        yield f"{at}: {value!r} is no {kind}"
    elif kind == "array":
        for one in value:
            yield from wrong(schema["items"], one, at + "[]")
    elif kind == "object":
        for key, one in value.items():
            known = schema.get("properties", {}).get(key) or schema.get("additionalProperties")
            if known is None:
                yield f"{at}.{key}: not in the document"
            else:
                yield from wrong(known, one, f"{at}.{key}")
    elif "enum" in schema and value not in schema["enum"]:
        yield f"{at}: {value!r} is not one of {schema['enum']}"


class Checked(HttpRequest):
    """A request of Google's client whose answer is compared with the document."""

    def __init__(self, http, postproc, uri, method="GET", body=None, headers=None, methodId=None, resumable=None):
        def check(response, content):
            answer = postproc(response, content)
            schema = METHODS[methodId].get("response")
            faults = list(wrong(schema, answer, methodId)) if schema else [f"{methodId}: {answer}"] * bool(answer)
            assert not faults, "\n".join(faults)
            return answer

        super().__init__(http, check, uri, method=method, body=body, headers=headers, methodId=methodId, resumable=resumable)


def credentials(simulator, tokens, **more):
    return Credentials(**{"token": tokens["access_token"], "refresh_token": tokens.get("refresh_token"),
                          "token_uri": f"{simulator.origin}/google/token", "client_id": CLIENT_ID,
                          "client_secret": CLIENT_SECRET} | more)


def service(simulator, granted):
    document = DOCUMENT | {"rootUrl": f"{simulator.origin}/google/", "baseUrl": f"{simulator.origin}/google/calendar/v3/"}
    return build_from_document(document, credentials=granted, requestBuilder=Checked)


@pytest.fixture(scope="module")
def tokens(simulator):
    simulator.control("google/account", email=ACCOUNT, zone="Europe/Berlin")
    return sign_in(simulator, "google", ACCOUNT, CALENDAR_SCOPES)


@pytest.fixture
def google(simulator, tokens):
    with service(simulator, credentials(simulator, tokens)) as client:
        yield client


@pytest.fixture
def own(google):
    """A calendar of its own for each test."""
    return google.calendars().insert(body={"summary": "Tests", "timeZone": "Europe/Berlin"}).execute()["id"]


def timed(start, end, zone="Europe/Berlin", **more):
    return {"summary": "Consultation", "start": {"dateTime": start, "timeZone": zone}, "end": {"dateTime": end, "timeZone": zone},
            **more}


def refusal(request):
    with pytest.raises(HttpError) as error:
        request.execute()
    return error.value.resp.status, error.value.error_details[0]["reason"]


def listing(google, calendar, **how):
    """All pages: (events by id, sync token)."""
    found, request = {}, google.events().list(calendarId=calendar, **how)
    while request is not None:
        page = request.execute()
        found |= {event["id"]: event for event in page.get("items", [])}
        request = google.events().list_next(request, page)
    return found, page.get("nextSyncToken")


def test_sign_in_by_hand_yields_tokens_and_the_account(simulator, tokens):
    assert tokens["token_type"] == "Bearer" and tokens["expires_in"] > 3000 and tokens["refresh_token"]
    assert set(tokens["scope"].split()) == set(CALENDAR_SCOPES.split())
    who = requests.get(f"{simulator.origin}/google/userinfo", timeout=30,
                       headers={"Authorization": f"Bearer {tokens['access_token']}"}).json()
    assert who["email"] == ACCOUNT and who["email_verified"] is True and who["sub"]


def test_googles_client_refreshes_what_is_dead_and_reports_what_is_revoked(simulator):
    simulator.control("google/account", email="rita@gmail.test", zone="UTC")
    tokens = sign_in(simulator, "google", "rita@gmail.test", CALENDAR_SCOPES)
    granted = credentials(simulator, tokens, token="ya29.dead")
    with service(simulator, granted) as google:
        assert google.calendarList().list().execute()["items"][0]["id"] == "rita@gmail.test"
        assert granted.token not in ("ya29.dead", None)
        simulator.control("google/revoke", account="rita@gmail.test")
        with pytest.raises(RefreshError) as error:
            google.calendarList().list().execute()
    assert error.value.args[1]["error"] == "invalid_grant"


def test_scopes_that_were_unticked_are_missing_in_words(simulator):
    tokens = sign_in(simulator, "google", ACCOUNT, CALENDAR_SCOPES, keep=lambda scope: "auth/calendar" not in scope)
    with service(simulator, credentials(simulator, tokens)) as google:
        status, reason = refusal(google.calendarList().list())
    assert (status, reason) == (403, "ACCESS_TOKEN_SCOPE_INSUFFICIENT")


def test_calendars_and_their_list(google, own):
    listed = {entry["id"]: entry for entry in google.calendarList().list(showHidden=True).execute()["items"]}
    assert listed[ACCOUNT]["primary"] is True and listed[own]["accessRole"] == "owner"
    assert google.calendarList().patch(calendarId=own, body={"summaryOverride": "Mine"}).execute()["summaryOverride"] == "Mine"
    assert google.calendars().patch(calendarId=own, body={"description": "About"}).execute()["description"] == "About"
    assert google.calendars().get(calendarId="primary").execute()["id"] == ACCOUNT
    assert google.settings().get(setting="timezone").execute()["value"] == "Europe/Berlin"
    assert any(one["id"] == "timezone" for one in google.settings().list().execute()["items"])
    token = google.calendarList().list().execute()["nextSyncToken"]
    google.calendars().delete(calendarId=own).execute()
    changed = google.calendarList().list(syncToken=token).execute()["items"]
    assert [entry["id"] for entry in changed if entry.get("deleted")] == [own]
    assert refusal(google.calendars().get(calendarId=own)) == (404, "notFound")


def test_an_event_from_its_birth_to_its_end(google, own):
    body = timed("2026-12-01T10:00:00", "2026-12-01T11:00:00", id="kalends0123456789", location="Room 1", description="Text",
                 colorId="5", visibility="private", transparency="transparent",
                 reminders={"useDefault": False, "overrides": [{"method": "popup", "minutes": 20}]},
                 extendedProperties={"private": {"kalends": "1"}, "shared": {"b": "2"}}, source={"title": "t", "url": "https://a.test/"})
    made = google.events().insert(calendarId=own, body=body, sendUpdates="none").execute()
    assert made["start"] == {"dateTime": "2026-12-01T10:00:00+01:00", "timeZone": "Europe/Berlin"}
    for key in ("location", "description", "colorId", "visibility", "transparency", "reminders", "extendedProperties", "source"):
        assert made[key] == body[key], key
    assert refusal(google.events().insert(calendarId=own, body=body, sendUpdates="none")) == (409, "duplicate")
    read = google.events().get(calendarId=own, eventId=made["id"]).execute()
    assert read == made
    patched = google.events().patch(calendarId=own, eventId=made["id"], sendUpdates="none", body={
        "summary": "Other", "location": None, "extendedProperties": {"private": {"more": "3"}}}).execute()
    assert patched["summary"] == "Other" and "location" not in patched and patched["etag"] != made["etag"]
    assert patched["extendedProperties"] == {"private": {"kalends": "1", "more": "3"}, "shared": {"b": "2"}}
    replaced = google.events().update(calendarId=own, eventId=made["id"], sendUpdates="none", body={
        "summary": "All day", "start": {"date": "2026-12-02"}, "end": {"date": "2026-12-03"}}).execute()
    assert replaced["start"] == {"date": "2026-12-02"} and "description" not in replaced
    assert not google.events().delete(calendarId=own, eventId=made["id"], sendUpdates="none").execute()
    assert refusal(google.events().delete(calendarId=own, eventId=made["id"], sendUpdates="none")) == (410, "deleted")
    assert google.events().get(calendarId=own, eventId=made["id"]).execute()["status"] == "cancelled"
    assert refusal(google.events().get(calendarId=own, eventId="neverexisted")) == (404, "notFound")


def test_only_the_known_version_is_changed(google, own):
    made = google.events().insert(calendarId=own, body=timed("2026-12-01T10:00:00Z", "2026-12-01T11:00:00Z"),
                                  sendUpdates="none").execute()

    def change(etag):
        request = google.events().patch(calendarId=own, eventId=made["id"], body={"summary": etag}, sendUpdates="none")
        request.headers["If-Match"] = etag
        return request
    changed = change(made["etag"]).execute()
    assert refusal(change(made["etag"])) == (412, "conditionNotMet")
    assert change(changed["etag"]).execute()["summary"] == changed["etag"]
    stale = google.events().delete(calendarId=own, eventId=made["id"], sendUpdates="none")
    stale.headers["If-Match"] = made["etag"]
    assert refusal(stale) == (412, "conditionNotMet")


def test_a_series_with_a_moved_and_a_cancelled_instance(google, own):
    made = google.events().insert(calendarId=own, sendUpdates="none", body=timed(
        "2026-12-01T10:00:00", "2026-12-01T11:00:00", recurrence=["RRULE:FREQ=WEEKLY;COUNT=5", "EXDATE;TZID=Europe/Berlin:20261215T100000"])).execute()

    def instances(**how):
        return google.events().instances(calendarId=own, eventId=made["id"], **how).execute()["items"]
    first = instances()
    assert [one["start"]["dateTime"][:10] for one in first] == ["2026-12-01", "2026-12-08", "2026-12-22", "2026-12-29"]
    assert first[1]["id"] == made["id"] + "_20261208T090000Z" and first[1]["recurringEventId"] == made["id"]
    moved = google.events().patch(calendarId=own, eventId=first[1]["id"], sendUpdates="none", body={
        "start": {"dateTime": "2026-12-09T12:00:00", "timeZone": "Europe/Berlin"},
        "end": {"dateTime": "2026-12-09T13:00:00", "timeZone": "Europe/Berlin"}}).execute()
    assert moved["originalStartTime"]["dateTime"] == "2026-12-08T10:00:00+01:00"
    google.events().delete(calendarId=own, eventId=first[2]["id"], sendUpdates="none").execute()
    assert [one["start"]["dateTime"] for one in instances()] == [
        "2026-12-01T10:00:00+01:00", "2026-12-09T12:00:00+01:00", "2026-12-29T10:00:00+01:00"]
    assert len(instances(showDeleted=True)) == 4
    assert [one["id"] for one in instances(originalStart="2026-12-08T10:00:00+01:00")] == [moved["id"]]
    whole, _ = listing(google, own)
    assert {made["id"], moved["id"], first[2]["id"]} == set(whole) and whole[first[2]["id"]]["status"] == "cancelled"
    flat, _ = listing(google, own, singleEvents=True, orderBy="startTime")
    assert len(flat) == 3 and not any("recurrence" in one for one in flat.values())


def test_listing_by_pages_and_then_by_changes(google, own, simulator):
    for number in range(7):
        google.events().insert(calendarId=own, sendUpdates="none", body=timed(
            f"2026-12-0{number + 1}T10:00:00Z", f"2026-12-0{number + 1}T11:00:00Z", id=f"event{number}")).execute()
    found, token = listing(google, own, maxResults=3)
    assert len(found) == 7 and token
    assert listing(google, own, maxResults=3, syncToken=token)[0] == {}
    google.events().patch(calendarId=own, eventId="event1", body={"summary": "Edited"}, sendUpdates="none").execute()
    google.events().delete(calendarId=own, eventId="event2", sendUpdates="none").execute()
    changed, later = listing(google, own, maxResults=3, syncToken=token)
    assert {id: one["status"] for id, one in changed.items()} == {"event1": "confirmed", "event2": "cancelled"}
    assert listing(google, own, maxResults=3, syncToken=later)[0] == {}
    assert refusal(google.events().list(calendarId=own, maxResults=3, syncToken=later, timeMin="2026-12-01T00:00:00Z"))[0] == 400
    simulator.control("google/expire-sync-tokens", calendar=own)
    assert refusal(google.events().list(calendarId=own, maxResults=3, syncToken=later)) == (410, "fullSyncRequired")


def test_filters_of_listings(google, own):
    for number, key in ((1, "a"), (2, "b")):
        google.events().insert(calendarId=own, sendUpdates="none", body=timed(
            f"2026-12-0{number}T10:00:00Z", f"2026-12-0{number}T11:00:00Z", iCalUID=f"{key}@uid.test", summary=f"Word {key}",
            extendedProperties={"private": {"key": key}})).execute()

    def names(**how):
        return [one["summary"] for one in listing(google, own, **how)[0].values()]
    assert names(iCalUID="a@uid.test") == names(privateExtendedProperty="key=a") == names(q="word a") == ["Word a"]
    assert names(timeMin="2026-12-02T00:00:00Z") == ["Word b"] and names(timeMax="2026-12-02T00:00:00Z") == ["Word a"]


def test_import_by_uid_and_move(google, own):
    body = timed("2026-12-01T10:00:00Z", "2026-12-01T11:00:00Z", iCalUID="import@uid.test")
    first = google.events().import_(calendarId=own, body=body).execute()
    again = google.events().import_(calendarId=own, body=body | {"summary": "Again", "sequence": 1}).execute()
    assert first["id"] == again["id"] and again["summary"] == "Again"
    moved = google.events().move(calendarId=own, eventId=first["id"], destination="primary", sendUpdates="none").execute()
    assert moved["organizer"]["email"] == ACCOUNT
    assert first["id"] not in listing(google, own)[0]


def test_a_meet_is_made_when_asked_for(google, own):
    body = timed("2026-12-01T10:00:00Z", "2026-12-01T11:00:00Z", conferenceData={"createRequest": {
        "requestId": "one", "conferenceSolutionKey": {"type": "hangoutsMeet"}}})
    made = google.events().insert(calendarId=own, body=body, conferenceDataVersion=1, sendUpdates="none").execute()
    assert made["hangoutLink"].startswith("https://meet.google.com/")
    assert "hangoutLink" not in google.events().insert(calendarId=own, body=body, sendUpdates="none").execute()


def test_guests_are_mailed_only_when_wanted(google, own, simulator):
    body = timed("2026-12-01T10:00:00Z", "2026-12-01T11:00:00Z", attendees=[{"email": "guest@else.test"}])
    google.events().insert(calendarId=own, body=body, sendUpdates="none").execute()
    assert not any("guest@else.test" in mail for mail in simulator.state()["mails"])
    google.events().insert(calendarId=own, body=body, sendUpdates="all").execute()
    assert any("guest@else.test" in mail for mail in simulator.state()["mails"])


def test_busy_times(google, own):
    google.events().insert(calendarId=own, sendUpdates="none", body=timed("2026-12-01T10:00:00Z", "2026-12-01T11:00:00Z")).execute()
    google.events().insert(calendarId=own, sendUpdates="none", body=timed("2026-12-01T10:30:00Z", "2026-12-01T12:00:00Z")).execute()
    answer = google.freebusy().query(body={"timeMin": "2026-12-01T00:00:00Z", "timeMax": "2026-12-02T00:00:00Z", "timeZone": "UTC",
                                           "items": [{"id": own}, {"id": "nobody@gmail.test"}]}).execute()
    assert answer["calendars"][own]["busy"] == [{"start": "2026-12-01T10:00:00Z", "end": "2026-12-01T12:00:00Z"}]
    assert answer["calendars"]["nobody@gmail.test"]["errors"][0]["reason"] == "notFound"


def test_a_channel_calls_until_it_is_stopped(google, own):
    receiver = Receiver()
    try:
        channel = google.events().watch(calendarId=own, body={
            "id": "channel-" + own[:8], "type": "web_hook", "address": receiver.base + "/hook", "token": "secret words"}).execute()
        assert int(channel["expiration"]) > 1e12 and channel["resourceId"]
        first = receiver.wait(lambda path, headers, body: headers["x-goog-resource-state"] == "sync")
        assert first[1]["x-goog-channel-token"] == "secret words" and first[1]["x-goog-message-number"] == "1"
        google.events().insert(calendarId=own, sendUpdates="none", body=timed("2026-12-01T10:00:00Z", "2026-12-01T11:00:00Z")).execute()
        ping = receiver.wait(lambda path, headers, body: headers["x-goog-resource-state"] == "exists")
        assert ping[1]["x-goog-channel-id"] == channel["id"] and ping[1]["x-goog-resource-id"] == channel["resourceId"]
        assert not google.channels().stop(body={"id": channel["id"], "resourceId": channel["resourceId"]}).execute()
        assert refusal(google.channels().stop(body={"id": channel["id"], "resourceId": channel["resourceId"]}))[0] == 404
    finally:
        receiver.stop()


def test_a_batch_has_an_answer_for_each_request(google, own):
    answers = {}
    batch = google.new_batch_http_request(callback=lambda id, answer, error: answers.update({id: (answer, error)}))
    for number in range(3):
        batch.add(google.events().insert(calendarId=own, sendUpdates="none", body=timed(
            "2026-12-01T10:00:00Z", "2026-12-01T11:00:00Z", id=f"batch{number}")), request_id=f"n{number}")
    batch.add(google.events().get(calendarId=own, eventId="neverexisted"), request_id="missing")
    batch.execute()
    assert [answers[f"n{number}"][0]["id"] for number in range(3)] == ["batch0", "batch1", "batch2"]
    assert answers["missing"][1].resp.status == 404
    assert len(listing(google, own)[0]) == 3


def test_too_many_requests_are_refused_for_a_while(google, own, simulator):
    """Google's client tells this refusal from others of the same status, and tries again by itself."""
    simulator.fail("status", service="google", code=403, reason="rateLimitExceeded", times=2)
    request, waits = google.events().list(calendarId=own), []
    request._sleep = waits.append
    assert request.execute(num_retries=3)["items"] == [] and len(waits) == 2
    simulator.fail("status", service="google", code=429, reason="rateLimitExceeded", retry_after=7)
    assert refusal(google.events().list(calendarId=own)) == (429, "rateLimitExceeded")


def test_parameters_of_the_client_are_all_known(google, own, simulator):
    """Everything above was understood: no rule of Google's documents was broken but on purpose."""
    for one in simulator.log():
        if one["target"].startswith("/google/calendar/v3") and parse_qs(urlsplit(one["target"]).query).get("alt") == ["json"]:
            assert one["status"] != 500
    assert not [text for text in simulator.state()["violations"] if "has no parameter" in text or "not in the" in text]
