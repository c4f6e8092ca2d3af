"""Which column is which part of a pair, in several languages."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping

import pytest

from functions.ingest.columns import COLUMN_NAMES, find_columns


def found(names: Iterable[str], **chosen: str) -> dict[str, str]:
    return find_columns(dict.fromkeys(names), chosen)


@pytest.mark.parametrize(
    ("question", "response"),
    [
        ("question", "answer"),
        ("Questions", "RESPONSE"),
        ("q", "a"),
        ("Soru", "Yanıt"),
        ("SORU", "YANIT"),
        ("soru", "Cevap"),
        ("질문", "답변"),
        (unicodedata.normalize("NFD", "질문"), unicodedata.normalize("NFD", "답변")),
        ("Frage", "Antwort"),
        ("FRAGE", "ANTWORT"),
        ("Question", "Réponse"),
        ("Question", unicodedata.normalize("NFD", "Réponse")),
        ("Pregunta", "Respuesta"),
        ("  Question ", "\tAnswer\n"),
        ("ｑｕｅｓｔｉｏｎ", "ａｎｓｗｅｒ"),
        ("質問", "回答"),
        ("问题", "答案"),
        ("Вопрос", "Ответ"),
        ("السؤال", "الجواب"),
        ("سؤال", "جواب"),
        ("Domanda", "Risposta"),
        ("Pergunta", "Resposta"),
        ("Vraag", "Antwoord"),
        ("Pytanie", "Odpowiedź"),
        ("Câu hỏi", "Trả lời"),
        ("प्रश्न", "उत्तर"),
        ("คำถาม", "คำตอบ"),
        ("Spørgsmål", "Svar"),
        ("Ερώτηση", "Απάντηση"),
        ("instruction", "output"),
    ],
)
def test_questions_and_answers_are_known_by_their_names(question: str, response: str) -> None:
    assert found(["page", question, response]) == {"question": question, "response": response}


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("BAŞLIK", "title"),
        ("İçerik", "text"),
        ("ıd", "external_id"),
        ("ETİKETLER", "tags"),
        ("Yayın Tarihi", "published_at"),
        ("yayin-tarihi", "published_at"),
        ("Publication  Date", "published_at"),
        ("publication.date", "published_at"),
        ("Created/At", "published_at"),
        ("Kategorie", "category"),
        ("Catégorie", "category"),
        ("Título", "title"),
        ("난이도", "difficulty"),
        ("see also", "related"),
        ("is-active", "is_active"),
    ],
)
def test_case_accents_dots_and_the_joints_of_words_do_not_matter(name: str, part: str) -> None:
    assert found([name]) == {part: name}


def test_every_known_name_is_found_as_what_it_is() -> None:
    for part, names in COLUMN_NAMES.items():
        for name in set(names) - {"q", "a", "instruction", "output"}:
            assert found([name]) == {part: name}


def test_what_only_resembles_a_known_name_is_none() -> None:
    assert found(["questionnaire", "no answer", "sorun", "질", "", " ", "?", "column 1", "\0"]) == {}


def test_of_several_names_for_a_part_the_better_known_is_taken() -> None:
    assert found(["reply", "answer", "response"])["response"] == "answer"
    assert found(["response", "answer"])["response"] == "answer"


def test_of_two_columns_with_the_same_name_the_first_is_taken() -> None:
    assert found(["Answer", "ANSWER", "answer"])["response"] == "Answer"


def test_a_column_is_one_part_only() -> None:
    columns = found(["question", "answer", "text", "title", "name", "id", "key"])
    assert len(set(columns.values())) == len(columns)


def test_a_chosen_column_goes_first_and_is_taken_from_the_part_that_it_resembles() -> None:
    columns = found(["question", "answer", "title"], question="title", response="question")
    assert columns == {"question": "title", "response": "question"}


@pytest.mark.parametrize("wanted", ["Die Frage", "die frage", "DIE-FRAGE", " die_frage "])
def test_a_chosen_name_is_found_however_it_is_spelt(wanted: str) -> None:
    assert found(["Die Frage", "question"], question=wanted)["question"] == "Die Frage"


def test_a_chosen_name_that_is_there_letter_by_letter_is_the_one() -> None:
    assert found(["antwort", "Antwort", "ANTWORT"], response="Antwort")["response"] == "Antwort"


def test_a_chosen_column_that_is_not_there_leaves_what_is_found() -> None:
    assert found(["question", "answer"], question="Frage 2") == {"question": "question", "response": "answer"}
    assert found([], question="Frage 2") == {}


def test_the_values_do_not_matter() -> None:
    record: Mapping[str, object] = {"question": None, "answer": [], "n": 1}
    assert find_columns(record, {}) == {"question": "question", "response": "answer"}


def test_an_instruction_and_an_output_are_a_pair_only_together() -> None:
    assert found(["output"]) == found(["instruction"]) == {}
    assert found(["instruction", "answer"]) == {"response": "answer"}


def test_single_letters_mean_question_and_answer_only_together() -> None:
    assert find_columns({"Q": "", "A": ""}, {}) == {"question": "Q", "response": "A"}
    assert find_columns({"A": "", "B": ""}, {}) == {}
    assert find_columns({"A": "", "B": ""}, {"response": "A"}) == {"response": "A"}
