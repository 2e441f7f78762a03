"""The simulated providers in a process of their own, and a person who signs in there."""

import base64
import hashlib
import json
import os
import secrets
import subprocess
import threading
import time
from dataclasses import dataclass, field
from html.parser import HTMLParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urljoin, urlsplit

import requests

from kalends import ROOT, free_port

CLIENT_ID, CLIENT_SECRET = "simulator-client", "simulator-secret"
CALENDAR_SCOPES = "https://www.googleapis.com/auth/calendar https://www.googleapis.com/auth/userinfo.email openid"
GRAPH_SCOPES = "offline_access openid email User.Read Calendars.ReadWrite MailboxSettings.Read"


def program():
    given = os.environ.get("KALENDS_TEST_SIMULATOR")
    path = given or str(ROOT / "target/debug/examples/simulator")
    if not os.access(path, os.X_OK):
        raise SystemExit(f"no simulator at {path}: cargo build --example simulator, or set KALENDS_TEST_SIMULATOR")
    return path


@dataclass
class Simulator:
    port: int = field(default_factory=free_port)
    words: str = ""
    process: subprocess.Popen | None = None

    @property
    def origin(self):
        return f"http://127.0.0.1:{self.port}"

    def start(self):
        self.process = subprocess.Popen([program(), f"127.0.0.1:{self.port}"], cwd=ROOT, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        deadline = time.monotonic() + 30
        while "Accounts:" not in self.words:
            line = self.process.stdout.readline()
            assert line and time.monotonic() < deadline, f"the simulator does not start:\n{self.words}"
            self.words += line
        threading.Thread(target=self.read_on, daemon=True).start()
        return self

    def read_on(self):
        for line in self.process.stdout:
            self.words += line

    def stop(self):
        self.process.terminate()
        self.process.wait(20)

    def settings(self):
        """The TOML that it prints to be pasted."""
        return "\n".join(line for line in self.words.splitlines() if "=" in line and not line.startswith("#") or
                         line.startswith("["))

    def control(self, action, **fields):
        answer = requests.post(f"{self.origin}/control/{action}", json=fields, timeout=30)
        assert answer.status_code == 200, (action, fields, answer.status_code, answer.text)
        return answer.json()

    def state(self):
        return requests.get(f"{self.origin}/control/state", timeout=30).json()

    def log(self):
        """The last requests, newest first."""
        return requests.get(f"{self.origin}/control/log", timeout=30).json()

    def fail(self, what, **how):
        return self.control("faults/next", what=what, **how)


class Form(dict):
    """What a form sends if nobody touches it."""

    action, method = "", "get"


class Forms(HTMLParser):
    """The forms of a page; boxes and radio buttons count where they are checked, lists where something is chosen."""

    def __init__(self, page):
        super().__init__()
        self.all, self.select = [], None
        self.feed(page)

    def handle_starttag(self, tag, pairs):
        pairs = dict(pairs)
        if tag == "form":
            self.all.append(Form())
            self.all[-1].action, self.all[-1].method = pairs.get("action", ""), pairs.get("method", "get")
        elif not self.all:
            return
        elif tag == "input" and (pairs.get("type") not in ("radio", "checkbox") or "checked" in pairs) and "name" in pairs:
            self.all[-1].setdefault(pairs["name"], []).append(pairs.get("value") or "")
        elif tag in ("select", "textarea"):
            self.select = pairs["name"]
            if tag == "textarea":
                self.all[-1][self.select] = [""]
        elif tag == "option" and ("selected" in pairs or self.select not in self.all[-1]):
            self.all[-1][self.select] = [pairs.get("value") or ""]

    @staticmethod
    def of(page, action, **wanted):
        """The form that goes to an address and has these values."""
        for form in Forms(page).all:
            if form.action.endswith(action) and all(form.get(name) == [value] for name, value in wanted.items()):
                return form
        raise AssertionError(f"no form to {action} with {wanted} in {page}")


def consent(session, page, account, keep=lambda scope: True, answer="allow"):
    """Answers a consent page as a person would; the answer of the provider, redirects not followed."""
    (form,) = Forms(page.text).all
    scopes = [scope for scope in form.get("sim_scope", []) if keep(scope)]
    chosen = form | {"sim_scope": scopes, "sim_account": account, "sim_answer": answer}
    return session.post(urljoin(page.url, form.action or page.url), data=chosen, allow_redirects=False, timeout=30)


def sign_in(simulator, provider, account, scopes, keep=lambda scope: True, **more):
    """The authorization code flow with PKCE by hand (RFC 6749 4.1, RFC 7636); the token answer."""
    base = f"{simulator.origin}/google" if provider == "google" else f"{simulator.origin}/microsoft/common/oauth2/v2.0"
    authorize = base + ("/o/oauth2/v2/auth" if provider == "google" else "/authorize")
    verifier, state = secrets.token_urlsafe(48), secrets.token_urlsafe(16)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    redirect = "http://127.0.0.1:7/callback"
    ask = {"client_id": CLIENT_ID, "redirect_uri": redirect, "response_type": "code", "scope": scopes, "state": state,
           "code_challenge": challenge, "code_challenge_method": "S256", "login_hint": account}
    if provider == "google":
        ask |= {"access_type": "offline", "prompt": "consent"}
    with requests.Session() as session:
        page = session.get(authorize, params=ask | more, timeout=30)
        assert page.status_code == 200, page.text
        back = consent(session, page, account, keep)
        assert back.status_code in (302, 303), (back.status_code, back.text)
        target = urlsplit(back.headers["location"])
        given = {name: values[0] for name, values in parse_qs(target.query).items()}
        assert back.headers["location"].startswith(redirect) and given["state"] == state, given
        form = {"grant_type": "authorization_code", "code": given["code"], "redirect_uri": redirect,
                "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
        wrong = session.post(base + "/token", data=form | {"code_verifier": "x" * 43}, timeout=30)
        assert (wrong.status_code, wrong.json()["error"]) == (400, "invalid_grant"), wrong.text
        answer = session.post(base + "/token", data=form | {"code_verifier": verifier}, timeout=30)
        again = session.post(base + "/token", data=form | {"code_verifier": verifier}, timeout=30)
        assert again.status_code == 400, "a code works once"
        return answer.json()


class Receiver:
    """A small server that webhooks call; it answers Microsoft's handshake."""

    def __init__(self):
        calls = self.calls = []
        self.arrived = arrived = threading.Condition()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                token = parse_qs(urlsplit(self.path).query).get("validationToken")
                words = token[0].encode() if token else b""
                self.send_response(200 if token else 202)
                self.send_header("content-type", "text/plain")
                self.send_header("content-length", str(len(words)))
                self.end_headers()
                self.wfile.write(words)
                with arrived:
                    calls.append((self.path, {name.lower(): value for name, value in self.headers.items()},
                                  json.loads(body) if body else None))
                    arrived.notify_all()

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.base = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def wait(self, fits, seconds=10):
        """The first call that fits."""
        with self.arrived:
            found = self.arrived.wait_for(lambda: next((call for call in self.calls if fits(*call)), None), seconds)
        assert found, f"no such call in {seconds} s: {self.calls}"
        return found

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
