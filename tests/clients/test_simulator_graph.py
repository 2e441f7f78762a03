"""Microsoft's own Python client drives the simulator. Of every answer its models leave nothing undefined but the extras that
Graph has beside its schema, and nothing that the answer had is lost in them (a wrong type or enum member would be)."""

import asyncio
import dataclasses
import json
from datetime import datetime, timedelta, timezone
from urllib.parse import quote

import pytest
import requests
from kiota_abstractions.authentication import AuthenticationProvider
from kiota_abstractions.base_request_configuration import RequestConfiguration
from kiota_serialization_json.json_parse_node import JsonParseNode
from kiota_serialization_json.json_serialization_writer import JsonSerializationWriter
from msgraph import GraphRequestAdapter, GraphServiceClient
from msgraph.generated.models.calendar import Calendar
from msgraph.generated.models.event import Event
from msgraph.generated.models.o_data_errors.o_data_error import ODataError
from msgraph.generated.models.subscription import Subscription
from msgraph.generated.users.item.calendar.get_schedule.get_schedule_post_request_body import GetSchedulePostRequestBody
from msgraph.graph_request_adapter import options
from msgraph_core import GraphClientFactory
from msgraph_core.requests.batch_request_content import BatchRequestContent
from msgraph_core.requests.batch_request_item import BatchRequestItem

from simulator import CLIENT_ID, CLIENT_SECRET, GRAPH_SCOPES, Receiver, sign_in

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
ACCOUNT = "mona@contoso.test"
MARKER = "String {6b9b5ac4-7f2b-4d1c-9d2e-0f2a7d5b1c11} Name kalends"
IMMUTABLE = 'IdType="ImmutableId"'
#: Keys beside Microsoft's schema that Graph is known to answer.
EXTRAS = ("@odata.", "@removed", "occurrenceId")


def undefined(model, at="answer"):
    """Keys that no model of Microsoft has."""
    if isinstance(model, list):
        for one in model:
            yield from undefined(one, at + "[]")
    elif dataclasses.is_dataclass(model):
        for key in getattr(model, "additional_data", None) or {}:
            if not key.startswith(EXTRAS) and "@odata." not in key:
                yield f"{at}.{key}: no model has it"
        for one in dataclasses.fields(model):
            if one.name != "additional_data":
                yield from undefined(getattr(model, one.name, None), f"{at}.{one.name}")


def written(model):
    writer = JsonSerializationWriter()
    writer.write_object_value(None, model)
    return json.loads(writer.get_serialized_content())


def lost(before, after, at="answer"):
    """What an answer had and the model has not."""
    if isinstance(before, dict):
        for key, value in before.items():
            if value is not None and not key.startswith("@odata"):
                yield from lost(value, (after or {}).get(key), f"{at}.{key}")
    elif isinstance(before, list) and len(after or []) == len(before):
        for one, other in zip(before, after or []):
            yield from lost(one, other, at + "[]")
    elif isinstance(before, list) and before or after is None and before not in ([], ""):
        yield f"{at}: {before!r} became {after!r}"


class Checked(GraphRequestAdapter):
    """Microsoft's client, its base address changed, each answer compared with the models."""

    def __init__(self, origin, token):
        client = GraphClientFactory.create_with_default_middleware(options=options)
        client.event_hooks = {"response": [self.keep]}
        super().__init__(Bearer(token), client)
        self.base_url, self.body, self.http = f"{origin}/graph/v1.0", None, client

    async def keep(self, response):
        text = await response.aread()
        self.body = json.loads(text) if text else None

    async def send_async(self, request_info, parsable_factory, error_map):
        model = await super().send_async(request_info, parsable_factory, error_map)
        if parsable_factory.__name__ != "BatchResponseContent":
            faults = [*undefined(model), *lost(self.body, written(model))]
            assert not faults, "\n".join(faults)
        return model


@dataclasses.dataclass
class Bearer(AuthenticationProvider):
    token: str

    async def authenticate_request(self, request, additional_authentication_context=None):
        request.headers.add("Authorization", f"Bearer {self.token}")


class Graph:
    """The client beside a way to run one call."""

    def __init__(self, origin, token):
        self.adapter = Checked(origin, token)
        self.client = GraphServiceClient(request_adapter=self.adapter)
        self.loop = asyncio.new_event_loop()

    @property
    def me(self):
        return self.client.me

    def run(self, call):
        return self.loop.run_until_complete(asyncio.wait_for(call, 30))

    def refused(self, call):
        with pytest.raises(ODataError) as error:
            self.run(call)
        assert not list(undefined(error.value.error)), error.value.error
        return error.value.response_status_code, error.value.error.code

    def close(self):
        self.run(self.adapter.http.aclose())
        self.loop.close()


def model(kind, **fields):
    """A model from Graph's own JSON: what a client would build by hand."""
    return JsonParseNode(fields).get_object_value(kind)


def how(builder=None, prefer=(), etag=None, **query):
    """Headers and query of a call. Ids are immutable unless a test wants others."""
    config = RequestConfiguration()
    for value in (IMMUTABLE, *prefer):
        config.headers.add("Prefer", value)
    if etag:
        config.headers.add("If-Match", etag)
    if query:
        config.query_parameters = getattr(type(builder), type(builder).__name__ + "GetQueryParameters")(**query)
    return config


def point(text, zone="W. Europe Standard Time"):
    return {"dateTime": text, "timeZone": zone}


def timed(day, start="10:00", end="11:00", **more):
    return {"subject": "Consultation", "start": point(f"{day}T{start}:00"), "end": point(f"{day}T{end}:00"), **more}


@pytest.fixture(scope="module")
def tokens(simulator):
    simulator.control("graph/account", email=ACCOUNT, zone="W. Europe Standard Time", work=True)
    return sign_in(simulator, "microsoft", ACCOUNT, GRAPH_SCOPES)


@pytest.fixture
def graph(simulator, tokens):
    client = Graph(simulator.origin, tokens["access_token"])
    yield client
    client.close()


@pytest.fixture
def own(graph, request):
    """A calendar of its own for each test."""
    made = graph.run(graph.me.calendars.post(model(Calendar, name=request.node.name[:60])))
    return graph.me.calendars.by_calendar_id(made.id)


def add(graph, own, **fields):
    return graph.run(own.events.post(model(Event, **fields), how()))


def event(graph, made):
    return graph.me.events.by_event_id(made.id)


def etag(one):
    return one.additional_data["@odata.etag"]


def test_sign_in_by_hand_rotates_its_refresh_token(simulator, tokens):
    assert tokens["token_type"] == "Bearer" and tokens["expires_in"] > 3000 and tokens["id_token"].count(".") == 2
    form = {"grant_type": "refresh_token", "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
    url = f"{simulator.origin}/microsoft/common/oauth2/v2.0/token"
    fresh = requests.post(url, data=form | {"refresh_token": tokens["refresh_token"]}, timeout=30).json()
    assert fresh["access_token"] != tokens["access_token"] and fresh["refresh_token"] != tokens["refresh_token"]
    wrong = requests.post(url, data=form | {"refresh_token": "0.dead"}, timeout=30)
    assert (wrong.status_code, wrong.json()["error"]) == (400, "invalid_grant")
    assert wrong.json()["error_codes"] and wrong.json()["error_description"].startswith("AADSTS")


def test_a_dead_token_is_said_to_be_one(simulator):
    graph = Graph(simulator.origin, "dead")
    assert graph.refused(graph.me.get()) == (401, "InvalidAuthenticationToken")
    graph.close()


def test_me_and_the_mailbox(graph):
    assert graph.run(graph.me.get()).user_principal_name == ACCOUNT
    assert graph.run(graph.me.mailbox_settings.get()).time_zone == "W. Europe Standard Time"


def test_calendars(graph, own):
    found = {one.id: one for one in graph.run(graph.me.calendars.get()).value}
    assert sum(bool(one.is_default_calendar) for one in found.values()) == 1 and len(found) > 1
    name = graph.run(own.get()).name
    assert name.startswith("test_") and graph.run(own.patch(model(Calendar, name="Renamed"))).name == "Renamed"
    again = model(Calendar, name="Renamed")
    assert graph.refused(graph.me.calendars.post(again)) == (409, "ErrorFolderExists")
    graph.run(own.delete())
    assert graph.refused(own.get())[0] == 404
    assert graph.run(graph.me.calendar.get()).is_default_calendar is True


def test_an_event_from_its_birth_to_its_end(graph, own):
    made = add(graph, own, **timed(
        "2026-12-01", body={"contentType": "text", "content": "Line\nNext"}, location={"displayName": "Room 1"}, showAs="tentative",
        sensitivity="private", importance="high", categories=["Blue"], isReminderOn=True, reminderMinutesBeforeStart=30,
        transactionId="one"))
    assert (made.subject, made.show_as, made.sensitivity, made.importance) == ("Consultation", "tentative", "private", "high")
    assert made.start.date_time.startswith("2026-12-01T09:00:00") and made.start.time_zone == "UTC"
    assert made.original_start_time_zone == "W. Europe Standard Time" and made.i_cal_u_id and made.is_organizer
    again = add(graph, own, **timed("2026-12-01", transactionId="one"))
    assert again.id == made.id, "a repeated transactionId makes no second event"
    read = graph.run(event(graph, made).get(how(prefer=['outlook.timezone="W. Europe Standard Time"', 'outlook.body-content-type="text"'])))
    assert read.start.date_time.startswith("2026-12-01T10:00:00") and read.body.content.split() == ["Line", "Next"]
    changed = graph.run(event(graph, made).patch(model(Event, subject="Other", location={"displayName": ""}), how()))
    assert changed.subject == "Other" and not changed.location.display_name and etag(changed) != etag(made)
    assert graph.refused(event(graph, made).patch(model(Event, subject="Late"), how(etag=etag(made)))) == (412, "ErrorIrresolvableConflict")
    assert graph.run(event(graph, made).patch(model(Event, subject="In time"), how(etag=etag(changed)))).subject == "In time"
    assert graph.refused(event(graph, made).delete(how(etag=etag(made))))[0] == 412
    graph.run(event(graph, made).delete(how()))
    assert graph.refused(event(graph, made).get(how())) == (404, "ErrorItemNotFound")


def test_all_day_events_and_their_rules(graph, own):
    whole = {"isAllDay": True, "start": point("2026-12-01T00:00:00"), "end": point("2026-12-03T00:00:00")}
    made = add(graph, own, subject="Fair", **whole)
    assert made.is_all_day and made.start.date_time.startswith("2026-12-01T00:00:00")
    wrong = model(Event, subject="Fair", **(whole | {"end": point("2026-12-02T10:00:00")}))
    assert graph.refused(own.events.post(wrong, how())) == (400, "ErrorPropertyValidationFailure")


def test_extended_properties_are_kept_found_and_cleared(graph, own):
    made = add(graph, own, **timed("2026-12-01", singleValueExtendedProperties=[{"id": MARKER, "value": "mine"}]))
    add(graph, own, **timed("2026-12-02"))
    expand = [f"singleValueExtendedProperties($filter=id eq '{MARKER}')"]
    read = event(graph, made)
    assert graph.run(read.get(how(read, expand=expand))).single_value_extended_properties[0].value == "mine"
    wanted = f"singleValueExtendedProperties/Any(ep: ep/id eq '{MARKER}' and ep/value eq 'mine')"
    found = graph.run(own.events.get(how(own.events, filter=wanted, expand=expand))).value
    assert [one.id for one in found] == [made.id]


def test_a_series_with_a_moved_and_a_cancelled_occurrence(graph, own):
    made = add(graph, own, **timed("2026-12-01", recurrence={
        "pattern": {"type": "weekly", "interval": 1, "daysOfWeek": ["tuesday"], "firstDayOfWeek": "monday"},
        "range": {"type": "numbered", "startDate": "2026-12-01", "numberOfOccurrences": 4, "recurrenceTimeZone": "W. Europe Standard Time"}}))
    assert made.type == "seriesMaster" and made.recurrence.range.number_of_occurrences == 4

    def instances():
        builder = event(graph, made).instances
        return graph.run(builder.get(how(builder, start_date_time="2026-11-01T00:00:00Z", end_date_time="2027-03-01T00:00:00Z"))).value
    first = instances()
    assert [one.start.date_time[:10] for one in first] == ["2026-12-01", "2026-12-08", "2026-12-15", "2026-12-22"]
    assert all(one.type == "occurrence" and one.series_master_id == made.id for one in first)
    moved = graph.run(event(graph, first[1]).patch(model(Event, start=point("2026-12-09T12:00:00"), end=point("2026-12-09T13:00:00")), how()))
    assert moved.type == "exception" and moved.original_start.date().isoformat() == "2026-12-08"
    crossing = model(Event, start=point("2026-12-16T12:00:00"), end=point("2026-12-16T13:00:00"))
    assert graph.refused(event(graph, first[1]).patch(crossing, how())) == (400, "ErrorOccurrenceCrossingBoundary")
    graph.run(event(graph, first[2]).delete(how()))
    assert [one.start.date_time[:13] for one in instances()] == ["2026-12-01T09", "2026-12-09T11", "2026-12-22T09"]
    master = event(graph, made)
    seen = graph.run(master.get(how(master, select=["subject", "cancelledOccurrences", "exceptionOccurrences"], expand=["exceptionOccurrences"])))
    assert [one.id for one in seen.exception_occurrences] == [moved.id]
    assert [name.rsplit(".", 1)[1] for name in seen.cancelled_occurrences] == ["2026-12-15"]


def test_a_view_has_what_a_window_touches(graph, own):
    add(graph, own, **timed("2026-12-01"))
    add(graph, own, **timed("2027-12-01"))
    view = own.calendar_view
    found = graph.run(view.get(how(view, start_date_time="2026-11-01T00:00:00Z", end_date_time="2027-03-01T00:00:00Z"))).value
    assert [one.start.date_time[:4] for one in found] == ["2026"]


def rounds(graph, own, link=None, size=3):
    """A whole round of delta: (changed by id, ids removed, the link of the next round)."""
    builder = own.calendar_view.delta
    config = how(builder, start_date_time="2026-11-01T00:00:00Z", end_date_time="2027-03-01T00:00:00Z")
    if link:
        builder, config = builder.with_url(link), how()
    config.headers.add("Prefer", f"odata.maxpagesize={size}")
    changed, removed = {}, set()
    while True:
        page = graph.run(builder.get(config))
        for one in page.value:
            if "@removed" in one.additional_data:
                removed.add(one.id)
            else:
                changed[one.id] = one
        if page.odata_delta_link:
            return changed, removed, page.odata_delta_link
        builder, config = builder.with_url(page.odata_next_link), how(prefer=[f"odata.maxpagesize={size}"])


def test_delta_tells_by_pages_and_then_by_changes(graph, own, simulator):
    made = [add(graph, own, **timed(f"2026-12-0{number}")) for number in range(1, 6)]
    changed, removed, link = rounds(graph, own)
    assert set(changed) == {one.id for one in made} and not removed
    assert rounds(graph, own, link)[:2] == ({}, set())
    graph.run(event(graph, made[0]).patch(model(Event, subject="Edited"), how()))
    graph.run(event(graph, made[1]).delete(how()))
    changed, removed, link = rounds(graph, own, link)
    assert [one.subject for one in changed.values()] == ["Edited"] and removed == {made[1].id}
    simulator.control("graph/expire-delta", account=ACCOUNT)
    status, code = graph.refused(own.calendar_view.delta.with_url(link).get(how()))
    assert status == 410 and code in ("resyncRequired", "syncStateNotFound")
    assert len(rounds(graph, own)[0]) == 4


def subscription(receiver, resource, **more):
    soon = datetime.now(timezone.utc) + timedelta(days=2)
    return model(Subscription, **{
        "changeType": "created,updated,deleted", "notificationUrl": receiver.base + "/hook", "resource": resource, "clientState": "secret",
        "lifecycleNotificationUrl": receiver.base + "/lifecycle", "expirationDateTime": soon.strftime("%Y-%m-%dT%H:%M:%SZ")} | more)


def test_a_subscription_shakes_hands_calls_and_ends(graph, own, simulator):
    receiver = Receiver()
    try:
        calendar = graph.run(own.get())
        wanted = subscription(receiver, f"/me/calendars/{calendar.id}/events")
        made = graph.run(graph.client.subscriptions.post(wanted, how()))
        assert {call[0].split("?")[0] for call in receiver.calls} == {"/hook", "/lifecycle"}
        event_ = add(graph, own, **timed("2026-12-01"))
        _, _, body = receiver.wait(lambda path, headers, body: path == "/hook" and body)
        told = body["value"][0]
        assert (told["changeType"], told["clientState"], told["subscriptionId"]) == ("created", "secret", made.id)
        assert told["resourceData"]["id"] == event_.id
        renewed = datetime.now(timezone.utc).replace(microsecond=0) + timedelta(days=4)
        one = graph.client.subscriptions.by_subscription_id(made.id)
        assert graph.run(one.patch(model(Subscription, expirationDateTime=renewed.isoformat()))).expiration_date_time == renewed
        simulator.control("graph/lifecycle", account=ACCOUNT, event="reauthorizationRequired")
        receiver.wait(lambda path, headers, body: path == "/lifecycle" and body and body["value"][0]["lifecycleEvent"] == "reauthorizationRequired")
        graph.run(one.reauthorize.post())
        assert made.id in [one.id for one in graph.run(graph.client.subscriptions.get()).value]
        graph.run(one.delete())
        assert graph.refused(one.get())[0] == 404
    finally:
        receiver.stop()


def test_an_address_that_does_not_answer_cannot_be_subscribed(graph):
    receiver = Receiver()
    receiver.stop()
    status, code = graph.refused(graph.client.subscriptions.post(subscription(receiver, "/me/events"), how()))
    assert (status, code) == (400, "ValidationError")


def test_a_batch_has_an_answer_for_each_request(graph, own):
    made, gone = add(graph, own, **timed("2026-12-01")), add(graph, own, **timed("2026-12-02"))
    graph.run(event(graph, gone).delete(how()))
    batch = BatchRequestContent()
    for name, id in (("there", made.id), ("gone", gone.id)):
        info = graph.me.events.by_event_id(id).to_get_request_information(how())
        info.path_parameters["baseurl"] = graph.adapter.base_url
        one = BatchRequestItem(info, id=name)
        one.set_url("/me/events/" + quote(id, safe=""))  # left alone it writes the whole address, which the documents do not allow
        batch.add_request(name, one)
    answers = graph.run(graph.client.batch.post(batch))
    assert answers.get_response_status_codes() == {"there": 200, "gone": 404}
    body = next(one["body"] for one in graph.adapter.body["responses"] if one["id"] == "there")  # the client loses it
    found = model(Event, **body)
    assert found.id == made.id and not [*undefined(found), *lost(body, written(found))]


def test_free_and_busy_of_a_work_account(graph, own):
    add(graph, own, **timed("2027-05-03", "10:00", "11:00", showAs="busy"))
    body = model(GetSchedulePostRequestBody, schedules=[ACCOUNT, "nobody@contoso.test"], startTime=point("2027-05-03T08:00:00"),
                 endTime=point("2027-05-03T12:00:00"), availabilityViewInterval=60)
    found = {one.schedule_id: one for one in graph.run(graph.me.calendar.get_schedule.post(body)).value}
    assert found[ACCOUNT].availability_view[2] == "2" and found[ACCOUNT].availability_view[0] == "0"
    assert found["nobody@contoso.test"].error.response_code == "ErrorMailRecipientNotFound"


def test_a_personal_account_has_no_schedule(simulator):
    simulator.control("graph/account", email="pia@outlook.test", zone="UTC", work=False)
    tokens = sign_in(simulator, "microsoft", "pia@outlook.test", GRAPH_SCOPES)
    graph = Graph(simulator.origin, tokens["access_token"])
    body = model(GetSchedulePostRequestBody, schedules=["pia@outlook.test"], startTime=point("2026-12-01T08:00:00"),
                 endTime=point("2026-12-01T12:00:00"))
    assert graph.refused(graph.me.calendar.get_schedule.post(body))[0] == 403
    graph.close()


def test_microsofts_client_waits_when_it_is_told_to(graph, simulator):
    simulator.fail("status", service="graph", code=429, retry_after=1, target="/me/calendars")
    before = len(simulator.log())
    assert graph.run(graph.me.calendars.get()).value
    assert sorted(one["status"] for one in simulator.log()[:len(simulator.log()) - before]) == [200, 429]


def test_a_meeting_on_line(graph, own):
    made = add(graph, own, **timed("2026-12-01", isOnlineMeeting=True, onlineMeetingProvider="teamsForBusiness"))
    assert made.is_online_meeting and graph.run(event(graph, made).get(how())).online_meeting.join_url.startswith("https://")
