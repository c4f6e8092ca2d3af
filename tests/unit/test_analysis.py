"""Terms: what a passage is found by, and what Postgres is given."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.analysis import (
    MAX_QUESTION_TERMS,
    language_of,
    question_terms,
    question_words,
    telling_words,
    terms,
    terms_of_passage,
    tsquery_of,
)


def flat(question: str) -> set[str]:
    return {term for forms in question_terms(question) for term in forms}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The Tides, again!", ["the", "tide", "again"]),
        (
            "İSTANBUL'da Iğdır ılık bir IŞIK",
            [
                *("ist~", "ista~", "istanb~", "igd~", "igdi~", "igdir", "ili~", "ilik~", "ilik"),
                *("bir~", "bir", "isi~", "isik~", "isik"),
            ],
        ),
        ("eine Straße, EINE STRASSE", ["ein~", "eine~", "eine", "str~", "stra~", "strass~"] * 2),
        ("studies", ["studi"]),  # plain letters without a function word: taken for English
        ("ﬁne ２０２４ Ⅳ", ["fine", "2024", "iv"]),
        ("한국어 검색", ["한국", "국어", "검색"]),
        ("물", ["물"]),
        ("東京タワー tower", ["東京", "東", "京タ", "京", "タワ", "ワー", "tow~", "towe~", "tower"]),
        ("小猫", ["小猫", "小", "猫"]),
        ("ガ", ["ガ"]),
        ("ภาษา", ["ภา", "าษ", "ษา"]),
        ("the korean한국어mixed", ["the", "korean", "한국", "국어", "mix"]),
        ("snake_case a-b c'd é", ["sna~", "snak~", "snake", "cas~", "case~", "case", "a", "b", "c", "d", "e"]),
        ("PCDH19 5mg", ["pcdh", "19", "pcdh19", "5", "mg", "5mg"]),
        ("Crohn's and l'eau", ["crohn", "and", "l", "eau"]),
        ("भाषा में।", ["भाष~", "भाषा~", "भाषा", "में~", "में"]),
        ("الكِتَاب", ["كتا~", "كتاب~", "كتاب"]),
        ("the TNFα, IFN-γ2, 5 μg", ["the", "tnf", "alpha", "ifn", "gamma", "2", "gamma2", "5", "μg"]),
        ("", []),
        ("?! … 😀 \x00 \ud800", []),
    ],
)
def test_a_text_has_these_terms(text: str, expected: list[str]) -> None:
    assert list(terms(text)) == expected


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("bir DİYALİZ", "bir diyaliz"),
        ("KIZILAY", "kizilay"),
        ("ı", "İ"),
        ("é", "e\u0301"),
        ("bir şişmanlık", "bir SISMANLIK"),
        ("o kitaplarımızdan", "o kitapların"),
        ("the treatments", "the treatment"),
        ("die Öffnung ist", "die offnung ist"),
        ("łódź", "łodz"),
        ("کتاب", "كتاب"),
        ("والطبيب بالطبيب للطبيب الطبيب", "طبيب طبيب طبيب طبيب"),
        ("الكالسيوم", "كالسيوم"),
        ("הבירה שהבירה", "בירה בירה"),
        ("the TNF-α", "the TNF alpha"),
        ("a β-blocker", "a beta blocker"),
    ],
)
def test_what_a_reader_takes_for_the_same_is_the_same(one: str, other: str) -> None:
    assert list(terms(one)) == list(terms(other))


def test_diacritics_that_tell_words_apart_are_kept_beside_the_plain_word() -> None:
    assert list(terms("bạn bán bàn")) == ["ban~", "ban", "bạn", "ban~", "ban", "bán", "ban~", "ban", "bàn"]
    assert question_terms("bạn bán bàn") == [("bạn",), ("ban",), ("ban~",), ("bán",), ("bàn",)]


def test_the_name_of_one_place_takes_no_diacritics_from_a_text_of_another_language() -> None:
    assert {"savasi~", "bac~"} <= set(terms("Bạch Đằng savaşı bir zaferdir."))


def test_a_text_of_greek_keeps_its_words_of_one_letter() -> None:
    assert next(terms("ο άνθρωπος ή η γυναίκα")) == "ο"
    assert not flat("ο άνθρωπος") & {"omicron", "eta"}


def test_a_number_is_cut_where_it_is_none_any_more() -> None:
    assert list(terms("7" * 100_000)) == ["7" * 64]
    assert [len(term) for term in terms("7a" * 100_000)][-1] == 64


def test_positions_are_counted_and_bounded() -> None:
    assert terms_of_passage("", "or not to be, or") == ("'or':1,5 'not':2 'to':3 'be':4", 5)
    many, count = terms_of_passage("", "word " * 20_000)
    assert (many.count(","), count) == (254, 20_000)
    lexemes, _ = terms_of_passage("", " ".join(map(str, range(20_000))) + " end")
    assert lexemes.endswith("'end':16383")


def test_a_word_of_the_question_counts_as_three_and_no_phrase_goes_from_one_to_the_next() -> None:
    assert terms_of_passage("to be", "not to be") == ("'not':1 'to':2,5,8,11 'be':3,6,9,12", 9)
    assert terms_of_passage("Gut nedir?", "Eklem ağrısı.") == terms_of_passage("GUT NEDIR", "eklem agrisi")


def test_a_question_of_a_million_words_leaves_lexemes_that_postgres_takes() -> None:
    lexemes, _ = terms_of_passage(" ".join(f"{n}a" for n in range(1_000_000)), "Because.")
    assert len(lexemes.encode()) < 1_000_000


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("What is the cause of gout?", [("caus", "cause"), ("cau~",), ("caus~",), ("gout",), ("gou~",), ("gout~",)]),
        ("Gut nedir, nasıl olur?", [("gut",), ("gut~",)]),
        ("Was ist eine Gicht?", [("gicht",), ("gic~",), ("gich~",)]),
        ("Qu'est-ce que la goutte ?", [("goutt", "goutte~"), ("gou~",), ("gout~",)]),
        ("¿Qué es la gota?", [("gota",), ("got~",), ("gota~",)]),
        ("통풍은 무엇인가요?", [("통풍",), ("풍은",)]),
        ("How do men die?", [("men",), ("men~",), ("die",), ("die~",)]),  # an article in German
        ("der die das", [("der",), ("der~",), ("die",), ("die~",), ("das",), ("das~",)]),  # never all of them
        ("who is it", [("who",), ("who~",), ("is",), ("it",)]),
        ("die young", [("die",), ("die~",), ("young",), ("you~",), ("youn~",)]),
        ("gout gout GOUT", [("gout",), ("gou~",), ("gout~",)]),
        ("?!", []),
        ("", []),
    ],
)
def test_a_question_asks_for_what_it_is_about(question: str, expected: list[tuple[str, ...]]) -> None:
    assert question_terms(question) == expected


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("ALS symptoms", ["als", "symptoms"]),
        ("als symptoms", ["als", "symptoms"]),
        ("What are the symptoms of ALS?", ["symptoms", "als"]),
        ("IL-6", ["il", "6"]),
        ("her-2 positive", ["her", "2", "positive"]),
        ("HER-2 pozitif nedir?", ["her", "2", "pozitif"]),
        ("WHO guidelines on malaria", ["who", "guidelines", "malaria"]),
        ("WHO ガイドライン", ["who", "ガイドライン"]),
        ("US army", ["us", "army"]),
        ("IT band", ["it", "band"]),
        ("hepatitis C", ["hepatitis", "c"]),
        ("What does vitamin A do?", ["vitamin", "a"]),
        ("vitamin a", ["vitamin", "a"]),
        ("vitamin d deficiency", ["vitamin", "d", "deficiency"]),
        ("T cell", ["t", "cell"]),
        ("A cell", ["cell"]),
        ("Is it bad? A cell", ["bad", "cell"]),
        ("Why do I cough?", ["cough"]),
        ("WHAT IS GOUT", ["gout"]),
        ("GUT NEDİR", ["gut"]),
        ("what's gout", ["gout"]),
        ("Qu'est-ce que l'asthme d'effort ?", ["asthme", "effort"]),
        ("man flu", ["man", "flu"]),
        ("Los Angeles", ["los", "angeles"]),
    ],
)
def test_a_function_word_that_is_a_name_or_a_sign_is_asked_for(question: str, expected: list[str]) -> None:
    assert list(dict.fromkeys(question_words(question).values())) == expected


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("Böbrek taşı nasıl oluşur?", ["bobrek", "tasi", "olusur"]),
        ("Welche Symptome hat die Gicht?", ["symptome", "gicht"]),
        ("Comment traiter la goutte ?", ["traiter", "goutte"]),
        ("¿Cuáles son los síntomas de la gota?", ["sintomas", "gota"]),
        ("síntomas de la gota", ["sintomas", "gota"]),
        ("Quali sono i sintomi della gotta?", ["sintomi", "gotta"]),
        ("Quais são os sintomas da gota?", ["sintomas", "gota"]),
        ("Какие симптомы у подагры?", ["симптомы", "подагры"]),
        ("Ποια είναι τα συμπτώματα;", ["συμπτωματα"]),
        ("ما هي أعراض الربو؟", ["اعراض", "الربو"]),
        ("दमा के लक्षण क्या हैं?", ["दमा", "लक्षण"]),
        ("triệu chứng của bệnh là gì?", ["trieu", "chung", "benh"]),
        ("con chó là gì?", ["con", "cho"]),  # a dog; without its diacritic it would be a function word
        ("통풍의 증상은 무엇인가요?", ["통풍의", "증상은"]),
        ("哮喘有什么症状？", ["哮喘", "症状"]),
        ("氣喘有什麼症狀？", ["氣喘", "症狀"]),
        ("中国的首都是哪里？", ["中国", "首都"]),
        ("猫的寿命", ["猫", "寿命"]),
        ("治疗的目的是什么？", ["治疗", "目的"]),
        ("喘息の症状は何ですか？", ["喘息", "症状"]),
        ("図書館は何時に開きますか？", ["図書館", "開き"]),
        ("糖尿病とは", ["糖尿病"]),
        ("เบาหวานคืออะไร", ["เบาหวาน"]),
        ("什么", ["什么"]),  # never all of them
        ("は何ですか", ["は何ですか"]),
    ],
)
def test_a_question_loses_the_function_words_of_its_language(question: str, expected: list[str]) -> None:
    assert list(dict.fromkeys(question_words(question).values())) == expected


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("What is gout?", "en"),
        ("gut nedir", "tr"),
        ("die Hard", None),
        ("La La Land", None),
        ("KRAS mutations in non-small cell cancer", "en"),
        ("ER retention sequence", None),
        ("bánh mì là gì", "vi"),
        ("der Hund", "de"),
        ("حالة الطقس في مصر", "ar"),
        ("", None),
    ],
)
def test_a_language_is_known_by_its_function_words_alone(text: str, language: str | None) -> None:
    assert language_of(text) == language


@pytest.mark.parametrize(
    ("question", "passage"),
    [
        ("猫", "小猫喜欢喝水。"),
        ("塩", "食塩を減らす。"),
        ("banh mi", "Bánh mì là một món ăn của người Việt."),
        ("bánh mì", "Bánh mì là một món ăn của người Việt."),
        ("duong", "đường là gì và ở đâu"),
        ("الطبيب", "ذهب إلى طبيب في المدينة"),
        ("טיפול בכאב", "הטיפול יעיל"),
        ("TNF-α", "TNF alpha inhibitors"),
        ("Parkinson nedir?", "Parkinson's is a disease of the brain."),
        ("What is Parkinson?", "Parkinson bir beyin hastalığıdır."),
        ("treatments", "The treatment of gout."),
        ("What are treatments of gout?", "Gout treatment"),
        ("böbreğin hastalıkları", "Böbrek hastalığı ve tedavisi"),
        ("kalem", "kalemlerimiz için"),
    ],
)
def test_a_question_meets_a_passage_of_another_form_or_language(question: str, passage: str) -> None:
    assert flat(question) & set(terms(passage))


def test_marked_words_weigh_more_than_those_that_only_look_like_them_without_marks() -> None:
    asked = question_terms("bán hàng ở đâu?")
    sold, table = set(terms("Họ bán hàng ở chợ.")), set(terms("Cái bàn ở trong nhà."))
    assert sum(bool(set(forms) & sold) for forms in asked) > sum(bool(set(forms) & table) for forms in asked) > 0


def test_a_long_question_asks_for_pairs_of_characters_only() -> None:
    assert flat("東京タワー") == {"東京", "京タ", "タワ", "ワー"}


def test_words_that_tell_are_those_that_are_asked_for() -> None:
    assert telling_words("What are WHO guidelines?") == {"who", "guidelines"}
    assert telling_words("哮喘有什么症状？") == {"哮喘", "症状"}
    assert telling_words("what is it") == frozenset()


def test_a_question_of_ten_thousand_words_asks_for_its_first_ones() -> None:
    assert len(question_terms(" ".join(f"{number}" for number in range(10_000)))) == MAX_QUESTION_TERMS


@settings(deadline=None)
@given(text=st.text(max_size=200))
def test_no_text_brings_its_own_syntax(text: str) -> None:
    lexemes, _ = terms_of_passage("", text)
    assert re.fullmatch(r"('[^'\\\s:&|!()<>*]+':[\d,]+( |$))*", lexemes)
    assert re.fullmatch(r"('[^'\\\s:&|!()<>*]+'( & |$))*", tsquery_of(sorted(flat(text))))


@settings(deadline=None)
@given(text=st.text(max_size=100))
def test_a_question_that_repeats_a_passage_asks_for_its_terms(text: str) -> None:
    assert bool(question_terms(text)) == bool(list(terms(text)))
    found = set(terms(text))
    assert not found or flat(text) & found
