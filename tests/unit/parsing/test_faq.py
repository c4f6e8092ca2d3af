"""Questions and answers in prose: each shape becomes a heading with its answer, and what only looks like one does not."""

from __future__ import annotations

import io
import json
from uuid import UUID

import docx
import pytest

from functions.ingest.pairs import PairMaker
from functions.ingest.parsing import parse
from tests.unit.parsing.samples import Text, paragraph, pdf, read, workbook
from tests.unit.parsing.test_word import word


def pairs(name: str, data: bytes | str) -> dict[str, str]:
    """Question to answer, as they become pairs."""
    file = io.BytesIO(data.encode() if isinstance(data, str) else data)
    maker = PairMaker(UUID(int=1), parse(file, name), "guide", {})
    return {pair.question: pair.response for pair in maker.pairs()}


TWO = {"How often should I oil the chain?": "Every 200 kilometres.", "And in the rain?": "After every ride."}


@pytest.mark.parametrize(
    "text",
    [
        "Q: {0}\nA: {1}\n\nQ: {2}\nA: {3}\n",
        "Q: {0}\n\nA: {1}\n\nQ: {2}\n\nA: {3}\n",
        "Q: {0}\nA: {1}\nQ: {2}\nA: {3}\n",
        "Q: {0} A: {1} Q: {2} A: {3}",
        "Q1: {0}\nA1: {1}\n\nQ2. {2}\nA2. {3}\n",
        "Question: {0}\nAnswer: {1}\nQuestion: {2}\nAnswer: {3}",
        "Question 1: {0}\nAnswer 1: {1}\nQuestion 2: {2}\nAnswer 2: {3}",
        "1. Q: {0}\n   A: {1}\n2. Q: {2}\n   A: {3}",
        "S: {0}\nC: {1}\n\nS: {2}\nC: {3}\n",
        "Soru: {0}\nCevap: {1}\n\nSoru: {2}\nCevap: {3}\n",
        "SORU 1: {0}\nCEVAP: {1}\n\nSORU 2: {2}\nCEVAP: {3}\n",
        "질문: {0}\n답변: {1}\n\n질문: {2}\n답변: {3}\n",
        "문：{0}\n답：{1}\n\n문：{2}\n답：{3}\n",
        "F: {0}\nA: {1}\n\nF: {2}\nA: {3}\n",
        "Frage: {0}\nAntwort: {1}\n\nFrage: {2}\nAntwort: {3}\n",
        "P: {0}\nR: {1}\n\nP: {2}\nR: {3}\n",
        "Question : {0}\nRéponse : {1}\n\nQuestion : {2}\nRéponse : {3}\n",
        "问：{0}\n答：{1}\n问：{2}\n答：{3}",
        "Fråga: {0}\nSvar: {1}\n\nFråga: {2}\nSvar: {3}\n",
        "Spørgsmål: {0}\nSvar: {1}\n\nSpørgsmål: {2}\nSvar: {3}\n",
        "Otázka: {0}\nOdpověď: {1}\n\nOtázka: {2}\nOdpověď: {3}\n",
        "Питання: {0}\nВідповідь: {1}\n\nПитання: {2}\nВідповідь: {3}\n",
        "Ερώτηση: {0}\nΑπάντηση: {1}\n\nΕρώτηση: {2}\nΑπάντηση: {3}\n",
        "Câu hỏi: {0}\nTrả lời: {1}\n\nHỏi: {2}\nĐáp: {3}\n",
        "Pertanyaan: {0}\nJawaban: {1}\n\nPertanyaan: {2}\nJawaban: {3}\n",
        "คำถาม: {0}\nคำตอบ: {1}\n\nถาม: {2}\nตอบ: {3}\n",
        "प्रश्न: {0}\nउत्तर: {1}\n\nप्रश्न: {2}\nउत्तर: {3}\n",
        "السؤال: {0}\nالجواب: {1}\n\nسؤال: {2}\nجواب: {3}\n",
        "پرسش: {0}\nپاسخ: {1}\n\nپرسش: {2}\nپاسخ: {3}\n",
    ],
)
@pytest.mark.parametrize("name", ["faq.txt", "faq.md"])
def test_marked_questions_and_answers_are_pairs(name: str, text: str) -> None:
    asked = [part for pair in TWO.items() for part in pair]
    assert pairs(name, text.format(*asked)) == TWO


def test_an_answer_goes_on_to_the_next_question_or_heading() -> None:
    text = "# Care\n\n**Q:** How often?\n\n**A:** Daily.\n\n- in summer\n- in winter\n\n## After\n\nOther text."
    assert pairs("a.md", text) == {
        "Care › How often?": "Daily.\n\n- in summer\n- in winter",
        "Care › After": "Other text.",
    }


def test_a_question_of_several_lines_is_one() -> None:
    text = "Q: My chain is rusty.\nWhat should I do?\nA: Replace it."
    assert pairs("a.txt", text) == {"My chain is rusty. What should I do?": "Replace it."}


@pytest.mark.parametrize(
    "text",
    [
        "Q: Who knows?\n\nNobody answered this.",
        "A: first\n\nB: second",
        "V: 220\nA: 5\n\nF: 32 degrees\nA: 7",
        "Drive S: is full.\nC: is not.",
        "Vitamin A: good for the eyes.\n\nQ: nothing",
        "He said: A: is the answer, and then Q: came.",
        "S: 12\nC: 14",
    ],
)
def test_what_only_looks_like_questions_stays_word_for_word(text: str) -> None:
    assert read("a.txt", text).by_heading == {(): text}


@pytest.mark.parametrize("name", ["a.md", "a.html"])
def test_a_table_of_questions_and_answers_is_pairs(name: str) -> None:
    markdown = "| Question | Answer |\n| --- | --- |\n" + "".join(f"| {q} | {a} |\n" for q, a in TWO.items())
    rows = "".join(f"<tr><td>{q}</td><td>{a}</td></tr>" for q, a in TWO.items())
    page = f"<html><body><table><tr><th>Question</th><th>Answer</th></tr>{rows}</table></body></html>"
    assert pairs(name, markdown if name == "a.md" else page) == TWO


@pytest.mark.parametrize(
    "body",
    [
        "<h2>FAQ</h2>" + "".join(f"<h3>{q}</h3><p>{a}</p>" for q, a in TWO.items()),
        "<h2>Frequently asked questions</h2>" + "".join(f"<p><b>{q}</b></p><p>{a}</p>" for q, a in TWO.items()),
        "".join(f"<p><strong>{q}</strong><br>{a}</p>" for q, a in TWO.items()),
        "<ol>" + "".join(f"<li><strong>{q}</strong><br>{a}</li>" for q, a in TWO.items()) + "</ol>",
        "".join(f"<details><summary>{q}</summary><p>{a}</p></details>" for q, a in TWO.items()),
        "<dl>" + "".join(f"<dt>{q}</dt><dd>{a}</dd>" for q, a in TWO.items()) + "</dl>",
        "<dl>" + "".join(f"<div><dt>{q}</dt><dd><p>{a}</p></dd></div>" for q, a in TWO.items()) + "</dl>",
        "".join(f"<div><button class=q>{q}</button><div><p>{a}</p></div></div>" for q, a in TWO.items()),
        "".join(f"<div><button aria-expanded=false>{q}</button></div><p hidden>{a}</p>" for q, a in TWO.items()),
        "".join(
            f"<h2><button aria-expanded=false>{q}</button></h2><div style='display: none'>{a}</div>"
            for q, a in TWO.items()
        ),
        "".join(
            f"<div role=button aria-controls=p{number}>{q}</div><div><section id=p{number} hidden>{a}</section></div>"
            for number, (q, a) in enumerate(TWO.items())
        ),
        "<h2>Sıkça Sorulan Sorular</h2>" + "".join(f"<h3>{q}</h3><p>{a}</p>" for q, a in TWO.items()),
        "<h2>자주 묻는 질문</h2>" + "".join(f"<h3>{q}</h3><p>{a}</p>" for q, a in TWO.items()),
    ],
)
def test_questions_of_a_page_are_pairs(body: str) -> None:
    assert pairs("faq.html", f"<html><body>{body}</body></html>") == TWO


def test_an_accordion_ends_with_its_panel_and_its_title_need_not_ask() -> None:
    panel = "<button aria-expanded=false>Delivery</button><div hidden>Two days.</div>"
    body = f"<h1>Shop</h1><div>{panel}<p>Call us.</p></div>"
    assert pairs("a.html", f"<html><body>{body}</body></html>") == {"Shop › Delivery": "Two days.", "Shop": "Call us."}


@pytest.mark.parametrize(
    "body",
    [
        "<button aria-expanded=false>Menu</button><ul hidden><li><a href=1>Bikes</a></li><li><a href=2>Us</a></li></ul>",
        "<button aria-expanded=false>Menu</button><nav hidden>Bikes and helmets and us</nav>",
        "<button>Buy</button><p hidden>Sold out.</p>",
        "<button aria-expanded=false hidden>Delivery</button><p hidden>Sold out.</p>",
        "<button aria-controls=elsewhere>More</button><p hidden>Sold out.</p>",
        "<button role=tab aria-controls=p>Size</button><p id=p hidden>Sold out.</p>",
    ],
)
def test_a_button_without_a_panel_of_its_own_is_no_text(body: str) -> None:
    text = "We sell bikes, helmets and locks, and we mend what we sell."
    assert read("a.html", f"<html><body>{body}<p>{text}</p></body></html>").by_heading == {(): text}


# Without any mark


@pytest.mark.parametrize(
    "text",
    [
        "{0}\n{1}\n\n{2}\n{3}\n",
        "{0}\n\n{1}\n\n{2}\n\n{3}\n",
        "{0}\n{1}\n{2}\n{3}\n",
        "1. {0}\n{1}\n\n2. {2}\n{3}\n",
        "1) {0}\n\n   {1}\n\n2) {2}\n\n   {3}\n",
        "- {0}\n  {1}\n- {2}\n  {3}\n",
    ],
)
def test_lines_that_ask_above_their_answers_are_pairs(text: str) -> None:
    asked = [part for pair in TWO.items() for part in pair]
    assert pairs("faq.txt", text.format(*asked)) == TWO


@pytest.mark.parametrize(
    "body",
    [
        "".join(f"<div class=q>{q}</div><div class=a>{a}</div>" for q, a in TWO.items()),
        "<ol>" + "".join(f"<li>{q}<p>{a}</p></li>" for q, a in TWO.items()) + "</ol>",
        "<ul>" + "".join(f"<li>{q}<br>{a}</li>" for q, a in TWO.items()) + "</ul>",
        "".join(f"<p>{q}</p><p>{a}</p>" for q, a in TWO.items()),
    ],
)
def test_unmarked_questions_of_a_page_are_pairs(body: str) -> None:
    assert pairs("faq.html", f"<html><body><h1>FAQ</h1>{body}</body></html>") == TWO


def test_unmarked_questions_of_word_and_pdf_are_pairs() -> None:
    def fill(document: docx.document.Document) -> None:
        for question, answer in TWO.items():
            document.add_paragraph(question, style="List Number")
            document.add_paragraph(answer)

    page = [
        Text(72, 700 - 40 * index - 14 * below, text)
        for index, pair in enumerate(TWO.items())
        for below, text in enumerate(pair)
    ]
    assert pairs("a.docx", word(fill)) == TWO
    assert pairs("a.pdf", pdf([page])) == TWO


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("Kaç gün sürer?", "Nereye gelir?"),
        ("언제 배송되나요?", "어디로 오나요?"),
        ("いつですか？", "どこですか？"),
        ("متى تفتحون؟", "أين أنتم؟"),
        ("Τι ώρα ανοίγετε;", "Πού βρίσκεστε;"),
    ],
)
def test_questions_of_other_languages_are_known_by_their_marks(first: str, second: str) -> None:
    assert pairs("a.txt", f"{first}\n9:00\n\n{second}\n10:00\n") == {first: "9:00", second: "10:00"}


def test_a_semicolon_asks_in_greek_alone() -> None:
    text = "One thing;\nanother.\n\nA third;\na fourth."
    assert read("a.txt", text).by_heading == {(): text}


@pytest.mark.parametrize(
    "text",
    [
        "Nobody knew. Why did it rain? It was\nautumn. What else?\nNothing at all.",
        "Why?\n\nBecause we say so.",
        "What is that?\n\nWho are you?\n\nWhere do we go?\n\nAn end.",
        "\u201cWhere are you going?\u201d\n\nHe said nothing.\n\n\u201cAnd you?\u201d\n\nShe laughed.",
        "Anna: Where is it?\n\nBert: There.\n\nAnna: And that?\n\nBert: Here.",
        "It went on and\nwhat did it matter?\nNothing. It went on and\nwho would have known?\nNobody.",
        "\n\n".join(["What was it?", "It was long."] + ["Prose goes on."] * 15 + ["Who knew?"] + ["More of it."] * 15),
    ],
)
def test_questions_within_prose_are_no_headings(text: str) -> None:
    assert read("a.txt", text).by_heading == {(): text}


def test_a_list_of_the_questions_above_them_is_no_answer() -> None:
    asked = list(TWO)
    text = "\n".join([*asked, "", *(line for pair in TWO.items() for line in (*pair, ""))])
    assert {question: pairs("a.txt", text)[question] for question in asked} == TWO


@pytest.mark.parametrize("name", ["a.md", "a.html"])
@pytest.mark.parametrize("is_list", [False, True])
def test_a_bold_question_that_opens_its_answers_paragraph_is_a_question(name: str, is_list: bool) -> None:
    if name == "a.md":
        text = "\n\n".join(f"{'- ' * is_list}**{q}** {a}" for q, a in TWO.items()) + "\n\n# End\n\nCall us."
    else:
        tag = "li" if is_list else "p"
        items = "".join(f"<{tag}><strong>{q}</strong> {a}</{tag}>" for q, a in TWO.items())
        text = f"<html><body>{f'<ul>{items}</ul>' if is_list else items}<h1>End</h1><p>Call us.</p></body></html>"
    assert pairs(name, text) == {**TWO, "End": "Call us."}


def test_a_bold_question_that_opens_a_paragraph_of_word_is_a_question() -> None:
    def fill(document: docx.document.Document) -> None:
        for question, answer in TWO.items():
            line = document.add_paragraph()
            line.add_run(question[:5]).bold = True
            line.add_run(f"{question[5:]} ").bold = True
            line.add_run(answer)

    assert pairs("a.docx", word(fill)) == TWO


def test_what_follows_a_list_of_bold_questions_is_no_answer() -> None:
    body = "<ul><li><b>How often?</b> Daily.</li></ul><p>Call us.</p>"
    assert pairs("a.html", f"<h1>Bikes</h1>{body}") == {"Bikes › How often?": "Daily.", "Bikes": "Call us."}


# Tables


def test_a_table_of_questions_without_names_is_pairs() -> None:
    rows = "".join(f"<tr><td>{q}</td><td>{a}</td></tr>" for q, a in TWO.items())
    more = "<tr><td>And the light?</td><td>Before night.</td></tr>"
    expected = {**TWO, "And the light?": "Before night."}

    def fill(document: docx.document.Document) -> None:
        table = document.add_table(rows=0, cols=2)
        for pair in expected.items():
            for cell, text in zip(table.add_row().cells, pair, strict=True):
                cell.text = text

    assert pairs("a.html", f"<table>{rows}{more}</table>") == expected
    assert pairs("a.html", f"<table><tr><th>Topic</th><th>Advice</th></tr>{rows}{more}</table>") == expected
    assert pairs("a.docx", word(fill)) == expected
    assert pairs("a.csv", "\n".join(f'"{q}",{a}' for q, a in expected.items())) == expected
    assert pairs("a.csv", "\n".join(f'{a};"{q}"' for q, a in expected.items())) == expected
    assert pairs("a.xlsx", workbook({"FAQ": list(expected.items())})) == expected


def test_the_titles_between_the_questions_of_a_table_stand_above_them_and_the_text_below_does_not() -> None:
    rows = "".join(f"<tr><td colspan=2>Care</td></tr><tr><td>{q}</td><td>{a}</td></tr>" for q, a in TWO.items())
    assert pairs("a.html", f"<h1>Bikes</h1><table>{rows}</table><p>Call us.</p>") == {
        "Bikes": "Call us.",
        **{f"Bikes › Care › {question}": answer for question, answer in TWO.items()},
    }


def test_a_survey_has_questions_for_names() -> None:
    rows = read("a.csv", "How old are you?,Where do you live?\n31,Ankara\n40,Busan\n").records
    assert rows[0] == {"How old are you?": "31", "Where do you live?": "Ankara"}


def test_what_follows_a_list_of_questions_is_no_answer() -> None:
    body = "<h1>Bikes</h1><dl><dt>How often?</dt><dd>Daily.</dd></dl><p>Call us.</p>"
    assert pairs("a.html", f"<html><body>{body}</body></html>") == {"Bikes › How often?": "Daily.", "Bikes": "Call us."}


def test_a_glossary_is_pairs_and_a_list_of_facts_is_one_text() -> None:
    definition = "A chronic disease in which the kidneys lose their function over months or years, often unnoticed."
    assert pairs("a.html", f"<dl><dt>CKD</dt><dd>{definition}</dd></dl>") == {"CKD": definition}
    assert pairs("a.html", "<dl><dt>Price</dt><dd>9 euros</dd><dt>Size</dt><dd>M</dd></dl>") == {
        "guide": "Price\n9 euros\n\nSize\nM"
    }


def test_the_topic_above_a_question_stays_with_it() -> None:
    assert list(pairs("a.md", "# Kidney stones\n\n## FAQ\n\n### What causes them?\n\nSalt.")) == [
        "Kidney stones › What causes them?"
    ]


def test_bold_questions_of_markdown_word_and_pdf_are_pairs() -> None:
    def fill(document: docx.document.Document) -> None:
        for question, answer in TWO.items():
            document.add_paragraph().add_run(question).bold = True
            document.add_paragraph(answer)

    page = [
        line
        for index, (question, answer) in enumerate(TWO.items())
        for line in (
            Text(72, 700 - 60 * index, question, is_bold=True),
            *paragraph([answer], y=688 - 60 * index),
        )
    ]
    assert pairs("a.md", "\n\n".join(f"**{q}**\n\n{a}" for q, a in TWO.items())) == TWO
    assert pairs("a.docx", word(fill)) == TWO
    assert pairs("a.pdf", pdf([page])) == TWO


def test_a_bold_sentence_is_no_heading() -> None:
    assert read("a.md", "**Never do this.**\n\nText.").by_heading == {(): "Never do this.\n\nText."}


# Declared for search engines


def declared(answers: dict[str, str], **more: object) -> str:
    questions = [
        {"@type": "Question", "name": question, "acceptedAnswer": {"@type": "Answer", "text": answer}}
        for question, answer in answers.items()
    ]
    value = {"@context": "https://schema.org", "@type": "FAQPage", "mainEntity": questions, **more}
    return f'<script type="application/ld+json">{json.dumps(value)}</script>'


def test_a_declared_page_that_shows_nothing_is_read_from_its_declaration() -> None:
    answers = {
        "How often?": "<p>Every <b>200 km</b>:</p><ul><li>summer</li><li>winter</li></ul>",
        "And rain?": "After.",
    }
    page = f"<html><head>{declared(answers)}</head><body><h1>Bikes</h1><p>We know them well.</p></body></html>"
    assert pairs("a.html", page) == {
        "Bikes": "We know them well.",
        "How often?": "Every 200 km:\n\n- summer\n- winter",
        "And rain?": "After.",
    }


def test_what_is_shown_is_taken_with_its_structure_and_not_twice() -> None:
    answers = {"How often?": "Every 200 km: summer winter", "And rain?": "After every ride."}
    shown = (
        "<h1>Bikes</h1><ul><li>How often?</li><li>And rain?</li></ul>"
        "<div class=q>How often?</div><div class=a>Every 200 km:<ul><li>summer</li><li>winter</li></ul></div>"
        "<div class=q>And rain?</div><div class=a>After every ride.</div><p>Call us.</p>"
    )
    assert pairs("a.html", f"<html><body>{shown}{declared(answers)}</body></html>") == {
        "Bikes": "Call us.",  # the later of two sections under the same heading in this view
        "Bikes › How often?": "Every 200 km:\n\n- summer\n- winter",
        "Bikes › And rain?": "After every ride.",
    }


def test_an_answer_that_is_folded_away_is_put_under_its_heading() -> None:
    page = "<h1>Bikes</h1><h3>How often?</h3><div style='display:none'>Daily.</div><h3>And rain?</h3><div>After.</div>"
    found = pairs(
        "a.html", f"<html><body>{page}{declared({'How often?': 'Daily.', 'And rain?': 'After.'})}</body></html>"
    )
    assert found == {"Bikes › How often?": "Daily.", "Bikes › And rain?": "After."}


def test_microdata_declares_questions_too() -> None:
    items = "".join(
        '<div itemscope itemprop="mainEntity" itemtype="https://schema.org/Question"><span itemprop="name">'
        f'{question}</span><div itemscope itemprop="acceptedAnswer" itemtype="https://schema.org/Answer">'
        f'<div itemprop="text"{style}>{answer}</div></div></div>'
        for (question, answer), style in zip(TWO.items(), ("", " hidden"), strict=True)
    )
    page = f'<html itemscope itemtype="https://schema.org/FAQPage"><body>{items}</body></html>'
    found = pairs("a.html", page)
    assert {question: found.get(question) for question in TWO} == TWO


@pytest.mark.parametrize(
    "script",
    [
        "{not json",
        "[" * 100_000,
        "null",
        '{"@type": "Question"}',
        '{"@type": "FAQPage", "mainEntity": [{"@type": ["Question"], "name": 3, "acceptedAnswer": [[]]}]}',
        '{"@type": "Question", "name": "Deep?", "acceptedAnswer": {"text": "' + "\\u003cdiv>" * 5_000 + '"}}',
        '{"@type": "Question", "name": "Empty?", "acceptedAnswer": {"text": "<p></p>"}}',
    ],
)
def test_a_broken_declaration_declares_nothing(script: str) -> None:
    page = f'<html><body><p>Text of the page.</p><script type="application/ld+json">{script}</script></body></html>'
    assert read("a.html", page).by_heading == {(): "Text of the page."}


RUNS = ["Q: ", "A: ", "Q: A: ", "Q: a?\nA: b\n", "- ", "?\t", ": ", "Q1. ", "**Q:**", "질문:", "\n- \n"]


@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("name", ["a.txt", "a.md"])
def test_long_runs_of_marks_come_to_an_end_and_lose_nothing(name: str, run: str) -> None:
    assert "the last words" in read(name, run * 4_000 + "\n\nthe last words").text
