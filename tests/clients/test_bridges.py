"""Bridges as a newcomer tries them: the simulator is started, what it prints is pasted into config.toml, accounts are
connected by a browser, and events go through: providers' pages and webhooks on one side, a calendar client on the other."""

import re
import secrets
import time
from urllib.parse import parse_qs, urljoin, urlsplit

import kalends
import pytest
import requests
from bridge import Bridge, by_uid
from kalends import Server, event
from simulator import CLIENT_SECRET, Forms, Simulator, consent

DAY = "2026-12-0"


@pytest.fixture(scope="module")
def simulator():
    """One of our own: what it saw is looked at in the end."""
    one = Simulator().start()
    yield one
    one.stop()


@pytest.fixture(scope="module")
def newcomer(folder, database, simulator):
    place = folder / "newcomer"
    place.mkdir()
    (place / "config.toml").write_text(simulator.settings())
    url, name = kalends.new_database(database) if database else (None, None)
    one = Server(place, url, variables={"KALENDS_LOG__LEVEL": "debug"})
    one.variables["KALENDS_PUBLIC_URL"] = one.base
    one.start()
    yield one
    assert one.stop() == 0
    if name:
        kalends.drop_database(database, name)


@pytest.fixture
def bridge(newcomer):
    user = newcomer.new_user()
    _, out, _ = newcomer.cli("token", "new", user.user, "--label", "tests", "--scope", "read,write,bridge")
    one = Bridge(newcomer, user, out.split()[-1])
    yield one
    # The simulator is quiet again: some tests listen whether anything is asked.
    for connection in one.ask("GET", "/connections"):
        one.ask("DELETE", f"/connections/{connection['id']}")


def walk(bridge, begin, account, **how):
    """Through the provider's pages as a browser goes; (the page at the end, the browser)."""
    browser = requests.Session()
    begun = browser.post(f"{bridge.server.base}/api/v1{begin[0]}", json=begin[1], headers={"Authorization": f"Bearer {bridge.token}"})
    assert begun.status_code == 202, begun.text
    page = browser.get(begun.json()["authorize_url"], timeout=30)
    assert page.status_code == 200, page.text
    back = consent(browser, page, account, **how)
    assert back.status_code in (302, 303), back.text
    return browser.get(back.headers["location"], timeout=60, allow_redirects=False), back.headers["location"]


def connect(bridge, provider, account, **how):
    page, _ = walk(bridge, ("/connections", {"provider": provider}), account, **how)
    assert page.status_code < 400, page.text
    return next(one for one in bridge.ask("GET", "/connections") if one["provider"] == provider)


def linked(bridge, connection, name=None, **settings):
    """A link of a calendar of the account with a new one here: (link, slug)."""
    calendars = bridge.ask("GET", f"/connections/{connection['id']}/calendars")
    remote = next(one for one in calendars if one["name"] == name or name is None and one["primary"])
    link = bridge.link(remote, **settings)
    bridge.sync(link)
    return link, link["calendar"]


def until(check, seconds=15):
    """The first true answer; asked again for some seconds."""
    deadline = time.monotonic() + seconds
    while not (found := check()):
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.05)
    return found


def titles(bridge, slug):
    return sorted(line.removeprefix("SUMMARY ") for parts in by_uid(bridge.texts(slug).values()).values() for lines in parts.values()
                  for line in lines if str(line).startswith("SUMMARY "))


def google_event(summary, day=1, **more):
    when = lambda hour: {"dateTime": f"{DAY}{day}T{hour}:00:00", "timeZone": "Europe/Berlin"}
    return {"summary": summary, "start": when("09"), "end": when(10), **more}


def graph_event(subject, day=1, **more):
    when = lambda hour: {"dateTime": f"{DAY}{day}T{hour}:00:00", "timeZone": "W. Europe Standard Time"}
    return {"subject": subject, "start": when("09"), "end": when(10), **more}


@pytest.fixture
def google(simulator):
    """An account at Google's with an event."""
    email = f"g{secrets.token_hex(4)}@gmail.test"
    simulator.control("google/account", email=email, zone="Europe/Berlin")
    simulator.control("google/add", calendar=email, event=google_event("Dentist"))
    return email


@pytest.fixture
def outlook(simulator):
    """A work account at Microsoft's with an event: (address, calendar)."""
    email = f"m{secrets.token_hex(4)}@contoso.test"
    calendar = simulator.control("graph/account", email=email, zone="W. Europe Standard Time", work=True)["calendar"]
    simulator.control("graph/add", account=email, calendar=calendar, event=graph_event("Lunch"))
    return email, calendar


def at_google(simulator, account):
    return {one["id"]: one for one in simulator.state()["google"][account] if one["status"] != "cancelled"}


def at_microsoft(simulator, account):
    return {one["id"]: one for one in simulator.state()["graph"][account]["events"]}


def test_google_from_consent_to_a_webhook(bridge, simulator, google):
    connection = connect(bridge, "google", google)
    assert connection["account"] == google and connection["health"] == "ok" and not connection["missing_permissions"]
    link, slug = linked(bridge, connection)
    assert titles(bridge, slug) == ["Dentist"]
    until(lambda: bridge.ask("GET", f"/links/{link['id']}")["status"]["webhook"])
    (id,) = at_google(simulator, google)
    simulator.control("google/edit", calendar=google, id=id, patch={"summary": "Dentist, again"})
    until(lambda: titles(bridge, slug) == ["Dentist, again"])
    bridge.add(slug, "here@kalends", event("here@kalends", "Made by a calendar client", "20261203T090000Z", "20261203T100000Z"))
    made = until(lambda: [one for one in at_google(simulator, google).values() if one["summary"].startswith("Made")])[0]
    assert made["start"]["dateTime"].startswith("2026-12-03T10:00:00")
    simulator.control("google/delete", calendar=google, id=id)
    until(lambda: titles(bridge, slug) == ["Made by a calendar client"])
    bridge.delete(slug, "here@kalends")
    until(lambda: not at_google(simulator, google))


def test_microsoft_from_consent_to_a_webhook(bridge, simulator, outlook):
    account, calendar = outlook
    connection = connect(bridge, "microsoft", account)
    assert connection["account"] == account and connection["health"] == "ok"
    link, slug = linked(bridge, connection)
    assert titles(bridge, slug) == ["Lunch"]
    until(lambda: bridge.ask("GET", f"/links/{link['id']}")["status"]["webhook"])
    (id,) = at_microsoft(simulator, account)
    simulator.control("graph/edit", account=account, id=id, patch={"subject": "Late lunch"})
    until(lambda: titles(bridge, slug) == ["Late lunch"])
    bridge.add(slug, "here@kalends", event("here@kalends", "Made by a calendar client", "20261203T090000Z", "20261203T100000Z"))
    until(lambda: [one for one in at_microsoft(simulator, account).values() if one["subject"].startswith("Made")])
    simulator.control("graph/delete", account=account, id=id)
    until(lambda: titles(bridge, slug) == ["Made by a calendar client"])
    bridge.delete(slug, "here@kalends")
    until(lambda: not at_microsoft(simulator, account))


def test_a_series_with_an_exception_passes_to_both_and_back(bridge, simulator, google, outlook):
    series = event("series@kalends", "Choir", "20261207T180000Z", "20261207T200000Z", more="RRULE:FREQ=WEEKLY;COUNT=5\r\n")
    _, at_g = linked(bridge, connect(bridge, "google", google))
    _, at_m = linked(bridge, connect(bridge, "microsoft", outlook[0]))
    for slug in (at_g, at_m):
        bridge.add(slug, "series@kalends", series)
    master = until(lambda: [one for one in at_google(simulator, google).values() if "recurrence" in one])[0]
    assert any("COUNT=5" in line for line in master["recurrence"])
    until(lambda: [one for one in at_microsoft(simulator, outlook[0]).values() if one.get("recurrence")])
    simulator.control("google/edit", calendar=google, id=master["id"] + "_20261214T180000Z", patch={"summary": "Choir, elsewhere"})
    parts = until(lambda: (found := by_uid(bridge.texts(at_g).values())["series@kalends"]) and len(found) == 2 and found)
    assert "SUMMARY Choir, elsewhere" in parts["2026-12-14 18:00:00+00:00"]


def test_a_calendar_between_google_and_microsoft_has_each_event_once(bridge, simulator, google, outlook):
    """One calendar here, linked with both: everything everywhere, and no cycle doubles anything."""
    link, slug = linked(bridge, connect(bridge, "google", google))
    connection = connect(bridge, "microsoft", outlook[0])
    remote = next(one for one in bridge.ask("GET", f"/connections/{connection['id']}/calendars") if one["primary"])
    other = bridge.link(remote, slug)
    for cycle in range(4):
        bridge.sync(link)
        bridge.sync(other)
        if cycle == 1:
            id = next(id for id, one in at_google(simulator, google).items() if one["summary"] == "Lunch")
            simulator.control("google/edit", calendar=google, id=id, patch={"summary": "Lunch at Google's"})
    there = sorted(one["summary"] for one in at_google(simulator, google).values())
    assert there == ["Dentist", "Lunch at Google's"] == titles(bridge, slug)
    assert there == sorted(one["subject"] for one in at_microsoft(simulator, outlook[0]).values())


def test_after_a_storm_both_sides_agree(bridge, simulator, google):
    """Broken connections, 5xx after the write, throttling, lost cursors: for a while, with edits on both sides."""
    link, slug = linked(bridge, connect(bridge, "google", google))
    bridge.sync(link)
    simulator.control("faults/random", rate=0.25)
    try:
        for number in range(6):
            simulator.control("google/add", calendar=google, event=google_event(f"There {number}", 1 + number))
            bridge.add(slug, f"{number}@here", event(f"{number}@here", f"Here {number}"))
            bridge.ask("POST", f"/links/{link['id']}:sync", expect=(200, 202, 409, 503))
    finally:
        simulator.control("faults/stop")
    wanted = sorted(["Dentist", *(f"{side} {number}" for side in ("There", "Here") for number in range(6))])

    def agreed():
        bridge.ask("POST", f"/links/{link['id']}:sync", expect=(200, 202, 409, 503))
        return titles(bridge, slug) == wanted == sorted(one["summary"] for one in at_google(simulator, google).values())
    until(agreed, 60)
    before = simulator.log()[0]
    bridge.sync(link)
    since = simulator.log()
    since = since[:since.index(before)]
    assert since and not any(one["write"] for one in since), since


def test_a_caldav_account_and_an_ics_address(bridge, simulator):
    simulator.control("caldav/account", user="dora", password="hers-alone")
    simulator.control("caldav/put", user="dora", calendar="home", name="walk.ics", text=event("walk@there", "Walk").decode())
    connection = bridge.connect(f"{simulator.origin}/caldav/", kalends.Account("dora", "hers-alone"))
    remote = bridge.ask("GET", f"/connections/{connection['id']}/calendars")[0]
    link = bridge.link(remote)
    bridge.sync(link)
    assert titles(bridge, link["calendar"]) == ["Walk"]
    path = simulator.control("ics/set", name="term", text=event("term@there", "Term begins").decode())["path"]
    feed = bridge.ask("POST", "/connections", {"provider": "ics", "url": simulator.origin + path})
    remote = bridge.ask("GET", f"/connections/{feed['id']}/calendars")[0]
    link = bridge.ask("POST", "/links", {"remote_calendar": remote["id"], "direction": "pull"})
    bridge.sync(link)
    assert titles(bridge, link["calendar"]) == ["Term begins"]


class Browser:
    """A person at our pages, signed in as the browser does it."""

    def __init__(self, bridge):
        self.server, self.base, self.session = bridge.server, bridge.server.base, requests.Session()
        self.login = (bridge.user.user, bridge.user.password)

    def open(self, path):
        page = self.session.get(self.base + path, auth=self.login, timeout=30)
        assert page.status_code == 200, (path, page.status_code, page.text)
        return page.text

    def send(self, form, **fields):
        """Sends a form and goes where it leads: (path, page)."""
        sent = self.session.post(self.base + form.action, data=form | fields, auth=self.login, headers={"Origin": self.base},
                                 allow_redirects=False, timeout=60)
        assert sent.status_code in (200, 303), (form.action, sent.status_code, sent.text)
        return self.follow(sent)

    def follow(self, answer):
        while answer.status_code in (302, 303):
            target = urljoin(answer.url, answer.headers["location"])
            ours = target.startswith(self.base)
            answer = self.session.get(target, auth=self.login if ours else None, allow_redirects=False, timeout=60)
        assert answer.status_code == 200, (answer.url, answer.status_code, self.server.words()[-3000:])
        return answer.url.removeprefix(self.base), answer.text


@pytest.mark.parametrize("provider", ["google", "microsoft"])
def test_the_whole_flow_works_by_pages_and_forms(bridge, simulator, provider, google, outlook):
    """Connect, try, choose a calendar, look, sync, change, unlink, disconnect: without JSON and without JavaScript."""
    account, title = (google, "Dentist") if provider == "google" else (outlook[0], "Lunch")
    browser = Browser(bridge)
    form = Forms.of(browser.open("/connections"), "/connections", provider=provider)
    begun = browser.session.post(browser.base + form.action, data=form, auth=browser.login, headers={"Origin": browser.base},
                                 allow_redirects=False, timeout=30)
    assert begun.status_code == 303, begun.text
    asked = browser.session.get(begun.headers["location"], timeout=30)
    path, page = browser.follow(consent(browser.session, asked, account))
    if not re.search(r"/connections/[0-9]+", path):
        path = re.search(r"/connections/[0-9]+", browser.open("/connections"))[0]
        page = browser.open(path)
    assert account in page
    path = path.split("?")[0]
    _, tested = browser.send(Forms.of(browser.open(path), "/test"))
    assert "failed" not in tested.lower(), tested
    linked, page = browser.send(Forms.of(browser.open(path), "/link"), name="From there")
    linked = re.search(r"/links/[0-9]+", linked + page)[0]
    (entry,) = bridge.ask("GET", "/links")
    until(lambda: titles(bridge, entry["calendar"]) == [title])
    _, page = browser.send(Forms.of(browser.open(linked), "/dry-run"))
    assert "both sides agree" in page
    browser.send(Forms.of(browser.open(linked), "/sync"))
    browser.send(Forms.of(browser.open(linked), "/settings"), interval="600")
    assert bridge.ask("GET", f"/links/{entry['id']}")["interval"] == 600
    browser.send(Forms.of(browser.open(linked), "/unlink"))
    assert bridge.ask("GET", "/links") == [] and titles(bridge, entry["calendar"]) == [title]
    browser.send(Forms.of(browser.open(path), "/disconnect"))
    assert bridge.ask("GET", "/connections") == []


@pytest.mark.parametrize("provider, account", [("google", "ann@gmail.test"), ("microsoft", "bob@outlook.test")])
def test_who_says_no_connects_nothing_and_is_told_so(bridge, provider, account):
    page, _ = walk(bridge, ("/connections", {"provider": provider}), account, answer="deny")
    assert page.status_code >= 400 and "<h1>" in page.text
    assert bridge.ask("GET", "/connections") == []


def test_the_way_back_works_once_and_only_in_the_browser_that_began(bridge, google):
    page, address = walk(bridge, ("/connections", {"provider": "google"}), google)
    assert page.status_code < 400
    assert requests.get(address, timeout=30).status_code >= 400
    browser, other = requests.Session(), requests.Session()
    begun = browser.post(f"{bridge.server.base}/api/v1/connections", json={"provider": "google"},
                         headers={"Authorization": f"Bearer {bridge.token}"})
    asked = parse_qs(urlsplit(begun.json()["authorize_url"]).query)
    assert asked["code_challenge_method"] == ["S256"] and len(asked["state"][0]) >= 20
    back = consent(other, other.get(begun.json()["authorize_url"], timeout=30), google)
    assert other.get(back.headers["location"], timeout=30).status_code >= 400
    assert len(bridge.ask("GET", "/connections")) == 1


def test_what_was_unticked_is_said(bridge, google):
    connection = connect(bridge, "google", google, keep=lambda scope: "freebusy" not in scope and "calendarlist" not in scope)
    assert connection["health"] == "ok" and connection["missing_permissions"], connection


@pytest.mark.parametrize("provider", ["google", "microsoft"])
def test_a_withdrawn_consent_asks_for_a_new_one_and_then_all_goes_on(bridge, simulator, provider, google, outlook):
    account = google if provider == "google" else outlook[0]
    connection = connect(bridge, provider, account)
    link, slug = linked(bridge, connection)
    control = "graph" if provider == "microsoft" else "google"
    simulator.control(f"{control}/revoke", account=account)
    bridge.ask("POST", f"/links/{link['id']}:sync", expect=(200, 202, 409))
    seen = until(lambda: (one := bridge.ask("GET", f"/connections/{connection['id']}"))["health"] == "reconnect" and one)
    assert seen["advice"]
    before = simulator.log()
    time.sleep(1)
    assert simulator.log() == before, "nothing is asked until somebody signs in again"
    page, _ = walk(bridge, (f"/connections/{connection['id']}:reconnect", {}), account)
    assert page.status_code < 400, page.text
    assert bridge.ask("GET", f"/connections/{connection['id']}")["health"] == "ok"
    bridge.add(slug, "after@kalends", event("after@kalends", "After all"))
    found = (lambda: at_google(simulator, account)) if provider == "google" else (lambda: at_microsoft(simulator, account))
    until(lambda: [one for one in found().values() if "After all" in (one.get("summary"), one.get("subject"))])


def test_no_rule_of_the_providers_was_broken_and_nobody_was_mailed(simulator, newcomer):
    """In all that was asked above."""
    seen = simulator.state()
    assert seen["violations"] == [] and seen["mails"] == []
    words = newcomer.words()
    assert not [secret for secret in ("panicked", "ya29.", "1//", CLIENT_SECRET, "hers-alone") if secret in words]
