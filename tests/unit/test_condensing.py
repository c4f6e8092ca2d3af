"""Long questions are condensed to what they ask; short ones are left alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.query.condensing import (
    MAX_NAMES,
    MAX_WORDS,
    MAX_WORDS_UNREAD,
    MAX_WRITTEN_CHARACTERS,
    asks,
    condense,
    condense_with,
)
from functions.query.values import MAX_QUESTION_CHARACTERS
from shared.errors import StoreUnavailableError
from shared.testing import FixedQuestionCondenser

STORY = (
    "Hello there! My neighbour moved to the coast last summer and I have been looking after her boat since then. "
    "Yesterday it rained all day long and I got terribly wet on the pier. "
    "How often should the bilge pump of a wooden boat be tested? Thank you so much for your time and have a nice day."
)


@pytest.mark.parametrize(
    "question",
    [
        "",
        " ",
        "bilge",
        "?!… ;;;",
        "How often should the bilge pump of a wooden boat be tested?",
        "Hello! How often should the bilge pump be tested? Thank you!",
        "Ahşap bir teknenin pompası ne sıklıkla denenmelidir?",
        "나무배의 펌프는 얼마나 자주 시험해야 합니까?",
        "木造船のポンプはどのくらいの頻度で試験すべきですか？",
        "'); DROP TABLE pairs; --",
    ],
)
def test_a_short_question_is_left_alone(question: str) -> None:
    assert condense(question).text is question


def test_a_long_question_that_only_asks_is_left_alone() -> None:
    question = (
        "Bilge pumps of wooden boats that are laid up in winter under a roof beside the sea. How often should one of them be "
        "tested by its owner, and which parts of it are to be replaced in spring before the boat is used again?"
    )
    assert condense(question).text is question


def test_the_story_and_the_courtesies_are_left_out() -> None:
    assert condense(STORY).text == "How often should the bilge pump of a wooden boat be tested?"


def test_names_in_the_story_that_the_bot_knows_are_kept() -> None:
    text = condense(STORY, names=["coast", "bilge pump", "a name that is not there"]).text
    assert text == "How often should the bilge pump of a wooden boat be tested? coast"


def test_a_name_is_found_in_spite_of_case_and_apostrophe() -> None:
    story = STORY.replace("the coast", "the harbour of Saint Brendan's Reef")
    assert condense(story, names=["saint brendan reef"]).text.endswith("tested? Saint Brendan's Reef")


def test_many_names_do_not_make_it_long_again() -> None:
    names = [f"name{number}" for number in range(50)]
    story = f"I have seen {', '.join(names)} from my window this year. {STORY}"
    assert sum(name in condense(story, names=names).text.split() for name in names) == MAX_NAMES


def test_a_topic_in_front_is_kept_and_a_question_without_its_mark_is_known() -> None:
    text = condense(
        "Bilge pump. I bought one three years ago from my cousin, who had kept it in his shed all the time. "
        "I need to know how often it is tested. My cousin does not know it either, I am afraid."
    ).text
    assert text == "Bilge pump. I need to know how often it is tested."


@pytest.mark.parametrize(
    "question",
    ["What should I do with it?", "How long does it last?", "Any advice?", "Is she in danger when she opens the shed?"],
)
@pytest.mark.parametrize("between", ["", "My wife is angry about it.", "I feel bad. It was a hard year for all of us."])
def test_a_question_that_tells_little_keeps_what_led_to_it(between: str, question: str) -> None:
    text = condense(
        "Dear Sir, my wife and I moved in here last year, after we had looked for another house for more than ten years. "
        f"We both worked at a school in town until then. She found expired hydrogen peroxide. {between} {question}"
    ).text
    assert "She found expired hydrogen peroxide." in text and text.endswith(question)
    assert "Dear Sir" not in text and "looked for another house" not in text


def test_a_known_name_stands_for_the_sentence_before_a_question_that_says_it() -> None:
    story = "I have been looking after the boat of my neighbour for a whole year. She showed me a rusty bilge pump. "
    question = "Could it leak in a cold winter?"
    assert condense(story + question, names=["bilge pump"]).text == f"{question} bilge pump"
    assert condense(story + question).text.endswith(f"She showed me a rusty bilge pump. {question}")


def test_what_follows_a_question_that_tells_little_is_kept_where_nothing_leads_to_it() -> None:
    text = condense(
        "Hello everyone. What can I do about it? My bilge pump leaks oil, and has done so since I bought it."
    ).text
    assert "My bilge pump leaks oil" in text


@pytest.mark.parametrize(
    ("message", "topic"),
    [
        (
            "안녕하세요. 저는 45세 교사이고 작은 도시에서 가족과 함께 오랫동안 살고 있습니다. 3주 전부터 팔이 아픕니다. "
            "의사는 테니스 엘보라고 했습니다. 어떻게 치료하나요? 감사합니다.",
            "테니스 엘보라고",
        ),
        (
            "Merhaba, ben küçük bir şehirde yaşıyorum ve yirmi yıldır öğretmenim. Üç hafta önce kolum ağrımaya başladı. "
            "Doktor tenisçi dirseği olduğunu söyledi. Bunun için ne yapabilirim?",
            "tenisçi dirseği",
        ),
        (
            "Guten Tag, ich bin 45 Jahre alt und arbeite seit zwanzig Jahren im Garten. Seit drei Wochen tut mir der Arm weh. "
            "Der Arzt sagt, es ist ein Tennisarm. Was kann ich dagegen tun?",
            "Tennisarm",
        ),
    ],
)
def test_what_led_to_it_is_kept_in_other_languages(message: str, topic: str) -> None:
    assert topic in condense(message).text


UNREAD = [
    "Здравствуйте! Меня зовут Анна, мне 45 лет, я живу в маленьком городе и работаю учителем. Три недели назад у меня заболела "
    "рука. Врач сказал, что это теннисный локоть. Как его лечить? Спасибо за помощь.",
    "مرحبا، اسمي سعاد وعمري أربعون سنة وأعيش في مدينة صغيرة وأعمل معلمة. منذ ثلاثة أسابيع تؤلمني يدي. قال الطبيب إنه مرفق التنس. "
    "كيف يعالج؟ شكرا لكم.",
    "您好，我叫安娜，今年四十五岁，住在一个小城市，是一名老师。三个星期前我的手臂开始疼。医生说是网球肘。应该怎么治疗？谢谢。",
    "Buongiorno, mi chiamo Anna, ho 45 anni e sono una maestra in una piccola città. Da tre settimane mi fa male il braccio. Il "
    "medico dice che è il gomito del tennista. Come si cura? Grazie.",
]


@pytest.mark.parametrize("message", UNREAD)
def test_of_a_language_without_phrases_nothing_is_left_out(message: str) -> None:
    assert condense(message).text is message


def test_of_a_long_message_in_a_language_without_phrases_the_end_is_kept() -> None:
    message = " ".join(f"Это предложение номер {number} о том, как я провёл лето." for number in range(100))
    text = condense(f"{message} Врач сказал, что это теннисный локоть. Как его лечить?").text
    assert text.endswith("Врач сказал, что это теннисный локоть. Как его лечить?")
    assert len(text.split()) <= MAX_WORDS_UNREAD


def test_where_nothing_asks_the_most_telling_sentences_are_kept() -> None:
    text = condense(
        "Good morning. I am so sorry to write to you again. The bilge pump of a wooden boat leaks oil at the gasket and makes a "
        "grinding noise near the impeller. It is very sad. Thanks."
    ).text
    assert "bilge pump" in text
    assert not any(word in text for word in ("morning", "sorry", "Thanks"))


@pytest.mark.parametrize(
    ("question", "kept", "dropped"),
    [
        (
            "Merhaba, kolay gelsin. Annem geçen yaz sahile taşındı ve ben o zamandan beri onun teknesine bakıyorum, yoruldum. "
            "Ahşap teknenin sintine pompası ne sıklıkla denenmelidir? Şimdiden çok teşekkür ederim.",
            "Ahşap teknenin sintine pompası ne sıklıkla denenmelidir?",
            ("Merhaba", "Annem", "teşekkür"),
        ),
        (
            "안녕하세요. 저는 작년 여름부터 이웃의 배를 돌보고 있는데 요즘 비가 많이 와서 너무 힘들고 피곤합니다. "
            "나무배의 빌지 펌프는 얼마나 자주 시험해야 합니까? 읽어 주셔서 감사합니다.",
            "나무배의 빌지 펌프는 얼마나 자주 시험해야 합니까?",
            ("안녕하세요", "이웃", "감사합니다"),
        ),
    ],
)
def test_other_languages(question: str, kept: str, dropped: tuple[str, ...]) -> None:
    text = condense(question).text
    assert kept in text
    assert not any(word in text for word in dropped)


@pytest.mark.parametrize(
    "question",
    [
        "word " * 10_000,
        "what is it? " * 5_000,
        "What is a bilge pump? " * 5_000,
        "?!.," * 20_000,
        "x" * 500_000,
        "가나다라" * 20_000,
        "ⴰⵣⵓⵍ " * 10_000,
        "a," * 50_000,
        "thank you " * 10_000,
        "\n" * 50_000 + "?",
        "(((((" * 10_000 + "why",
        "\x00\u202e" * 10_000,
        "' OR 1=1; -- " * 1_000,
    ],
)
def test_any_length_of_anything_is_read(question: str) -> None:
    read = question[:MAX_QUESTION_CHARACTERS]
    assert 0 < len(condense(read, names=["bilge pump", "", "?", "*", "x" * 300]).text) <= len(read) + 1


def test_many_questions_in_one_are_cut_to_what_can_be_searched_for() -> None:
    text = condense(" ".join(f"What is part{number} of a bilge pump made of?" for number in range(1_000))).text
    assert 0 < len(text.split()) <= MAX_WORDS


@given(
    st.text(alphabet=st.sampled_from("aI thank?you.,!\n가'"), max_size=400), st.lists(st.text(max_size=8), max_size=3)
)
def test_what_is_left_is_never_more_than_there_was(question: str, names: list[str]) -> None:
    condensed = condense(question, names=names)
    assert len(condensed.text) <= len(question) + 1
    assert bool(condensed.text) == bool(question)


@pytest.mark.parametrize("dataset", ["2wiki", "bioasq", "pubmedqa", "xquad_tr"])
def test_questions_that_are_no_letters_are_left_alone(dataset: str, shared_data: Path) -> None:
    with (shared_data / dataset / "queries.jsonl").open(encoding="utf-8") as lines:
        questions = [json.loads(line)["text"] for line in lines]
    assert questions and [q for q in questions if condense(q).text is not q] == []


# With an LLM


class Saying:
    """The port `QuestionCondenser`: says always the same, or fails."""

    def __init__(self, said: str | None) -> None:
        self._said = said

    def condense(self, question: str) -> str:
        if self._said is None:
            raise StoreUnavailableError
        return self._said


def test_an_llm_condenses_what_is_long() -> None:
    condenser = Saying("How often should the bilge pump of the boat on the coast be tested?")
    assert condense_with(condenser, STORY).text == condenser.condense(STORY)
    assert condense_with(None, STORY) == condense(STORY)


def test_an_llm_is_not_asked_about_what_is_short() -> None:
    condenser = FixedQuestionCondenser()
    assert condense_with(condenser, "What is a bilge pump?").text == "What is a bilge pump?"
    assert condenser.read == []


@pytest.mark.parametrize(
    "said", [None, "", "?", "I cannot help with medical advice.", "boat " * MAX_WRITTEN_CHARACTERS, "예, 알겠습니다."]
)
def test_an_llm_that_fails_or_makes_something_up_is_not_followed(said: str | None) -> None:
    assert condense_with(Saying(said), STORY, names=["coast"]) == condense(STORY, names=["coast"])


@pytest.mark.parametrize(
    ("text", "expected"),
    [("Opening hours?", True), ("Name the capital", True), ("NAME", False), ("List", False), ("Opening hours", False)],
)
def test_what_asks_is_told_from_a_title(text: str, expected: bool) -> None:
    assert asks(text) is expected
