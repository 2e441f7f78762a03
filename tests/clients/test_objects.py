"""Objects come back byte for byte, other people's files included; what cannot be stored is refused by name."""

import collections
from pathlib import Path

import pytest
from corpus import files, pieces
from kalends import Calendar, event, shared

FOLDED = ("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:folded\r\nDTSTAMP:20261101T080000Z\r\n"
          "DTSTART:20261120T090000Z\r\nSUMMARY:" + "ü" * 20 + "\r\n \r\n\t" + "€" * 30 + "\r\n"
          "X-UNKNOWN;X-P=\"a;b\":kept\r\nBEGIN:X-THING\r\nX-A:1\r\nEND:X-THING\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n").encode()


@pytest.mark.parametrize("body", [
    event("plain"),
    event("bare-lf").replace(b"\r\n", b"\n"),
    b"\xef\xbb\xbf" + event("bom"),
    event("no-last-newline").rstrip(),
    FOLDED,
    FOLDED.replace("ü".encode() * 20, "ü".encode() * 20 + b"\r\n "),
], ids=["crlf", "lf", "bom", "end", "folded", "folded-twice"])
def test_what_is_put_is_what_is_got(calendar, body):
    put = calendar.put("x.ics", body, If_None_Match="*")
    assert put.status == 201, put.body
    got = calendar.get("x.ics")
    assert (got.status, got.body) == (200, body)
    assert got.headers["etag"] == put.headers["etag"]
    assert "content-encoding" not in got.headers
    assert calendar.put("x.ics", body, If_None_Match="*").status == 412
    assert calendar.put("x.ics", body, If_Match='"other"').status == 412
    assert calendar.put("x.ics", body.replace(b"x", b"x"), If_Match=put.headers["etag"]).status in (200, 204)
    assert calendar.delete("x.ics", If_Match='"other"').status == 412
    assert calendar.delete("x.ics").status in (200, 204)
    assert calendar.get("x.ics").status == 404
    assert calendar.put("x.ics", body, If_None_Match="*").status == 201, "a deleted UID can come again"


@pytest.mark.parametrize("name", ["with space.ics", "ünï.ics", "a+b@c.ics", "no-suffix", "100%.ics", "a;b,c.ics", "x" * 200])
def test_any_object_name_is_taken(calendar, name):
    assert calendar.put(name, event(f"uid of {name}")).status == 201
    assert calendar.get(name).body == event(f"uid of {name}")
    assert len(calendar.etags()) == 1


@pytest.mark.parametrize("body, condition", [
    (b"", "valid-calendar-data"),
    (b"hello", "valid-calendar-data"),
    (event("x").replace(b"END:VCALENDAR", b""), "valid-calendar-data"),
    (event("x").replace(b"VERSION:2.0\r\n", b"VERSION:2.0\r\nMETHOD:REQUEST\r\n"), "valid-calendar-object-resource"),
    (event("x").replace(b"UID:x\r\n", b""), "valid-calendar-object-resource"),
    (event("x").replace(b"END:VCALENDAR", event("y").split(b"PRODID:-//Kalends//tests//EN\r\n")[1].strip()),
     "valid-calendar-object-resource"),
    (event("x").replace(b"VEVENT", b"VPOLL"), "supported-calendar-component"),
])
def test_refusals_name_their_condition(calendar, body, condition):
    reply = calendar.put("x.ics", body)
    assert reply.status in (403, 409, 415) and condition in reply.conditions(), (reply.status, reply.body)
    assert calendar.get("x.ics").status == 404


def test_one_uid_lives_once_in_a_calendar(calendar):
    assert calendar.put("a.ics", event("same")).status == 201
    reply = calendar.put("b.ics", event("same"))
    assert reply.status in (403, 409) and "no-uid-conflict" in reply.conditions()
    assert b"a.ics" in reply.body


def reason(reply):
    return reply.xml().findtext("{DAV:}responsedescription") or ""


CORPUS = pytest.mark.skipif(shared() is None, reason="no shared corpus beside the repository (KALENDS_SHARED)")


#: Which pieces are refused, and by which precondition.
REFUSED = dict(line.rsplit(" ", 1) for line in (Path(__file__).parent / "corpus-refused.txt").read_text().splitlines()
               if not line.startswith("#"))


@CORPUS
def test_other_peoples_files_come_back_byte_for_byte(calendar):
    stored, refused, wrong = 0, {}, []
    base = shared() / "corpus/ics"
    for path in files(shared(), "valid", "quirky", "recurrence"):
        for piece in pieces(path):
            name = str(path.parent.relative_to(base) / piece.name)
            put = calendar.put("piece.ics", piece.body)
            if put.status == 201:
                got = calendar.get("piece.ics")
                if (got.status, got.body) != (200, piece.body):
                    wrong.append(f"{name}: comes back changed ({got.status})")
                if got.headers.get("etag") != put.headers.get("etag"):
                    wrong.append(f"{name}: ETag of PUT and GET differ")
                assert calendar.delete("piece.ics").status in (200, 204)
                stored += 1
            elif put.status >= 500 or not put.conditions():
                wrong.append(f"{name}: {put.status} without a condition: {put.body[:200]}")
            else:
                refused[name] = put.conditions()[0]
                if "line " not in reason(put):
                    wrong.append(f"{name}: {refused[name]} without a place: {reason(put)}")
    print(f"{stored} stored and byte-identical, {len(refused)} refused: {dict(collections.Counter(refused.values()))}")
    assert not wrong, "\n".join(wrong)
    assert refused == REFUSED


@CORPUS
def test_broken_files_are_refused_or_stored_whole_and_never_hurt(calendar):
    for path in files(shared(), "invalid"):
        body = path.read_bytes()
        put = calendar.put("piece.ics", body)
        if put.status == 201:
            assert calendar.get("piece.ics").body == body, path
            calendar.delete("piece.ics")
        else:
            assert put.status in (403, 409, 413, 415) and put.conditions(), (path, put.status, put.body[:200])
    assert calendar.put("after.ics", event("after")).status == 201
