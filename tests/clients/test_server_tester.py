"""caldav-server-tester: what a server of the standards has, asked by the author of python-caldav."""

import json
import subprocess

#: What it may find missing, and why.
EXPECTED = {
    "scheduling": "not built yet",
    "principal-search": "python-caldav puts the wanted properties beside DAV:prop, not into it",
    "url.encode-at.identity": "one resource under both spellings, as it should be",
    "search.time-range.comp-type-optional": "RFC 4791 §9.7 wants a component",
    "search.text.comp-type-optional": "VCALENDAR itself has no such property",
}


def test_nothing_of_the_standards_is_found_missing(server, user):
    done = subprocess.run(
        ["caldav-server-tester", "--caldav-url", server.base + "/", "--caldav-username", user.user, "--caldav-password",
         user.password, "--format", "json"], capture_output=True, text=True, timeout=280)
    found = json.loads(done.stdout[done.stdout.index("{"):])
    features = found.get("features", found)
    missing = {}
    for name, result in features.items():
        support = result.get("support") if isinstance(result, dict) else result
        if support in ("unsupported", "broken", "ungraceful", "fragile") and not any(
                name == known or name.startswith(known + ".") for known in EXPECTED):
            missing[name] = result
    assert len(features) > 3 and not missing, missing
