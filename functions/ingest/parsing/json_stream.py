"""JSON read value by value from a stream, so that an array of any length needs little memory."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import Any, TextIO

from functions.ingest.parsing import limits
from shared.errors import RejectedDocumentError

_PIECE_CHARS = 1 << 16
_SOLID = re.compile("[^ \t\r\n\ufeff]")
_MAX_INTEGER = 2**63 - 1  # beyond 64 bits the digits are kept as text, which every store can hold
_MAX_INTEGER_CHARS = 20
# The decoder knows what is wrong only up to the end of what it was given.
_NEAR_END_CHARS = 16


def _integer(text: str) -> int | str:
    value = int(text) if len(text) <= _MAX_INTEGER_CHARS else None
    return value if value is not None and abs(value) <= _MAX_INTEGER else text


def _float(text: str) -> float | str:
    value = float(text)
    return value if math.isfinite(value) else text


def _constant(_: str) -> None:
    """NaN and the infinities are no JSON; a missing number is what their writers meant."""


# Not strict: line breaks inside strings are common, and control characters are cleaned away later.
_DECODER = json.JSONDecoder(parse_int=_integer, parse_float=_float, parse_constant=_constant, strict=False)


def decode_value(text: str) -> Any:
    """One complete JSON value. Raises JSONDecodeError, or RecursionError when it is nested too deeply."""
    return _DECODER.decode(text)


class JsonReader:
    """A cursor over JSON text. Its methods raise RejectedDocumentError, naming the line, where the text is not JSON."""

    def __init__(self, text: TextIO) -> None:
        self._text = text
        self._buffer = ""
        self._position = 0
        self._line = 1
        self._is_complete = False  # everything has been read into the buffer

    def peek(self) -> str:
        """The next character that is not white space, or "" at the end."""
        while not (found := _SOLID.search(self._buffer, self._position)):
            self._position = len(self._buffer)
            if not self._read_on():
                return ""
        self._position = found.start()
        return found[0]

    def take(self, expected: str) -> None:
        if self.peek() != expected:
            raise self._malformed(f"expected {expected!r}")
        self._position += 1

    def peek_second(self) -> str:
        """The character after `peek()`, white space aside; nothing is consumed."""
        while not (found := _SOLID.search(self._buffer, self._position + 1)):
            if not self._read_on():
                return ""
        return found[0]

    def value(self) -> Any:
        """The next value, whatever it is."""
        self.peek()
        while True:
            try:
                value, end = _DECODER.raw_decode(self._buffer, self._position)
            except json.JSONDecodeError as exc:
                if self._is_certain(exc) or not self._read_on():
                    raise self._malformed(exc.msg, exc.pos) from exc
                continue
            if end < len(self._buffer) or self._is_complete or not self._read_on():
                self._position = end
                return value

    def elements(self) -> Iterator[Any]:
        """The elements of the array that begins here."""
        yield from (self.value() for _ in self._members("[", "]"))

    def members(self) -> Iterator[str]:
        """The names in the object that begins here; the caller reads the value after each."""
        for _ in self._members("{", "}"):
            if self.peek() != '"':
                raise self._malformed("expected a name in double quotes")
            key = self.value()
            self.take(":")
            yield key

    def _members(self, first: str, last: str) -> Iterator[None]:
        self.take(first)
        if self.peek() == last:
            self._position += 1
            return
        while True:
            yield
            if self.peek() != ",":
                self.take(last)
                return
            self._position += 1

    def _is_certain(self, error: json.JSONDecodeError) -> bool:
        is_cut = error.msg.startswith("Unterminated") or error.pos >= len(self._buffer) - _NEAR_END_CHARS
        return self._is_complete or not is_cut

    def _read_on(self) -> bool:
        """Read as much again as is waiting (so that one long value is not decoded too often), dropping what is done."""
        waiting = len(self._buffer) - self._position
        if waiting > limits.MAX_RECORD_CHARS:
            raise RejectedDocumentError(
                f"The value that begins on line {self._line_at(self._position)} of the JSON file is too large; "
                "upload an array of smaller objects, or JSON Lines."
            )
        piece = self._text.read(max(_PIECE_CHARS, waiting))
        self._line += self._buffer.count("\n", 0, self._position)
        self._buffer = self._buffer[self._position :] + piece
        self._position = 0
        self._is_complete = not piece
        return bool(piece)

    def _line_at(self, position: int) -> int:
        return self._line + self._buffer.count("\n", 0, position)

    def _malformed(self, what: str, position: int | None = None) -> RejectedDocumentError:
        line = self._line_at(self._position if position is None else position)
        return RejectedDocumentError(f"Line {line} of the JSON file is not valid JSON ({what}); mend it there.")
