"""No room for the database: a limit on the size of the server's files is what a full disk or a quota is to it."""

import json
import resource

import pytest
from conftest import POSTGRES
from kalends import Calendar, Server, event


@pytest.fixture
def alone(folder):
    """A server that nobody else of this run needs."""
    one = Server(folder / "full").start()
    yield one
    assert one.stop() == 0


def limit(server, size):
    _, hard = resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (size, hard))


def large(number):
    return event(f"large-{number}", more=f"DESCRIPTION:{'x' * 100_000}\r\n")


@pytest.mark.skipif(bool(POSTGRES), reason="PostgreSQL's disk is not ours to fill")
def test_a_full_disk_refuses_whole_writes_and_everything_else_goes_on(alone):
    calendar = Calendar(alone)
    assert calendar.put("first.ics", event("first")).status == 201
    largest = max(path.stat().st_size for path in alone.folder.rglob("*") if path.is_file())
    limit(alone, largest + (1 << 20))

    answers = [calendar.put(f"{i}.ics", large(i)) for i in range(30)]
    stored = {i for i, answer in enumerate(answers) if answer.status == 201}
    refused = [answer for answer in answers if answer.status != 201]
    assert stored and refused
    for answer in refused:
        assert answer.status == 507 and b"no room" in answer.body, (answer.status, answer.body)
    session = {"title": "x", "description": "x" * 300_000, "start": "2026-11-20T09:00:00Z", "end": "2026-11-20T10:00:00Z"}
    posted = calendar.http.ask("POST", "/api/v1/sessions", json.dumps(session), Content_Type="application/json")
    assert posted.status == 507 and b"urn:kalends:problem:insufficient-storage" in posted.body, (posted.status, posted.body)

    assert calendar.get("first.ics").body == event("first")
    assert set(calendar.etags()) == {calendar.path + name for name in ["first.ics", *(f"{i}.ics" for i in stored)]}
    assert alone.http().ask("GET", "/readyz").status == 200

    limit(alone, resource.RLIM_INFINITY)
    for i, answer in enumerate(answers):
        if answer.status != 201:
            assert calendar.put(f"{i}.ics", large(i)).status == 201
    assert all(calendar.get(f"{i}.ics").body == large(i) for i in range(30))
    alone.cli("verify")
