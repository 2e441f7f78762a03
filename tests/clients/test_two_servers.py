"""Two servers on one PostgreSQL database: writers on both, followers on both, no change lost and none told twice."""

import re
import threading
import time
from urllib.parse import unquote

import pytest
from conftest import POSTGRES
from kalends import Calendar, Server, event

pytestmark = pytest.mark.skipif(not POSTGRES, reason="one database for two servers: KALENDS_TEST_POSTGRES is not set")
WRITERS, WRITES = 6, 40


@pytest.fixture
def second(server, folder, database):
    """Another process on the same database and the same key."""
    other = Server(server.folder, database, variables=server.variables, account=server.account).start()
    yield other
    assert other.stop() == 0


class Writer(threading.Thread):
    """Puts, changes and deletes names of its own, each through either server; remembers what it was told."""

    def __init__(self, number, calendars):
        super().__init__()
        self.number, self.calendars, self.state, self.faults = number, calendars, {}, []

    def run(self):
        for turn in range(WRITES):
            calendar = self.calendars[turn % 2]
            name = f"w{self.number}-{turn % 9}.ics"
            if name in self.state and turn % 5 == 4:
                reply = calendar.delete(name, If_Match=self.state.pop(name))
                good = reply.status == 204
            else:
                guard = {"If_Match": self.state[name]} if name in self.state else {"If_None_Match": "*"}
                reply = calendar.put(name, event(name, f"turn {turn}"), **guard)
                good = reply.status in (201, 204) and "etag" in reply.headers
                self.state[name] = reply.headers.get("etag")
            if not good:
                self.faults.append(f"{name} turn {turn}: {reply.status} {reply.body[:200]}")
                return


class Follower(threading.Thread):
    """A client that syncs from its last token, on either server in turn, until the writers are done."""

    def __init__(self, calendars, done):
        super().__init__()
        self.calendars, self.done, self.copy, self.faults, self.token, self.turns = calendars, done, {}, [], "", 0

    def run(self):
        last = False
        while not last:
            last = self.done.is_set()
            self.step()

    def step(self):
        self.turns += 1
        calendar = self.calendars[self.turns % 2]
        found, gone, token = calendar.sync(self.token)
        for href, values in found.items():
            name, etag = unquote(href.rsplit("/", 1)[1]), values["{DAV:}getetag"].text
            if self.copy.get(name) == etag:
                self.faults.append(f"{name} {etag}: told again after {self.token}")
            self.copy[name] = etag
        for href in gone:
            # A name that came and went between two questions may be told as gone.
            self.copy.pop(unquote(href.rsplit("/", 1)[1]), None)
        if (found or gone) == {} and token != self.token and self.token:
            self.faults.append(f"no change, but {self.token} became {token}")
        self.token = token


def test_concurrent_writers_and_followers_agree(server, second, user):
    def both():
        return [Calendar(one, user, "shared") for one in (server, second)]
    both()[0].make()
    done = threading.Event()
    writers = [Writer(number, both()) for number in range(WRITERS)]
    followers = [Follower(both(), done) for _ in range(4)]
    for thread in writers + followers:
        thread.start()
    for writer in writers:
        writer.join()
    done.set()
    for follower in followers:
        follower.join()
    assert [fault for thread in writers + followers for fault in thread.faults] == []
    truth = {name: etag for writer in writers for name, etag in writer.state.items()}
    for calendar in both():
        listed = {unquote(href.rsplit("/", 1)[1]): etag for href, etag in calendar.etags().items()}
        assert listed == truth
    for follower in followers:
        assert follower.copy == truth, "a follower missed a change"
        assert follower.turns > 3


def test_racing_creators_of_one_name_and_one_uid(server, second, user):
    calendars = [Calendar(one, user, "race") for one in (server, second)]
    calendars[0].make()
    for turn in range(10):
        replies = []

        def create(calendar, name, uid):
            replies.append(calendar.put(name, event(uid, str(turn)), If_None_Match="*").status)
        threads = [threading.Thread(target=create, args=(Calendar(one, user, "race"), f"{kind}{turn}{suffix}", f"{kind}{turn}"))
                   for kind, suffixes in (("name", ("", "")), ("uid", ("a", "b")))
                   for one, suffix in zip((server, second), suffixes)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert replies.count(201) == 2, replies
    assert len(calendars[1].etags()) == 20


def test_a_revoked_app_password_is_dead_on_both_within_five_seconds(server, second):


    account = server.new_user()
    assert second.http(account).propfind("/dav/").status == 207
    assert server.http(account).propfind("/dav/").status == 207
    _, listed, _ = server.cli("app-password", "list", account.user, "--json")
    server.cli("app-password", "revoke", account.user, re.search(r'"id":\s*(\d+)', listed)[1])
    time.sleep(5)
    assert [one.http(account).propfind("/dav/").status for one in (server, second)] == [401, 401]
