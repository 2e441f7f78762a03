"""vdirsyncer between a folder of files and the server, both ways."""

import subprocess

import pytest
from kalends import APPLE, DAV, Calendar, event

CONFIG = """
[general]
status_path = "{folder}/status"

[pair sync]
a = "here"
b = "there"
collections = {collections}
conflict_resolution = {conflict}
metadata = ["displayname", "color"]

[storage here]
type = "filesystem"
path = "{folder}/files"
fileext = ".ics"

[storage there]
type = "caldav"
url = "{url}"
username = "{user}"
password = "{password}"
"""


class Pair:
    def __init__(self, folder, server, user):
        self.folder, self.server, self.user = folder, server, user
        self.files = folder / "files" / "calendar"
        self.configure("null")

    def configure(self, conflict, collections='["from a", "from b"]'):
        (self.folder / "config").write_text(CONFIG.format(
            folder=self.folder, url=self.server.base + "/", user=self.user.user, password=self.user.password,
            conflict=conflict, collections=collections))

    def run(self, *arguments, check=True):
        done = subprocess.run(["vdirsyncer", "-c", str(self.folder / "config"), *arguments], input="y\n" * 20,
                              capture_output=True, text=True, timeout=120)
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done.returncode, done.stdout + done.stderr

    def sync(self):
        return self.run("sync")


@pytest.fixture
def pair(tmp_path, server, user):
    pair = Pair(tmp_path, server, user)
    pair.run("discover")
    return pair


def test_discovery_from_the_bare_host_finds_all_calendars(pair):
    assert {path.name for path in (pair.folder / "files").iterdir()} >= {"calendar", "sessions"}


def test_a_folder_made_here_becomes_a_calendar_there(pair, server, user):
    (pair.folder / "files" / "made-here").mkdir()
    pair.run("discover")
    (pair.folder / "files" / "made-here" / "x.ics").write_bytes(event("x"))
    pair.sync()
    assert len(Calendar(server, user, "made-here").etags()) == 1


def unix(text):
    """vdirsyncer may change line ends."""
    return text.replace(b"\r\n", b"\n").strip()


def test_edits_and_deletions_travel_both_ways(pair, calendar):
    (pair.files / "mine.ics").write_bytes(event("mine", "From here"))
    assert calendar.put("yours.ics", event("yours", "From there")).status == 201
    pair.sync()
    assert len(calendar.etags()) == 2
    here = {unix(path.read_bytes()) for path in pair.files.glob("*.ics")}
    assert unix(event("yours", "From there")) in here

    # an edit on each side
    (pair.files / "mine.ics").write_bytes(event("mine", "Edited here"))
    assert calendar.put("yours.ics", event("yours", "Edited there")).status == 204
    pair.sync()
    texts = b"".join(calendar.http.ask("GET", href).body for href in calendar.etags())
    assert b"Edited here" in texts and b"Edited there" in texts
    assert b"Edited there" in b"".join(path.read_bytes() for path in pair.files.glob("*.ics"))

    # a deletion on each side
    (pair.files / "mine.ics").unlink()
    assert calendar.delete("yours.ics").status == 204
    pair.sync()
    assert (list(pair.files.glob("*.ics")), calendar.etags()) == ([], {})
    assert "conflict" not in pair.sync()[1].lower()


def test_a_conflict_is_seen_and_settled_as_told(pair, calendar):
    (pair.files / "x.ics").write_bytes(event("x", "First"))
    pair.sync()
    (href,) = calendar.etags()
    (pair.files / "x.ics").write_bytes(event("x", "Here"))
    assert calendar.http.ask("PUT", href, event("x", "There"), Content_Type="text/calendar").status == 204
    code, words = pair.run("sync", check=False)
    assert code != 0 and "conflict" in words.lower()
    pair.configure('"b wins"')
    pair.run("discover")
    pair.sync()
    assert b"There" in (pair.files / "x.ics").read_bytes()


def test_name_and_colour_travel(pair, calendar):
    pair.run("metasync")
    assert (pair.files / "displayname").read_text().strip()
    (pair.files / "displayname").write_text("Named here")
    (pair.files / "color").write_text("#112233")
    pair.run("metasync")
    found, _ = calendar.http.propfind(calendar.path, (DAV, "displayname"), (APPLE, "calendar-color")).responses()
    (values,) = found.values()
    assert values[f"{{{DAV}}}displayname"].text == "Named here"
    assert values[f"{{{APPLE}}}calendar-color"].text.lower().startswith("#112233")
    body = (f'<propertyupdate xmlns="DAV:"><set><prop><displayname>Named there</displayname></prop></set>'
            f'</propertyupdate>')
    assert calendar.http.ask("PROPPATCH", calendar.path, body, Content_Type="application/xml").status == 207
    pair.run("metasync")
    assert (pair.files / "displayname").read_text().strip() == "Named there"


def test_five_hundred_events_arrive_in_one_run(pair, calendar):
    for number in range(500):
        (pair.files / f"{number}.ics").write_bytes(event(f"bulk-{number}", f"Number {number}"))
    pair.sync()
    assert len(calendar.etags()) == 500
    for path in pair.files.glob("*.ics"):
        path.unlink()
    pair.run("sync", "--force-delete")
    assert calendar.etags() == {}
