"""Other people's .ics files as single calendar objects, split without any code of the server."""

import re
from dataclasses import dataclass
from pathlib import Path


@dataclass
class Piece:
    name: str
    body: bytes
    #: Why RFC 4791 §4.1 or RFC 5545 forbid to store it, as far as this plain reader sees; "" when nothing does.
    obstacle: str


def files(shared, *folders):
    base = shared / "corpus/ics"
    return sorted(path for folder in folders for path in (base / folder).rglob("*.ics"))


def pieces(path: Path):
    """One object for each UID of a file; the file itself where it holds one UID only."""
    text = path.read_bytes()
    head, blocks, tail, sound = components(text)
    zones = [block for block in blocks if kind(block) == b"VTIMEZONE"]
    objects = {}
    for block in blocks:
        if kind(block) != b"VTIMEZONE":
            objects.setdefault(uid(block), []).append(block)
    if len(objects) <= 1 or not sound:
        return [Piece(path.name, text, obstacle(head, objects, sound))]
    # Cut out, an object is no message any more.
    head = [line for line in head if not re.match(rb"(?i)METHOD[;:]", line)]
    return [
        Piece(f"{path.stem}-{number}.ics", b"".join([*head, *zones, *blocks, *tail]), obstacle(head, {key: blocks}, sound))
        for number, (key, blocks) in enumerate(objects.items())
    ]


def components(text):
    """(lines before, top-level components, lines after, whether there is exactly one balanced VCALENDAR)."""
    head, blocks, tail, stack, calendars = [], [], [], [], 0
    sound = True
    for line in re.findall(rb"[^\r\n]*(?:\r\n|\n|\r|$)", text):
        word = line.strip().removeprefix(b"\xef\xbb\xbf").upper()
        if word.startswith(b"BEGIN:") and not line[:1].isspace():
            stack.append(word[6:].strip())
            calendars += stack == [b"VCALENDAR"]
            if len(stack) == 2:
                blocks.append(b"")
        if len(stack) >= 2:
            blocks[-1] += line
        else:
            (tail if blocks and word.startswith(b"END:VCALENDAR") or tail else head).append(line)
        if word.startswith(b"END:") and not line[:1].isspace():
            sound &= bool(stack) and stack.pop() == word[4:].strip()
    return head, blocks, tail, sound and not stack and calendars == 1


def kind(block):
    return block.split(b":", 1)[1].split(None, 1)[0].strip().upper()


def own_lines(block):
    """Unfolded content lines of the component itself, without those of components inside it."""
    depth, lines = 0, []
    for line in re.sub(rb"\r?\n[ \t]", b"", block).splitlines():
        word = line.strip().upper()
        depth += word.startswith(b"BEGIN:")
        if depth == 1:
            lines.append(line)
        depth -= word.startswith(b"END:")
    return lines


def values(block, name):
    return [line.split(b":", 1)[1].strip() for line in own_lines(block)
            if re.match(rb"(?i)" + name + rb"[;:]", line) and b":" in line]


def uid(block):
    return (values(block, b"UID") or [b""])[0]


def obstacle(head, objects, sound):
    if not sound:
        return "not one balanced VCALENDAR"
    if any(re.match(rb"(?i)METHOD[;:]", line) for line in head):
        return "METHOD"
    if not objects:
        return "no component"
    (key, blocks), = list(objects.items())[:1]
    kinds = {kind(block) for block in blocks}
    if not key:
        return "no UID"
    if len(kinds) > 1 or not kinds <= {b"VEVENT", b"VTODO", b"VJOURNAL"}:
        return f"components {sorted(kinds)}"
    if any(len(values(block, b"UID")) > 1 for block in blocks):
        return "two UIDs"
    if kinds == {b"VEVENT"} and not all(values(block, b"DTSTART") for block in blocks):
        return "VEVENT without DTSTART"
    ids = [tuple(values(block, b"RECURRENCE-ID")) for block in blocks]
    if len(ids) != len(set(ids)):
        return "the same instance twice"
    return ""
