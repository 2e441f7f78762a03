"""python-caldav, as its users use it."""

import datetime as dt

import caldav
import pytest
from caldav.elements import dav, ical

UTC = dt.timezone.utc


def at(day, hour):
    return dt.datetime(2026, 11, day, hour, tzinfo=UTC)


@pytest.fixture
def principal(server, user):
    with caldav.DAVClient(url=server.base, username=user.user, password=user.password) as client:
        yield client.principal()


@pytest.fixture
def work(principal):
    return principal.make_calendar(name="Work & more", cal_id="work")


def test_the_bare_host_is_enough(principal, user):
    assert {calendar.url.path.rstrip("/").split("/")[-1] for calendar in principal.calendars()} >= {"calendar", "sessions"}
    assert f"mailto:{user.user}@example.org" in principal.calendar_user_address_set()


def test_a_calendar_is_made_renamed_coloured_and_deleted(principal, work):
    assert work.get_display_name() == "Work & more"
    work.set_properties([dav.DisplayName("Renamed"), ical.CalendarColor("#FF8800FF")])
    values = work.get_properties([dav.DisplayName(), ical.CalendarColor()])
    assert set(values.values()) == {"Renamed", "#FF8800FF"}
    assert "Renamed" in [calendar.get_display_name() for calendar in principal.calendars()]
    before = len(principal.calendars())
    work.delete()
    assert len(principal.calendars()) == before - 1
    again = principal.make_calendar(name="Work again", cal_id="work")
    assert again.get_display_name() == "Work again" and again.events() == []


def test_an_event_is_saved_edited_and_deleted(work):
    saved = work.save_event(dtstart=at(20, 9), dtend=at(20, 10), summary="Coaching", uid="one")
    assert [e.icalendar_component["SUMMARY"] for e in work.events()] == ["Coaching"]
    found = work.event_by_uid("one")
    found.icalendar_component["SUMMARY"] = "Moved"
    found.save()
    saved.load()
    assert saved.icalendar_component["SUMMARY"] == "Moved"
    saved.delete()
    with pytest.raises(caldav.error.NotFoundError):
        work.event_by_uid("one")


def test_todos_are_listed_until_they_are_done(work):
    todo = work.save_todo(summary="Prepare", due=at(21, 12), uid="todo")
    work.save_todo(summary="Later", due=at(22, 12), uid="later")
    assert {t.icalendar_component["SUMMARY"] for t in work.todos()} == {"Prepare", "Later"}
    todo.complete()
    assert [t.icalendar_component["SUMMARY"] for t in work.todos()] == ["Later"]
    assert len(work.todos(include_completed=True)) == 2


def test_journals_are_kept(work):
    work.save_journal(summary="Notes", dtstart=dt.date(2026, 11, 20), uid="journal", description="x\ny")
    assert [j.icalendar_component["DESCRIPTION"] for j in work.journals()] == ["x\ny"]


def test_a_search_expands_recurrences(work):
    work.save_event(dtstart=at(2, 9), dtend=at(2, 10), summary="Weekly", uid="weekly",
                    rrule={"FREQ": "WEEKLY", "COUNT": 5})
    whole = work.search(start=at(8, 0), end=at(24, 0), event=True, expand=False)
    assert len(whole) == 1
    for how in ({"expand": True}, {"server_expand": True}):
        parts = work.search(start=at(8, 0), end=at(24, 0), event=True, **how)
        starts = sorted(c["DTSTART"].dt for e in parts for c in e.icalendar_instance.walk("VEVENT"))
        assert starts == [at(9, 9), at(16, 9), at(23, 9)], how
    assert work.search(start=at(3, 0), end=at(4, 0), event=True, expand=True) == []


def test_a_search_looks_into_text(work):
    work.save_event(dtstart=at(20, 9), dtend=at(20, 10), summary="Vernissage", uid="v", location="Zürich")
    work.save_event(dtstart=at(20, 9), dtend=at(20, 10), summary="Other", uid="o")
    assert [e.icalendar_component["UID"] for e in work.search(event=True, summary="nissa")] == ["v"]
    assert [e.icalendar_component["UID"] for e in work.search(event=True, location="Zürich")] == ["v"]


def test_sync_tokens_tell_each_change_once(work):
    first = work.save_event(dtstart=at(20, 9), dtend=at(20, 10), summary="A", uid="a")
    changes = work.objects_by_sync_token(load_objects=True)
    assert len(list(changes)) == 1
    work.save_event(dtstart=at(21, 9), dtend=at(21, 10), summary="B", uid="b")
    changes = work.objects_by_sync_token(sync_token=changes.sync_token, load_objects=True)
    assert [e.icalendar_component["UID"] for e in changes] == ["b"]
    first.delete()
    changes = work.objects_by_sync_token(sync_token=changes.sync_token)
    assert [e.url.path.split("/")[-1] for e in changes] == [first.url.path.split("/")[-1]]
    assert list(work.objects_by_sync_token(sync_token=changes.sync_token)) == []


def test_synchronised_collection_follows(work):
    mine = work.get_objects_by_sync_token(load_objects=True) if hasattr(work, "get_objects_by_sync_token") else \
        work.objects_by_sync_token(load_objects=True)
    work.save_event(dtstart=at(20, 9), dtend=at(20, 10), summary="A", uid="a")
    updated, deleted = mine.sync()
    assert (len(list(updated)), len(list(deleted))) == (1, 0)
    work.event_by_uid("a").delete()
    updated, deleted = mine.sync()
    assert (len(list(updated)), len(list(deleted))) == (0, 1)


def test_freebusy_of_a_calendar(work):
    work.save_event(dtstart=at(20, 9), dtend=at(20, 10), summary="A", uid="a")
    work.save_event(dtstart=at(20, 12), dtend=at(20, 13), summary="B", uid="b", transp="TRANSPARENT")
    busy = work.freebusy_request(at(20, 0), at(21, 0))
    text = busy.data.replace("\r\n ", "")
    assert "VFREEBUSY" in text and "20261120T090000Z/" in text and "120000Z" not in text


def test_an_object_is_multigot(work):
    urls = [work.save_event(dtstart=at(20, n), dtend=at(20, n + 1), summary=f"E{n}", uid=f"e{n}").url for n in range(5)]
    got = list(work.multiget(urls))
    assert {e.icalendar_component["SUMMARY"] for e in got} == {f"E{n}" for n in range(5)}
