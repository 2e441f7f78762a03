"""Calendar servers of others that this one is linked with, each on a port of its own, behind a proxy that writes down what
was asked of it."""

import http.client
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import caldav
import requests

from kalends import Account, free_port

READS = ("GET", "HEAD", "OPTIONS", "PROPFIND", "REPORT")
RADICALE = """[server]
hosts = 127.0.0.1:{port}
[auth]
type = htpasswd
htpasswd_filename = {folder}/users
htpasswd_encryption = plain
delay = 0
[storage]
filesystem_folder = {folder}/storage
"""


class Proxy:
    """Passes requests on and keeps (method, path, status) of each."""

    def __init__(self, port):
        self.seen = seen = []
        self.lock = lock = threading.Lock()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def forward(self):
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                other = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
                headers = {name: value for name, value in self.headers.items() if name.lower() != "connection"}
                other.request(self.command, self.path, body, headers)
                answer = other.getresponse()
                content = answer.read()
                with lock:
                    seen.append((self.command, self.path, answer.status))
                self.send_response_only(answer.status, answer.reason)
                for name, value in answer.getheaders():
                    if name.lower() not in ("transfer-encoding", "content-length", "connection"):
                        self.send_header(name, value)
                if answer.status not in (204, 304):
                    self.send_header("content-length", str(len(content)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(content)
                other.close()

            def log_message(self, *_):
                pass

        for method in (*READS, "PUT", "DELETE", "POST", "MKCALENDAR", "MKCOL", "PROPPATCH", "MOVE", "COPY"):
            setattr(Handler, f"do_{method}", Handler.forward)
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.base = f"http://127.0.0.1:{self.server.server_port}/"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @contextmanager
    def watched(self):
        """The requests that came within."""
        start, found = len(self.seen), []
        yield found
        found += self.seen[start:]

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


@dataclass
class Upstream:
    """A foreign server with one account, looked at by python-caldav without the proxy."""

    name: str
    folder: Path
    account: Account = field(default_factory=lambda: Account("ann", "an app password"))
    port: int = field(default_factory=free_port)
    process: subprocess.Popen | None = None
    proxy: Proxy | None = None

    def start(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        if self.process is None and self.name != "kalends":
            with open(self.folder / "log", "ab") as log:
                self.process = subprocess.Popen(self.command(), cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log,
                                                stderr=subprocess.STDOUT)
            self.wait_until_ready()
        self.proxy = self.proxy or Proxy(self.port)
        return self

    def command(self):
        python = Path(sys.executable)
        if self.name == "radicale":
            (self.folder / "users").write_text(f"{self.account.user}:{self.account.password}\n")
            (self.folder / "config").write_text(RADICALE.format(port=self.port, folder=self.folder))
            return [python, "-m", "radicale", "--config", self.folder / "config"]
        return [python.parent / "xandikos", "serve", "-d", self.folder / "storage", "--defaults", "--current-user-principal",
                f"/{self.account.user}/", "-l", "127.0.0.1", "-p", str(self.port), "--no-detect-systemd"]

    def wait_until_ready(self, seconds=30):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            assert self.process.poll() is None, (self.folder / "log").read_text()
            try:
                requests.request("OPTIONS", f"http://127.0.0.1:{self.port}/", timeout=5)
                return
            except requests.ConnectionError:
                time.sleep(0.05)
        raise AssertionError(f"{self.name} is not ready:\n" + (self.folder / "log").read_text())

    def stop(self):
        if self.proxy:
            self.proxy.stop()
        if self.process:
            self.process.terminate()
            self.process.wait(20)

    def client(self):
        return caldav.DAVClient(f"http://127.0.0.1:{self.port}/", username=self.account.user, password=self.account.password)

    def new_calendar(self, name):
        return self.client().principal().make_calendar(name=name, cal_id=name)
