"""The language of short and long texts, and no language where a text does not say enough."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.language import language_of


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "When is it open? From ten to six."),
        ("en", "The kidneys filter the blood and remove waste that the body does not need."),
        ("tr", "Zinciri ne sıklıkla yağlamalıyım? Her 200 kilometrede bir."),
        ("tr", "BÖBREK TAŞI NEDİR VE NASIL OLUŞUR?"),
        ("de", "Wie oft soll ich die Kette ölen? Alle 200 Kilometer."),
        ("fr", "Les reins filtrent le sang et éliminent les déchets."),
        ("es", "¿Cuándo está abierto? De diez a seis."),
        ("it", "I reni filtrano il sangue ed eliminano le scorie."),
        ("pt", "Os rins filtram o sangue e eliminam os resíduos."),
        ("nl", "De nieren filteren het bloed en verwijderen afval."),
        ("pl", "Nerki filtrują krew i usuwają to, co nie jest potrzebne."),
        ("sv", "Njurarna renar blodet och tar bort det som kroppen inte behöver."),
        ("ru", "Почки фильтруют кровь и удаляют отходы, которые не нужны."),
        ("uk", "Нирки фільтрують кров і видаляють те, що не потрібно."),
        ("ar", "متى يفتح؟ من العاشرة إلى السادسة."),
        ("ko", "CKD 환자는 단백질을 줄여야 합니다."),
        ("ja", "腎臓は血液をろ過します。"),
        ("zh", "肾脏过滤血液并清除废物。"),
        ("el", "Πότε είναι ανοιχτό;"),
        ("he", "מתי פתוח?"),
        ("th", "เปิดเมื่อไหร่"),
        ("da", "Hvad er åbningstiderne? Vi har åbent fra ni til fem."),
        ("no", "Hva er åpningstidene? Hvorfor er det stengt etter fem?"),
        ("bn", "কখন খোলা? আমরা নয়টা থেকে খোলা।"),
        ("ka", "როდის ხართ ღია?"),
        ("cs", "Kdy máte otevřeno? Máme otevřeno od devíti do pěti."),
        ("sk", "Kedy máte otvorené? Otvorené máme, keď už je deväť."),
        ("hr", "Kada radite? Radimo od devet, a što već nije zatvoreno."),
        ("ro", "Când sunteți deschiși? Suntem deschiși de la nouă."),
        ("hu", "Mikor vannak nyitva? Kilenctől ötig vagyunk nyitva, és nem tovább."),
        ("fi", "Milloin olette auki? Olemme auki yhdeksästä viiteen."),
        ("bg", "Кога работите? Работим от девет до пет и в събота е затворено."),
        ("sr", "Када радите? Радимо од девет до пет, а суботом је затворено."),
        ("mr", "वेळ काय आहे? आम्ही नऊ ते पाच उघडे असतो."),
        ("ur", "اوقات کار کیا ہیں؟ ہم نو بجے سے پانچ بجے تک کھلے ہیں۔"),
        ("hi", "यह कब खुलता है?"),
    ],
)
def test_the_language_is_found(language: str, text: str) -> None:
    assert language_of(text) == language


@pytest.mark.parametrize("text", ["", "?!", "12.5 %", "KX-200 B7", "Kidney stones", "a", "😀😀"])
def test_what_says_too_little_has_none(text: str) -> None:
    assert language_of(text) is None


@pytest.mark.parametrize(
    "text",
    ["Vi har det, og det er for barn.", "Horario de apertura: lunes a viernes", "Quan obriu?"],
)
def test_what_two_languages_could_say_or_none_that_is_known_has_none(text: str) -> None:
    assert language_of(text) is None


def test_two_languages_of_equal_weight_are_none() -> None:
    assert language_of("the of and to is that", "der die das und ist nicht") is None


@given(st.text(max_size=300))
def test_no_text_is_too_odd(text: str) -> None:
    assert language_of(text) is None or len(language_of(text) or "") == 2
