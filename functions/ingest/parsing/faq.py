"""Questions and answers in the shapes that prose gives them: "Q: … A: …" in several languages, bold questions.

They become headings with their answers below, as if their author had set them so; whatever is only like them stays as it is.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise

from functions.ingest.pair_words import PAIR_WORDS
from functions.ingest.parsing.blocks import Block

# Headings that say only that questions follow: no part of the questions below them.
_TITLES = """
    faq; faqs; q&a; q & a; q and a; questions; frequently asked questions; common questions; questions and answers;
    sss; sıkça sorulan sorular; sık sorulan sorular; sorular ve cevaplar; 자주 묻는 질문; 자주하는 질문; 질문과 답변;
    häufige fragen; häufig gestellte fragen; fragen und antworten; questions fréquentes; foire aux questions;
    questions et réponses; preguntas frecuentes; preguntas y respuestas; perguntas frequentes; domande frequenti;
    veelgestelde vragen; вопросы и ответы; часто задаваемые вопросы; よくある質問; 常见问题; 常見問題
"""
QUESTION_LEVEL = 20  # below every heading of the document's own
_MAX_QUESTION_CHARS = 300
_MAX_QUESTION_PIECES = 3
_SURE_LETTERS = ("q", "问", "問", "문")  # others may mean anything: they need a question mark
_QUESTION_MARKS = ("?", "？", "؟")
_BEGINS = r"(?:^|(?<=\n)|(?<=[.!?？。…;:|؟]\s))[ \t]*(?:[-*•]\s+|\d{1,3}[.)]\s+)?"
_ENDS = r"\s?(?:\d{1,3}\s?[.):：]|[:：])\s*"
_NUMBER = re.compile(r"^\d{1,3}[.)]\s+")


@dataclass(frozen=True, slots=True)
class _Piece:
    """A stretch of a block. `asks` and `answers` are the rows of `PAIR_WORDS` that its mark belongs to."""

    block: Block
    text: str
    origin: Block | None = None  # pieces of the same one are joined again
    asks: frozenset[int] = frozenset()
    answers: frozenset[int] = frozenset()


def is_question(text: str) -> bool:
    """Whether the text ends with a question mark, which in Greek looks like a semicolon, and is no longer than one."""
    end = text.rstrip("”\"' )")
    return len(text) <= _MAX_QUESTION_CHARS and (end.endswith(_QUESTION_MARKS) or _is_greek_question(end))


def _is_greek_question(text: str) -> bool:
    if not text.endswith((";", "\u037e")):
        return False
    greek = sum("\u0370" <= character <= "\u03ff" or "\u1f00" <= character <= "\u1fff" for character in text)
    return greek * 2 > sum(map(str.isalpha, text))


def begins_with_mark(line: str) -> bool:
    """Whether the line begins with what marks a question or an answer: "Q:"."""
    return _any_mark().match(line) is not None


def without_titles(path: tuple[str, ...]) -> tuple[str, ...]:
    """The heading path of a question without those that say only that questions follow."""
    if not path or not is_question(path[-1]):
        return path
    return tuple(title for title in path if _folded(title.strip(" :")) not in _titles())


def with_questions(blocks: Iterable[Block]) -> Iterator[Block]:
    """The blocks, with marked and bold questions as headings and the answers to marked ones without their marks."""
    last: _Piece | None = None  # of a block that is not out yet, because its next piece may belong to it again
    for piece in _settled(blocks):
        if last is not None and piece.origin is last.origin is not None:
            last = replace(last, text=last.text + piece.text)
            continue
        if last is not None:
            yield replace(last.block, text=last.text)
        last = piece
    if last is not None:
        yield replace(last.block, text=last.text)


def _settled(blocks: Iterable[Block]) -> Iterator[_Piece]:
    """Headings and answers, without an origin, and everything else piece by piece as it was."""
    held: list[_Piece] = []  # a marked question that waits for its answer
    for piece in (piece for block in blocks for piece in _pieces(block)):
        if held and piece.answers & held[0].asks and _may_ask(held):
            yield _heading(held)
            held = []
            yield _answer(piece)
            continue
        goes_on = not piece.asks and not piece.answers and piece.block.heading_level is None
        if held and not (goes_on and len(held) < _MAX_QUESTION_PIECES):
            yield from held
            held = []
        if piece.asks or held:
            held.append(piece)
        else:
            yield piece
    yield from held


def _pieces(block: Block) -> Iterator[_Piece]:
    """The block, cut before each mark of a question or an answer."""
    if block.is_bold and block.heading_level is None and is_question(block.text):
        block = replace(block, text=_NUMBER.sub("", block.text), heading_level=QUESTION_LEVEL - 1)
    starts = [mark.start() for mark in _any_mark().finditer(block.text)]
    for begin, end in pairwise([*dict.fromkeys([0, *starts]), len(block.text)]):
        text = block.text[begin:end]
        mark = _any_mark().match(text)
        asks, answers = _rows(mark["mark"]) if mark else (frozenset(), frozenset())
        yield _Piece(block, text, block, asks, answers)


def _may_ask(held: list[_Piece]) -> bool:
    mark = _any_mark().match(held[0].text)
    is_sure = mark is not None and (len(mark["mark"]) > 1 or _folded(mark["mark"]) in _SURE_LETTERS)
    return is_sure or any(sign in piece.text for piece in held for sign in _QUESTION_MARKS)


def _heading(held: list[_Piece]) -> _Piece:
    words = [_any_mark().sub("", held[0].text, count=1), *(piece.text for piece in held[1:])]
    block, level = held[0].block, held[0].block.heading_level
    heading = Block("", QUESTION_LEVEL if level is None else level, block.page, links=block.links)
    return _Piece(heading, " ".join(" ".join(words).split()).rstrip("; "))


def _answer(piece: _Piece) -> _Piece:
    text = _any_mark().sub("", piece.text, count=1).strip()
    return _Piece(replace(piece.block, heading_level=None, tight=False, is_bold=False), text)


@lru_cache(maxsize=1)
def _any_mark() -> re.Pattern[str]:
    words = {word for row in PAIR_WORDS for side in row for word in side}
    longest_first = sorted(words, key=lambda word: (-len(word), word))
    return re.compile(f"{_BEGINS}(?P<mark>{'|'.join(map(re.escape, longest_first))}){_ENDS}", re.IGNORECASE)


@lru_cache(maxsize=1)
def _titles() -> frozenset[str]:
    return frozenset(title.strip() for title in _TITLES.split(";"))


@lru_cache(maxsize=500)
def _rows(mark: str) -> tuple[frozenset[int], frozenset[int]]:
    """The rows in which the mark is a question's, and those in which it is an answer's."""
    folded = _folded(mark)
    sides = ([folded in row[side] for row in PAIR_WORDS] for side in (0, 1))
    asks, answers = (frozenset(number for number, has in enumerate(side) if has) for side in sides)
    return asks, answers


def _folded(text: str) -> str:
    return unicodedata.normalize("NFC", text).lower().replace("i̇", "i")
