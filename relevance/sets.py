"""Which sets there are, what they are judged by, and what was promised of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from infra.evaluation.judgements import Judgements, Question, read_judgements, read_questions

NDCG = "nDCG@10"
ALL_GOLD_AT = 8

# One bot each, in the order in which they are loaded: small ones first.
CORPORA: Mapping[str, Path] = {
    bot: Path("corpora", f"{file}.jsonl.gz")
    for bot, file in {
        "xquad-tr": "xquad_tr.corpus",
        "2wiki-780": "2wiki.corpus_first780",
        "pubmedqa": "pubmedqa.corpus",
        "2wiki-6119": "2wiki.corpus_full",
        "bioasq": "bioasq.corpus",
        "medquad": "medquad",
    }.items()
}


@dataclass(frozen=True, slots=True)
class EvaluationSet:
    """Questions with judgements, over a corpus.

    `baseline` is the best value of a simple method: BM25, one embedding, their RRF; for MedQuAD's synonyms a question that was
    expanded by hand. For 2Wiki it is the best that is published, of a method that asks an LLM.

    An answer counts from `min_grade` on, and nDCG gains by how far its grade is above `zero_grade`.
    """

    name: str
    corpus: str
    folder: str
    measure: str = NDCG
    baseline: float | None = None
    promised: float | None = None
    field: str | None = None
    min_grade: int = 1
    zero_grade: int = 0

    @property
    def files(self) -> tuple[Path, Path, Path]:
        """Its corpus, questions and judgements, below the data folder."""
        return CORPORA[self.corpus], Path(self.folder, "queries.jsonl"), Path(self.folder, "qrels.tsv")

    def judgements(self, data: Path) -> Judgements:
        return read_judgements(data / self.files[2], self.min_grade, self.zero_grade)

    def questions(self, data: Path, limit: int | None = None) -> list[Question]:
        """Those that are judged; at most `limit`, spread over all of them."""
        judged = self.judgements(data)
        questions = [q for q in read_questions(data / self.files[1], self.field) if q.question_id in judged]
        return spread(questions, limit) if limit else questions


def spread(questions: list[Question], limit: int) -> list[Question]:
    """At most `limit` of them, evenly spread."""
    count = min(limit, len(questions))
    return [questions[number * len(questions) // count] for number in range(count)]


_ALL_GOLD = f"all gold in the top {ALL_GOLD_AT}"

SETS: Mapping[str, EvaluationSet] = {
    chosen.name: chosen
    for chosen in (
        EvaluationSet("xquad-tr", "xquad-tr", "xquad_tr", baseline=0.943, promised=0.95),
        EvaluationSet("2wiki-780", "2wiki-780", "2wiki", measure=_ALL_GOLD, baseline=0.931, promised=0.95),
        EvaluationSet("pubmedqa", "pubmedqa", "pubmedqa", baseline=0.984, promised=0.985),
        EvaluationSet("2wiki-6119", "2wiki-6119", "2wiki", measure=_ALL_GOLD, baseline=0.931, promised=0.95),
        EvaluationSet("bioasq", "bioasq", "bioasq", baseline=0.825, promised=0.845),
        # Consumers' own long questions. Graded 1 (incorrect) to 4 (excellent): first the good ones alone, then all by grade.
        EvaluationSet("liveqa", "medquad", "liveqa", NDCG, 0.517, 0.55, field="message", min_grade=3, zero_grade=1),
        EvaluationSet("liveqa-graded", "medquad", "liveqa", field="message", min_grade=2, zero_grade=1),
        EvaluationSet("medquad-syn", "medquad", "medquad_syn", baseline=0.884, promised=0.88),
    )
}
