"""After all other tests: the logs of the servers (at trace) and /metrics have none of the secrets that were used."""

import base64

from kalends import USED, Http


def test_no_secret_is_in_logs_or_metrics(server, secrets_seen):
    metrics = Http(server.port).ask("GET", "/metrics")
    assert metrics.status == 200 and metrics.body
    first_words = server.account.password
    texts = {"metrics": metrics.body.decode()}
    for path in server.folder.glob("server-*.log"):
        texts[path.name] = path.read_text(errors="replace")
    assert sum(map(len, texts.values())) > 10_000, "the logs are too short to show anything"
    found = []
    for secret in all_secrets(server, secrets_seen):
        for name, text in texts.items():
            # The first start prints the administrator's app password once, on purpose.
            allowed = 1 if secret == first_words else 0
            if text.count(secret) > allowed:
                line = next(line for line in text.splitlines() if secret in line)
                found.append(f"{name}: {line[:200].replace(secret, '<SECRET>')}")
    assert not found, "\n".join(found[:20])


def all_secrets(server, seen):
    for account in USED:
        yield account.password
        yield base64.b64encode(f"{account.user}:{account.password}".encode()).decode()
    yield "a long enough one"
    yield from seen
