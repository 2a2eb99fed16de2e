"""A device's conversation, recorded once and then told otherwise: seeded mutations of what it says.

tests/test_hostile.py answers with one of them in the device's place.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

from tests.mutations import DEEP, NASTY, bytes_changed, header_changed, value_changed

FOR_EVER = "while :; do cat for-ever; sleep .02; done"
NOTHING_MORE = "exec >&-; wait"
NAMES = (
    *("result.json", "state.json", "latencies.npy", "stderr.txt", "outputs/0.npy", "outputs/1.npy", "outputs/999.npy"),
    *("piece.json", "../evil", "../../../evil", "outputs/../../evil", "outputs", "", ".", "a\0b", "outputs/0.npy\n"),
)
EVENTS = (
    *("ready", "busy", "missing", "cooling", "begin", "progress", "end", "done", "file", "sent", "error", "alive"),
    *("", "welcome"),
)


@dataclass(frozen=True)
class Said:
    """One message: the JSON object in its line, or the line as it is sent, and the bytes behind it."""

    message: dict[str, Any]
    data: bytes = b""
    line: bytes = b""

    def __bytes__(self) -> bytes:
        return (self.line or json.dumps(self.message).encode() + b"\n") + self.data


def parsed(recorded: bytes) -> list[Said]:
    said = []
    while recorded:
        line, _, recorded = recorded.partition(b"\n")
        message = json.loads(line)
        size = message.get("size", 0)
        said.append(Said(message, recorded[:size]))
        recorded = recorded[size:]
    return said


def whole(name: str, data: bytes, job_id: str) -> Said:
    """A file with its true size and hash."""
    sha256 = hashlib.sha256(data).hexdigest()
    return Said({"event": "file", "job_id": job_id, "name": name, "size": len(data), "sha256": sha256}, data)


@dataclass(frozen=True)
class Lies:
    """The ways in which a conversation is told otherwise. folder: where a file is put to be changed."""

    said: list[Said]
    others: list[list[Said]]  # conversations about other jobs
    chance: Random
    folder: Path

    @property
    def job_id(self) -> str:
        return next(s.message["job_id"] for s in self.said if "job_id" in s.message)

    def files(self) -> list[int]:
        return [n for n, each in enumerate(self.said) if each.message.get("event") == "file"]

    def place(self) -> int:
        return self.chance.randrange(len(self.said))

    def at(self, n: int, *instead: Said) -> list[Said]:
        return [*self.said[:n], *instead, *self.said[n + 1 :]]

    # What is said when.

    def left_out(self) -> list[Said]:
        return self.at(self.place())

    def repeated(self) -> list[Said]:
        n = self.place()
        return self.at(n, *[self.said[n]] * self.chance.choice([2, 2, 3, 500]))

    def swapped(self) -> list[Said]:
        n = self.place()
        return [*self.said[:n], *self.said[n + 1 :][:1], self.said[n], *self.said[n + 2 :]]

    def shuffled(self) -> list[Said]:
        return self.chance.sample(self.said, len(self.said))

    def ended(self) -> list[Said]:
        return self.said[: self.place()]

    def of_another_job(self) -> list[Said]:
        """Its files and all; with the id of the job that was asked for, or with its own."""
        other, mine = self.chance.choice(self.others), self.chance.random() < 0.7
        return [
            replace(s, message=s.message | {"job_id": self.job_id}) if mine and "job_id" in s.message else s
            for s in other
        ]

    def of_two_jobs(self) -> list[Said]:
        """Some of its files are those of another job."""
        other = [s for s in self.of_another_job() if s.message.get("event") == "file"]
        n = self.chance.choice(self.files())
        return self.at(n, self.chance.choice(other))

    # What is said.

    def value(self) -> list[Said]:
        n = self.place()
        key = self.chance.choice(list(self.said[n].message))
        line = json.dumps(self.said[n].message | {key: "@here@"}).replace('"@here@"', self.chance.choice(NASTY))
        return self.at(n, Said({}, self.said[n].data, line.encode() + b"\n"))

    def field_left_out(self) -> list[Said]:
        n = self.place()
        message = dict(self.said[n].message)
        del message[self.chance.choice(list(message))]
        return self.at(n, replace(self.said[n], message=message))

    def event(self) -> list[Said]:
        n = self.place()
        return self.at(n, replace(self.said[n], message=self.said[n].message | {"event": self.chance.choice(EVENTS)}))

    def one_more(self) -> list[Said]:
        n, job_id = self.place(), self.chance.choice([self.job_id, "another", "../up", ""])
        texts = {"holder": "\x1b]0;me\x07", "what": "\x1b[2J" * 99, "sha256": ["0" * 64], "environment": {}}
        numbers = {"done": self.chance.choice([0, -1, 10**18]), "of": 9}
        return self.at(
            n, self.said[n], Said({"event": self.chance.choice(EVENTS), "job_id": job_id, **numbers, **texts})
        )

    def noise(self) -> list[Said]:
        lines = (
            *(b"\n", b"\0\n", b"\xff\xfe\n", DEEP.encode() + b"\n", b"9" * 5000 + b"\n", b"x" * (2 << 20), b"[]\n"),
            *(
                b"Welcome to raspberrypi\n",
                b"NaN\n",
                b'{"event": NaN}\n',
                b'{"event": "begin"',
                self.chance.randbytes(99),
            ),
        )
        n = self.place()
        return self.at(n, Said({}, line=self.chance.choice(lines)), *self.chance.choice([[], [self.said[n]]]))

    def bytes_of_all(self) -> list[Said]:
        content = bytearray(b"".join(map(bytes, self.said)))
        for _ in range(self.chance.choice([1, 1, 9])):
            content[self.chance.randrange(len(content))] = self.chance.randrange(256)
        if self.chance.random() < 0.3:
            del content[self.chance.randrange(len(content)) :]
        return [Said({}, line=bytes(content))]

    # Its files.

    def file_without_its_bytes(self) -> list[Said]:
        """Fewer, more, other ones, or none, with the size and hash of what they should be."""
        n = self.chance.choice(self.files())
        data = self.said[n].data
        other = [b"", data[: len(data) // 2], data + b"more", bytes(len(data)), data[::-1]]
        return self.at(n, replace(self.said[n], data=self.chance.choice(other)))

    def file_of_another_hash(self) -> list[Said]:
        n, said = self.chance.choice(self.files()), self.said
        hashes = ["", "0" * 64, "x" * 64, said[self.files()[0]].message["sha256"]]
        return self.at(n, replace(said[n], message=said[n].message | {"sha256": self.chance.choice(hashes)}))

    def file_of_another_size(self) -> list[Said]:
        n = self.chance.choice(self.files())
        sizes = [-1, 0, 1, len(self.said[n].data) + 1, 1 << 30, (1 << 30) + 1, 1 << 63, 10**30, 0.5, True, "9", None]
        return self.at(n, replace(self.said[n], message=self.said[n].message | {"size": self.chance.choice(sizes)}))

    def file_of_another_name(self) -> list[Said]:
        n = self.chance.choice(self.files())
        return self.at(n, whole(self.chance.choice(NAMES), self.said[n].data, self.job_id))

    def further_file(self) -> list[Said]:
        n = self.chance.choice(self.files())
        data = self.chance.choice([b"", self.said[n].data, self.chance.randbytes(99)])
        return self.at(n, self.said[n], whole(self.chance.choice(NAMES), data, self.job_id))

    def file_left_out(self) -> list[Said]:
        return self.at(self.chance.choice(self.files()))

    def empty_file(self) -> list[Said]:
        n = self.chance.choice(self.files())
        return self.at(n, whole(self.said[n].message["name"], b"", self.job_id))

    def changed_file(self) -> list[Said]:
        """What only its content tells: size and hash are right."""
        n = self.chance.choice(self.files())
        name = self.said[n].message["name"]
        file = self.folder / f"changed{Path(name).suffix}"  # the name may be that of a folder
        file.write_bytes(self.said[n].data)
        {".json": value_changed, ".npy": header_changed}.get(file.suffix, bytes_changed)(file, self.chance)
        return self.at(n, whole(name, file.read_bytes(), self.job_id))


WAYS: tuple[Callable[[Lies], list[Said]], ...] = (
    *(Lies.left_out, Lies.repeated, Lies.swapped, Lies.shuffled, Lies.ended, Lies.of_another_job, Lies.of_two_jobs),
    *([Lies.value] * 3), Lies.field_left_out, Lies.event, Lies.one_more, Lies.noise, Lies.bytes_of_all,
    *(Lies.file_without_its_bytes, Lies.file_of_another_hash, Lies.file_of_another_size, Lies.file_of_another_name),
    *(Lies.further_file, Lies.file_left_out, Lies.empty_file, *[Lies.changed_file] * 5),
)  # fmt: skip


def last_words(chance: Random) -> tuple[str, bytes]:
    """What it does when all is said, mostly nothing; as a shell's command, and what that says for ever."""
    if chance.random() < 0.96:
        return NOTHING_MORE, b""
    event = chance.choice(["alive", "progress", "cooling", "begin", "file"])
    return FOR_EVER, json.dumps({"event": event, "done": 1, "of": 9, "name": "stderr.txt", "size": 0}).encode() + b"\n"
