#!/usr/bin/env python3
"""kill -9 under write load: what was acknowledged is there, nothing is half there, and sync goes on from its old token.

Several writers put, change and delete objects and remember what the server said. Then the server is killed, started again
and asked for everything: each object has to be as its last acknowledged write left it, or as the one write that was under
way at the moment of the kill would have. Standard library only.
"""

import argparse
import http.client
import random
import re
import shutil
import sys
import tempfile
import threading
import time
from pathlib import Path
from urllib.parse import unquote

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "clients"))
from kalends import DAV, Calendar, Server, event, new_database  # noqa: E402

ABSENT = None
UNKNOWN = object()


class Writer(threading.Thread):
    """Writes until the server is gone. `state`: name → (acknowledged body or ABSENT, body under way or UNKNOWN)."""

    def __init__(self, number, server, dice, state):
        super().__init__(daemon=True)
        self.number, self.dice, self.state = number, dice, state
        self.calendar = Calendar(server)
        self.acknowledged, self.faults, self.stopping = 0, [], False

    def run(self):
        try:
            while not self.stopping:
                self.step()
        except OSError:
            pass  # killed: the entry with something under way says so
        except Exception as fault:
            if not isinstance(fault, http.client.HTTPException):
                self.faults.append(f"writer {self.number}: {fault!r}")

    def step(self):
        name = f"w{self.number}-{self.dice.randrange(60)}.ics"
        before, _ = self.state.get(name, (ABSENT, UNKNOWN))
        if before is not ABSENT and self.dice.random() < 0.2:
            self.state[name] = (before, ABSENT)
            reply, after = self.calendar.delete(name), ABSENT
            expected = (200, 204)
        else:
            filler = "X-FILLER:" + "x" * self.dice.randrange(4000) + "\r\n"
            after = event(name, f"Written {time.monotonic_ns()}", more=filler)
            self.state[name] = (before, after)
            reply = self.calendar.put(name, after)
            expected = (201,) if before is ABSENT else (204,)
        if reply.status in expected:
            self.state[name] = (after, UNKNOWN)
            self.acknowledged += 1
        else:
            self.faults.append(f"{name}: {reply.status} {reply.body[:200]}")
            self.stopping = True


def round_of_writing(server, dice, state, writers):
    """Writes for a moment, kills, starts again; (acknowledged writes, faults)."""
    crew = [Writer(n, server, random.Random(dice.random()), state) for n in range(writers)]
    for writer in crew:
        writer.start()
    time.sleep(dice.uniform(0.05, 0.6))
    server.kill()
    for writer in crew:
        writer.join(30)
    server.start()
    return sum(writer.acknowledged for writer in crew), [fault for writer in crew for fault in writer.faults]


def verify_objects(calendar, state):
    """Settles what was under way, and names each object that is not as it has to be."""
    faults = []
    present = {unquote(href.rsplit("/", 1)[1]): etag for href, etag in calendar.etags().items()}
    for name, (acknowledged, under_way) in list(state.items()):
        reply = calendar.get(name)
        body = reply.body if reply.status == 200 else ABSENT
        if reply.status not in (200, 404):
            faults.append(f"{name}: {reply.status}")
        elif body != acknowledged and (under_way is UNKNOWN or body != under_way):
            what = "lost" if body is ABSENT else "other content" if acknowledged else "came back"
            faults.append(f"{name}: {what}")
        if (name in present) != (body is not ABSENT):
            faults.append(f"{name}: listing and GET disagree")
        state[name] = (body, UNKNOWN)
    faults += [f"{name}: nobody wrote it" for name in present if name not in state]
    return faults


def verify_sync(calendar, token, before, state):
    """From the token of before the kill: every difference is told; the new token is a later one."""
    faults = []
    found, gone, after = calendar.sync(token)
    told = {unquote(href.rsplit("/", 1)[1]) for href in found}
    deleted = {unquote(href.rsplit("/", 1)[1]) for href, status in gone.items() if status == 404}
    for name, (body, _) in state.items():
        if body == before.get(name, ABSENT):
            continue
        if name not in (deleted if body is ABSENT else told):
            faults.append(f"{name}: changed, but sync does not tell")
    faults += [f"{name}: told as present, but it is not" for name in told if state.get(name, (ABSENT,))[0] is ABSENT]
    if number(after) < number(token):
        faults.append(f"sync token went back: {token} → {after}")
    found, gone, again = calendar.sync(after)
    if found or gone or again != after:
        faults.append(f"nothing happened since {after}, but sync tells {len(found)} + {len(gone)} changes")
    return after, faults


def number(token):
    """The counting part of a token: its last group of digits."""
    digits = re.findall(r"\d+", token)
    return int(digits[-1]) if digits else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--writers", type=int, default=6)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 100000)
    parser.add_argument("--postgres", metavar="URL", help="use a new database there instead of SQLite")
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    dice, state, total, failed = random.Random(options.seed), {}, 0, 0
    folder = Path(tempfile.mkdtemp(prefix="kalends-crash-"))
    database = new_database(options.postgres)[0] if options.postgres else None
    server = Server(folder, database).start()
    try:
        calendar = Calendar(server)
        _, _, token = calendar.sync()
        for kill in range(1, options.kills + 1):
            before = {name: body for name, (body, _) in state.items()}
            acknowledged, faults = round_of_writing(server, dice, state, options.writers)
            calendar = Calendar(server)
            faults += verify_objects(calendar, state)
            token, more = verify_sync(calendar, token, before, state)
            code, out, err = server.cli("verify", check=False)
            faults += more + ([f"verify: {out}{err}"] if code else [])
            total += acknowledged
            failed += bool(faults)
            print(f"kill {kill}: {acknowledged} acknowledged, {len(state)} names, {'; '.join(faults) or 'all there'}", flush=True)
            if acknowledged == 0:
                failed += 1
                print("no write was acknowledged: this shows nothing", flush=True)
        print(f"{options.kills - failed} kills survived, {failed} failed, {total} acknowledged writes", flush=True)
    finally:
        server.kill()
        if failed:
            print(f"kept: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
