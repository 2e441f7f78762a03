"""`kalends import` gives a verdict for each event and loses none silently; `export` gives them back."""

import re

import icalendar
import pytest
from corpus import files, pieces
from kalends import Calendar, event, shared


def verdicts(out):
    """Lines that speak of one event: (word, rest)."""
    return [line for line in out.splitlines() if line.strip()]


def test_a_file_of_many_is_split_by_uid(server, user, calendar, tmp_path):
    both = event("one").replace(b"END:VCALENDAR\r\n", b"") + event("two").split(b"tests//EN\r\n")[1]
    (tmp_path / "both.ics").write_bytes(both)
    _, out, _ = server.cli("import", user.user, "calendar", tmp_path / "both.ics")
    assert "one" in out and "two" in out
    assert len(calendar.etags()) == 2
    _, exported, _ = server.cli("export", user.user, "calendar")
    assert {e["UID"] for e in icalendar.Calendar.from_ical(exported).walk("VEVENT")} == {"one", "two"}


def test_a_dry_run_stores_nothing(server, user, calendar, tmp_path):
    (tmp_path / "a.ics").write_bytes(event("one"))
    server.cli("import", user.user, "calendar", tmp_path / "a.ics", "--dry-run")
    assert calendar.etags() == {}


def test_again_is_not_twice(server, user, calendar, tmp_path):
    (tmp_path / "a.ics").write_bytes(event("one"))
    for _ in range(2):
        server.cli("import", user.user, "calendar", tmp_path / "a.ics")
    assert len(calendar.etags()) == 1


@pytest.mark.skipif(shared() is None, reason="no shared corpus beside the repository (KALENDS_SHARED)")
def test_every_uid_of_other_peoples_files_gets_a_verdict(server, user, calendar):
    paths = files(shared(), "valid", "quirky", "recurrence", "invalid")
    wanted = sum(len([p for p in pieces(path)]) for path in paths)
    _, out, err = server.cli("import", user.user, "calendar", *paths, check=False)
    told = verdicts(out)
    print(out[-2000:], err[-500:])
    assert len(told) >= wanted * 0.9
    for path in files(shared(), "valid", "quirky", "recurrence"):
        events = re.search(rb"(?mi)^BEGIN:(VEVENT|VTODO|VJOURNAL)\b", path.read_bytes())
        assert not events or path.name in out + err, f"{path.name}: no verdict"
    assert not re.search(r"panicked|internal error", out + err)
