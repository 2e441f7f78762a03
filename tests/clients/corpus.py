"""Other people's .ics files as single calendar objects, split without any code of the server."""

import re
from dataclasses import dataclass
from pathlib import Path


@dataclass
class Piece:
    name: str
    body: bytes


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
        return [Piece(path.name, text)]
    # Cut out, an object is no message any more.
    head = [line for line in head if not re.match(rb"(?i)METHOD[;:]", line)]
    return [
        Piece(f"{path.stem}-{number}.ics", b"".join([*head, *zones, *blocks, *tail]))
        for number, blocks in enumerate(objects.values())
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
