from __future__ import annotations

import codecs

import pytest

from tests.unit.parsing.samples import read, reason

TURKISH = "Şeker hastalığı, böbrek yetmezliğinin en sık görülen nedenidir. Diyaliz kanı temizler; ışık, çığ, İğne."
KOREAN = "신장 질환은 혈액을 여과하는 능력이 점차 감소하는 상태입니다. 정기적인 검사가 필요합니다."
GERMAN = "Die Nierenfunktion ist bei älteren Menschen häufig eingeschränkt. Größe und Gewicht prüfen."
RUSSIAN = "Когда вы открываетесь? Мы открываемся в девять часов утра."
ARABIC = "متى تفتحون؟ نفتح في الساعة التاسعة صباحا كل يوم."
HINDI = "दिल्ली भारत की राजधानी है। मेट्रो सुबह पाँच बजे से चलती है।"
THAI = "ร้านเปิดกี่โมง ร้านเปิดเก้าโมงเช้า"
JAPANESE = "いつ開店しますか。朝九時に開店します。"
CHINESE = "你们几点开门？我们早上九点开门，下午五点关门。"
UTF16_TEXTS = [RUSSIAN, ARABIC, HINDI, THAI, JAPANESE, CHINESE, "Hello"]

SAMPLES = [
    (TURKISH, "cp1254"),
    (TURKISH, "iso8859-9"),
    ("çeşmebaşı", "cp1254"),
    ("Işığı açık bırakma", "cp1254"),
    (KOREAN, "cp949"),
    (KOREAN, "euc-kr"),
    ("안녕하세요", "euc-kr"),
    ("투석(HD)은 주 3회 시행합니다", "cp949"),
    (GERMAN, "latin-1"),
    ("Viele können", "latin-1"),
    ("Äpfel", "latin-1"),
    ("Où sont les élèves? C'est l'été.", "cp1252"),
    ("El niño está aquí", "cp1252"),
    ("Það er gott að búa á Íslandi, þar sem ég á heima", "cp1252"),
    ("“Quoted” \u2013 and a dash…", "cp1252"),
    ("Zażółć gęślą jaźń", "cp1250"),
    ("ışığı söndür", "cp1254"),
    ("Привет, это проверка кодировки текста на русском языке.", "cp1251"),
    (RUSSIAN, "cp866"),
    (RUSSIAN, "iso8859_5"),
    ("СПРАВКА ДЛЯ КЛИЕНТОВ МАГАЗИНА", "koi8_r"),
    ("Режим работы", "koi8_r"),
    ("ΣΥΧΝΕΣ ΕΡΩΤΗΣΕΙΣ", "cp1253"),
    ("Πότε ανοίγετε; Ανοίγουμε στις εννέα το πρωί.", "iso8859_7"),
    ("שלום עולם, זה מבחן קצר של טקסט בעברית", "cp1255"),
    (ARABIC, "cp1256"),
    (THAI, "cp874"),
    ("เปิด 9.00 น. ปิด 18.00 น. ราคา 100 บาท (VAT)", "tis_620"),
    (JAPANESE, "cp932"),
    (JAPANESE, "euc_jp"),
    ("東京は日本の首都です。", "euc_jp"),
    (CHINESE, "gb18030"),
    ("腎臓病は血液をろ過する機能が低下する状態です。定期的な検査が必要です。", "shift_jis"),
    ("肾脏疾病是一种影响肾脏功能的疾病，需要定期检查。患者应该注意饮食。", "gb18030"),
    (TURKISH, "utf-8"),
    (KOREAN, "utf-8-sig"),
    (TURKISH, "utf-16"),
    (KOREAN, "utf-16-le"),
    (TURKISH, "utf-16-be"),
    ("배송 안내", "utf-16-le"),
    ("주문은 언제 배송되나요? 영업일 기준 이틀이 걸립니다.", "utf-16-be"),
    *((text, order) for text in UTF16_TEXTS for order in ("utf-16-le", "utf-16-be")),
    (KOREAN, "utf-32"),
    (codecs.BOM_UTF16_BE.decode("utf-16-be") + GERMAN, "utf-16-be"),
]


@pytest.mark.parametrize(("text", "encoding"), SAMPLES)
@pytest.mark.parametrize("name", ["a.txt", "a.md", "a.html"])
def test_the_encoding_is_found(text: str, encoding: str, name: str) -> None:
    assert text.removeprefix("\ufeff") in read(name, text.encode(encoding)).text


@pytest.mark.parametrize(("text", "encoding"), [(TURKISH, "cp1254"), (KOREAN, "cp949"), (KOREAN, "utf-16-le")])
def test_the_encoding_of_tables_is_found(text: str, encoding: str) -> None:
    assert read("a.csv", f'name;text\nx;"{text}"\n'.encode(encoding)).records == [{"name": "x", "text": text}]


@pytest.mark.parametrize(("text", "encoding"), [(TURKISH, "cp1254"), (KOREAN, "cp949"), (GERMAN, "latin-1")])
def test_letters_far_into_a_large_file_decide(text: str, encoding: str) -> None:
    english = b"A line of plain English text without any special letters.\n\n" * 40_000
    assert text in read("a.txt", english + text.encode(encoding)).text


def test_a_declared_charset_is_respected() -> None:
    page = "<html><head><meta charset='windows-1251'></head><body><p>Да</p></body></html>"
    assert read("a.html", page.encode("cp1251")).text.strip() == "Да"


def test_valid_utf8_wins_over_a_wrong_declaration() -> None:
    page = "<html><head><meta charset='iso-8859-1'></head><body><p>böbrek</p></body></html>"
    assert "böbrek" in read("a.html", page).text


@pytest.mark.parametrize("charset", ["utf-16", "hex", "idna", "unknown-8", "x" * 30])
def test_a_senseless_declaration_is_ignored(charset: str) -> None:
    page = f"<html><head><meta charset='{charset}'></head><body><p>können</p></body></html>"
    assert "können" in read("a.html", page.encode("latin-1")).text


def test_the_xml_prolog_declares_the_charset_of_xhtml() -> None:
    page = '<?xml version="1.0" encoding="koi8-r"?><html xmlns="http://www.w3.org/1999/xhtml"><body>Да</body></html>'
    assert read("a.xhtml", page.encode("koi8-r")).text.strip() == "Да"


def test_stray_nuls_and_controls_are_cleaned_away() -> None:
    text = read("a.txt", b"Kidney\x00 disease\x07 and\x1b dialysis.\tA tab\nand a line.").text
    assert text.strip() == "Kidney disease and dialysis.\tA tab\nand a line."


def test_a_damaged_byte_does_not_turn_utf8_into_something_else() -> None:
    damaged = TURKISH.encode() + b"\xff" + TURKISH.encode()
    assert read("a.txt", damaged).text.count(TURKISH) == 2


@pytest.mark.parametrize(("text", "encoding"), [(TURKISH, "cp1254"), (RUSSIAN, "cp1251"), (KOREAN, "cp949")])
@pytest.mark.parametrize("start", [0, 1])
def test_a_few_stray_nuls_do_not_make_a_text_utf16(text: str, encoding: str, start: int) -> None:
    plain = f"A header line in English.\n{text}\n".encode(encoding) * 20
    assert text in read("a.txt", (plain[:40] + b"\x00" + plain[40:700] + b"\x00" + plain[700:])[start:]).text


@pytest.mark.parametrize("data", [b"\x00" * 500, bytes([0, 1, 2, 3, 200, 255] * 50)])
def test_binary_bytes_are_refused(data: bytes) -> None:
    assert "binary" in reason("a.txt", data)
