"""Where sentences end, in several languages."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.sentences import sentence_ends


def sentences(text: str) -> list[str]:
    ends = [0, *sentence_ends(text, 0, len(text)), len(text)]
    return [part for begin, end in pairwise(ends) if (part := text[begin:end].strip())]


@pytest.mark.parametrize(
    "first",
    [
        "Dr. Smith saw 3.5 million patients in Washington D.C. and elsewhere.",
        "Use a detergent, e.g. soap, and approx. 2 litres of water.",
        "See Fig. 3 and No. 7 of J. R. R. Tolkien's letters!",
        "She asked: “Does it hurt?”",
        "The dose is 0.5 mg.",
        "It grew in 2020.",
        "Doç. Dr. Ayşe Yılmaz bkz. ekteki tabloyu hazırladı.",
        "Kale 19. yüzyılda yapıldı.",
        "II. Mehmed kenti 29 Mayıs'ta aldı.",
        "Das Museum ist am 3. Oktober z. B. für Familien bzw. Gruppen offen.",
        "Mme. Curie est née en 1867.",
        "El Dr. Ramón y la Sra. López llegaron ayer.",
    ],
)
def test_an_abbreviation_an_initial_or_an_ordinal_ends_no_sentence(first: str) -> None:
    assert sentences(f"{first} And then it went on.") == [first, "And then it went on."]


def test_sentences_without_spaces_between_them_end_at_their_full_stops() -> None:
    assert sentences("腎臓は血液をろ過します。「痛みますか？」と尋ねた。はい！") == [
        "腎臓は血液をろ過します。",
        "「痛みますか？」",
        "と尋ねた。",
        "はい！",
    ]
    assert sentences("정수기는 물을 거릅니다. 필터는 3.5개월마다 바꾸세요.") == [
        "정수기는 물을 거릅니다.",
        "필터는 3.5개월마다 바꾸세요.",
    ]


@given(st.text(alphabet="aB1.!?。 \n”)", max_size=80), st.integers(0, 40), st.integers(0, 80))
def test_ends_lie_in_the_stretch_that_is_asked_for(text: str, begin: int, end: int) -> None:
    found = list(sentence_ends(text, begin, end))
    assert found == sorted(found)
    assert all(begin < position <= min(end, len(text)) for position in found)
