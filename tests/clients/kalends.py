"""The real binary under test: started on a fresh data folder and a free port, asked over plain HTTP.

Standard library only, so that tests/crash can use it on a bare machine.
"""

import base64
import http.client
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import time
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, urlsplit

ROOT = Path(__file__).resolve().parent.parent.parent
DAV, CAL, CS, APPLE = "DAV:", "urn:ietf:params:xml:ns:caldav", "http://calendarserver.org/ns/", "http://apple.com/ns/ical/"
EVENT = """BEGIN:VCALENDAR\r
VERSION:2.0\r
PRODID:-//Kalends//tests//EN\r
BEGIN:VEVENT\r
UID:{uid}\r
DTSTAMP:20261101T080000Z\r
DTSTART:{start}\r
DTEND:{end}\r
SUMMARY:{summary}\r
{more}END:VEVENT\r
END:VCALENDAR\r
"""


def event(uid, summary="Consultation", start="20261120T090000Z", end="20261120T100000Z", more=""):
    return EVENT.format(uid=uid, summary=summary, start=start, end=end, more=more).encode()


def binary():
    given = os.environ.get("KALENDS_TEST_BINARY")
    found = [given] if given else [str(ROOT / "target" / kind / "kalends") for kind in ("debug", "release")]
    for path in found:
        if os.access(path, os.X_OK):
            return path
    raise SystemExit(f"no binary at {' or '.join(found)}: cargo build first, or set KALENDS_TEST_BINARY")


def shared():
    """Third-party data for tests, which is not part of the repository; None where it is absent."""
    for path in (os.environ.get("KALENDS_SHARED"), ROOT.parent / "shared"):
        if path and Path(path).is_dir():
            return Path(path)
    return None


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@dataclass
class Reply:
    status: int
    headers: dict
    body: bytes

    def xml(self):
        return ET.fromstring(self.body)

    def conditions(self):
        """Names of the elements in a DAV:error body: why the request was refused."""
        try:
            root = ET.fromstring(self.body)
        except ET.ParseError:
            return []
        return [element.tag.split("}")[-1] for element in root] if root.tag == f"{{{DAV}}}error" else []

    def responses(self):
        """A multistatus as {href: {property: element}} of what has status 200, and {href: status} of the rest."""
        found, gone = {}, {}
        for response in self.xml().iter(f"{{{DAV}}}response"):
            href = response.findtext(f"{{{DAV}}}href")
            if status := response.findtext(f"{{{DAV}}}status"):
                gone[href] = int(status.split()[1])
                continue
            found[href] = {
                element.tag: element
                for propstat in response.iter(f"{{{DAV}}}propstat")
                if " 200 " in propstat.findtext(f"{{{DAV}}}status") + " "
                for element in propstat.find(f"{{{DAV}}}prop")
            }
        return found, gone


#: Accounts that this run has used: their secrets must not be in any log.
USED = []


@dataclass
class Account:
    user: str
    password: str

    def __post_init__(self):
        if len(self.password) > 12:
            USED.append(self)

    def header(self):
        pair = f"{self.user}:{self.password}".encode()
        return {"Authorization": "Basic " + base64.b64encode(pair).decode()}


class Http:
    """One keep-alive connection; opened again when the server closed it."""

    def __init__(self, port, account=None):
        self.port, self.account, self.connection = port, account, None

    def ask(self, method, path, body=None, timeout=60, **headers):
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.account and "Authorization" not in sent:
            sent |= self.account.header()
        sent = {name: value for name, value in sent.items() if value is not None}
        body = body.encode() if isinstance(body, str) else body
        for fresh in (False, True):
            if self.connection is None or fresh:
                self.close()
                self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
                fresh = True
            try:
                self.connection.request(method, path, body=body, headers=sent)
                answer = self.connection.getresponse()
                names = {name.lower(): value for name, value in answer.getheaders()}
                return Reply(answer.status, names, answer.read())
            except (ConnectionError, http.client.RemoteDisconnected, BrokenPipeError):
                self.close()
                if fresh:
                    raise
        raise AssertionError("not reached")

    def close(self):
        if self.connection:
            self.connection.close()
            self.connection = None

    def propfind(self, path, *names, depth=0, **headers):
        """Names are (namespace, local name)."""
        wanted = "".join(f'<x:{local} xmlns:x="{space}"/>' for space, local in names)
        body = f'<propfind xmlns="DAV:"><prop>{wanted}</prop></propfind>' if names else None
        return self.ask("PROPFIND", path, body, Depth=str(depth), Content_Type="application/xml", **headers)

    def sync(self, path, token="", *names, limit=None):
        """(found, gone, new token) of an RFC 6578 sync-collection report."""
        wanted = "".join(f'<x:{local} xmlns:x="{space}"/>' for space, local in names or [(DAV, "getetag")])
        most = f"<limit><nresults>{limit}</nresults></limit>" if limit else ""
        body = (f'<sync-collection xmlns="DAV:"><sync-token>{token}</sync-token><sync-level>1</sync-level>{most}'
                f"<prop>{wanted}</prop></sync-collection>")
        reply = self.ask("REPORT", path, body, Content_Type="application/xml")
        assert reply.status == 207, (reply.status, reply.body[:300])
        found, gone = reply.responses()
        return found, gone, reply.xml().findtext(f"{{{DAV}}}sync-token")


@dataclass
class Server:
    """`kalends serve`; the first start's words are read as a person would read them."""

    folder: Path
    database_url: str | None = None
    port: int = field(default_factory=free_port)
    variables: dict = field(default_factory=dict)
    process: subprocess.Popen | None = None
    account: Account | None = None

    @property
    def base(self):
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self):
        return self.folder / f"server-{self.port}.log"

    @property
    def data(self):
        return self.folder / "data"

    def environment(self):
        kept = {name: value for name, value in os.environ.items() if not name.startswith("KALENDS_")}
        kept |= {"KALENDS_DATA_DIR": str(self.data), "KALENDS_LISTEN": f"127.0.0.1:{self.port}", **self.variables}
        if self.database_url:
            kept["KALENDS_DATABASE_URL"] = self.database_url
        return kept

    def start(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([binary(), "serve"], env=self.environment(), cwd=self.folder,
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
        self.wait_until_ready()
        self.account = self.account or self.first_account()
        return self

    def wait_until_ready(self, seconds=30):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise AssertionError(f"the server ended with {self.process.returncode}:\n{self.words()}")
            try:
                if Http(self.port).ask("GET", "/readyz", timeout=2).status == 200:
                    return
            except OSError:
                pass
            time.sleep(0.002)
        raise AssertionError(f"the server is not ready after {seconds} s:\n{self.words()}")

    def words(self):
        return self.log.read_text(errors="replace")

    def first_account(self):
        """User name and app password that the first start prints; None when there was an administrator already."""
        words = re.sub(r"\x1b\[[0-9;]*m", "", self.words())
        user = re.search(r"(?im)^\W*user(?: ?name)?\W*?[:=]?\s+(\S+)\s*$", words)
        password = re.search(r"(?im)^\W*(?:app )?password\W*?[:=]?\s+(\S+)\s*$", words)
        return Account(user[1], password[1]) if user and password else None

    def printed_address(self):
        return re.search(r"https?://\S+", self.words())[0]

    def stop(self, seconds=20):
        """SIGTERM, as systemd does; the exit code."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(seconds) if self.process else None

    def kill(self):
        self.process.kill()
        self.process.wait(20)

    def cli(self, *arguments, given=None, check=True):
        """Runs a command beside the running server; (exit code, standard output, standard error)."""
        done = subprocess.run([binary(), *map(str, arguments)], env=self.environment(), cwd=self.folder, timeout=120,
                              input=given, capture_output=True, text=True)
        if check:
            assert done.returncode == 0, f"kalends {' '.join(map(str, arguments))}: {done.stdout}{done.stderr}"
        return done.returncode, done.stdout, done.stderr

    def new_user(self, name=None):
        """A user with an app password."""
        name = name or "u" + secrets.token_hex(4)
        self.cli("user", "add", name, "--email", f"{name}@example.org", "--password-stdin", given="a long enough one\n")
        _, out, _ = self.cli("app-password", "new", name, "--label", "tests")
        return Account(name, out.split()[-1])

    def http(self, account=None):
        return Http(self.port, account or self.account)


class Calendar:
    """One calendar collection, by plain HTTP."""

    def __init__(self, server, account=None, slug="calendar"):
        self.server, self.account, self.slug = server, account or server.account, slug
        self.http = server.http(self.account)
        self.path = f"/dav/calendars/{quote(self.account.user, safe='')}/{slug}/"

    def make(self):
        reply = self.http.ask("MKCALENDAR", self.path)
        assert reply.status == 201, (reply.status, reply.body)
        return self

    def put(self, name, body, **headers):
        return self.http.ask("PUT", self.path + quote(name), body, Content_Type="text/calendar; charset=utf-8", **headers)

    def get(self, name):
        return self.http.ask("GET", self.path + quote(name))

    def delete(self, name, **headers):
        return self.http.ask("DELETE", self.path + quote(name), **headers)

    def etags(self):
        reply = self.http.propfind(self.path, (DAV, "getetag"), depth=1)
        assert reply.status == 207, (reply.status, reply.body[:300])
        found, _ = reply.responses()
        return {href: values[f"{{{DAV}}}getetag"].text for href, values in found.items() if f"{{{DAV}}}getetag" in values
                and href != self.path}

    def sync(self, token="", **how):
        return self.http.sync(self.path, token, **how)


def new_database(url):
    """A fresh database on the PostgreSQL server of `url`; its address."""
    name = "clients_" + secrets.token_hex(6)
    subprocess.run(["psql", "-q", url, "-c", f"create database {name}"], check=True, capture_output=True)
    parts = urlsplit(url)
    return parts._replace(path="/" + name).geturl(), name


def drop_database(url, name):
    subprocess.run(["psql", "-q", url, "-c", f"drop database if exists {name} with (force)"], capture_output=True)


def programs():
    """Whether psql is here."""
    return shutil.which("psql") is not None
