"""What questions and answers are called, language by language: as columns of a table, and as marks in prose."""

from __future__ import annotations

from typing import NamedTuple


class PairWords(NamedTuple):
    """The words of one language, the commonest first."""

    question: tuple[str, ...]
    answer: tuple[str, ...]

    def words(self) -> PairWords:
        """Without the letters that stand for them, which may mean anything."""
        return PairWords(*(tuple(word for word in side if len(word) > 1) for side in self))


def _row(question: str, answer: str) -> PairWords:
    return PairWords(tuple(question.split(", ")), tuple(answer.split(", ")))


PAIR_WORDS = (
    _row("question, q", "answer, a, ans"),  # English
    _row("soru, s", "cevap, yanıt, c, y"),  # Turkish
    _row("질문, 문제, 문, q", "답변, 응답, 대답, 답, a"),  # Korean
    _row("frage, f", "antwort, a"),  # German
    _row("question, q", "réponse, reponse, r"),  # French
    _row("pregunta, p", "respuesta, r"),  # Spanish
    _row("pergunta, p", "resposta, r"),  # Portuguese
    _row("domanda, d", "risposta, r"),  # Italian
    _row("vraag, v", "antwoord, a"),  # Dutch
    _row("pytanie, p", "odpowiedź, o"),  # Polish
    _row("otázka", "odpověď, odpoveď"),  # Czech, Slovak
    _row("fråga, f", "svar, s"),  # Swedish
    _row("spørgsmål, spørsmål", "svar"),  # Danish, Norwegian
    _row("вопрос, в", "ответ, о"),  # Russian
    _row("питання, запитання, п", "відповідь, в"),  # Ukrainian
    _row("ερώτηση, ε", "απάντηση, α"),  # Greek
    _row("質問, 問, q", "回答, 答, a"),  # Japanese
    _row("问题, 问, 問題, 問", "回答, 答案, 答"),  # Chinese
    _row("câu hỏi, hỏi", "câu trả lời, trả lời, đáp án, đáp"),  # Vietnamese
    _row("pertanyaan, tanya, t", "jawaban, jawab, j"),  # Indonesian
    _row("คำถาม, ถาม", "คำตอบ, ตอบ"),  # Thai
    _row("प्रश्न, सवाल", "उत्तर, जवाब"),  # Hindi
    _row("سؤال, السؤال, س", "جواب, الجواب, الإجابة, إجابة, ج"),  # Arabic
    _row("پرسش, سوال, س", "پاسخ, جواب, ج"),  # Persian
)
