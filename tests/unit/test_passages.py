"""Cutting a response into passages: nothing is lost, every piece fits, pieces end at the best border."""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise
from uuid import uuid4

from hypothesis import given
from hypothesis import strategies as st

from functions.ingest.passages import MAX_PASSAGE_CHARACTERS, QUESTION_SHARE, cut, stage_pair
from shared.analysis import terms
from shared.domain import Bot, Metadata, Pair, Passage, Relation
from shared.rows import make_row, related_nodes_of, text_hash_of
from shared.testing import HashingEmbedder
from tests.worlds import memory_world

EMBEDDER = HashingEmbedder(window=34)  # 32 tokens beside the special ones
WORDS = st.sampled_from(["tide", "항구", "çay", "a", "?", ".", "!", "。", "…", '."', " ", "\n", "\n\n", "\t ", "😀"])
TEXTS = st.lists(WORDS, max_size=150).map("".join) | st.text(max_size=300)


@lru_cache(maxsize=1)
def bot() -> Bot:
    return memory_world().bot


def pieces(response: str, question: str = "", embedder: HashingEmbedder = EMBEDDER) -> list[str]:
    return list(cut(question, response, embedder))


def tokens(text: str) -> int:
    return len(EMBEDDER.token_spans(text))


def without_spaces(text: str) -> str:
    return "".join(text.split())


@given(TEXTS, TEXTS)
def test_cutting_never_loses_a_character_that_can_be_seen(question: str, response: str) -> None:
    assert without_spaces("".join(pieces(response, question))) == without_spaces(response)


@given(TEXTS, TEXTS)
def test_every_piece_fits_the_window_with_the_question_before_it(question: str, response: str) -> None:
    beside = min(tokens(question) + 1, EMBEDDER.token_capacity // QUESTION_SHARE)
    assert all(0 < tokens(piece) <= EMBEDDER.token_capacity - beside for piece in pieces(response, question))


@given(TEXTS)
def test_no_piece_is_empty_or_begins_or_ends_with_a_space(response: str) -> None:
    made = pieces(response)
    assert all(piece and piece == piece.strip() for piece in made)
    assert bool(made) == bool(response.strip())


def test_what_fits_is_one_piece() -> None:
    assert pieces("One. Two.\n\nThree.") == ["One. Two.\n\nThree."]


def test_a_paragraph_border_goes_before_that_of_a_sentence() -> None:
    first, second = "one two three four. " * 4 + "end.", "a. b. c. d. e. f. g. h."
    assert pieces(f"{first}\n\n{second}") == [first, second]


def test_a_sentence_border_goes_before_that_of_a_line() -> None:
    sentence = "word " * 19 + "end."
    assert pieces(f"{sentence} and a line\nthat goes on for quite a while and then some")[0] == sentence


def test_a_sentence_keeps_its_closing_quotes() -> None:
    sentence = "word " * 18 + "she said “stop!”"
    assert pieces(f"{sentence} Nobody did, for " + "word " * 20)[0] == sentence


def test_sentences_without_spaces_between_them_are_cut_too() -> None:
    made = pieces("항구는 아침에 열립니다。" * 30)
    assert len(made) > 1
    assert all(piece.endswith("。") for piece in made)


def test_a_line_border_goes_before_that_of_a_word() -> None:
    line = "word " * 20 + "end"
    assert pieces(f"{line}\n" + "more " * 20)[0] == line


def test_words_stay_whole_where_there_is_no_other_border() -> None:
    words = [f"word{n}" for n in range(100)]
    assert " ".join(pieces(" ".join(words))).split() == words
    assert all(tokens(piece) >= EMBEDDER.token_capacity // 2 for piece in pieces(" ".join(words))[:-1])


def test_a_border_in_the_first_half_of_a_piece_is_passed_over() -> None:
    made = pieces("Short.\n\n" + "word " * 60)
    assert made[0].startswith("Short.\n\nword")


def test_a_word_of_thousands_of_letters_is_cut_by_its_length() -> None:
    made = pieces("x" * (2 * MAX_PASSAGE_CHARACTERS + 5) + " and then " + "word " * 40)
    assert [len(piece) for piece in made[:2]] == [MAX_PASSAGE_CHARACTERS] * 2
    assert max(map(len, made)) <= MAX_PASSAGE_CHARACTERS
    assert all(tokens(piece) < EMBEDDER.token_capacity for piece in made)


def test_a_long_question_leaves_most_of_the_window_to_the_response() -> None:
    made = pieces("word " * 100, "why " * 10_000)
    assert tokens(made[0]) == EMBEDDER.token_capacity * (QUESTION_SHARE - 1) // QUESTION_SHARE


def test_a_window_for_hardly_a_token_still_makes_progress() -> None:
    tiny = HashingEmbedder(window=3)
    assert pieces("one two. three", embedder=tiny) == ["one", "two", ".", "three"]


@given(st.lists(st.sampled_from(["alpha beta", "gamma.", "delta"]), min_size=5, max_size=40))
def test_a_change_at_the_end_leaves_the_pieces_before_it(sentences: list[str]) -> None:
    text = " ".join(sentences)
    before, after = pieces(text), pieces(text + " omega " * 40)
    assert after[: len(before) - 1] == before[:-1]


# Staging


def staged_of(pair: Pair) -> list[tuple[Passage, str, str, str]]:
    staged = stage_pair(bot(), DOCUMENT, pair, EMBEDDER)
    assert staged.pair is pair
    return [(item.passage, item.row_hash, item.text_hash, item.lexemes) for item in staged.passages]


DOCUMENT = uuid4()


def test_passages_are_numbered_and_freshly_named_each_time() -> None:
    pair = Pair(uuid4(), "Why?", "word " * 100, page=7)
    first, second = staged_of(pair), staged_of(pair)
    assert [passage.part for passage, *_ in first] == list(range(len(first)))
    assert {passage.page for passage, *_ in first} == {7}
    names = [passage.passage_id for passage, *_ in first + second]
    assert len(set(names)) == len(names)


def test_the_recorded_hash_is_that_of_the_row_which_the_index_will_hold() -> None:
    pair = Pair(uuid4(), "Why?", "Because.", metadata=Metadata(tags=("a",)), relations=(Relation(uuid4(), "see", 0.5),))
    ((passage, row_hash, text_hash, _),) = staged_of(pair)
    row = make_row(
        deployment_id=bot().collection.deployment_id,
        bot_id=bot().bot_id,
        document_id=DOCUMENT,
        pair=pair,
        passage=passage,
        related_nodes=related_nodes_of(pair.relations),
    )
    assert row_hash == row.row_hash
    assert text_hash == text_hash_of("Why?", "Because.")


def test_a_row_says_where_relations_lead_in_other_documents() -> None:
    near, far, other = Relation(uuid4(), "see", 0.5, "near"), Relation(uuid4(), "see", 0.5, "far"), uuid4()
    pair = Pair(uuid4(), "Why?", "Because.", relations=(near, far))
    (staged,) = stage_pair(bot(), DOCUMENT, pair, EMBEDDER, {"far": [other]}).passages
    assert [(node["qa_id"], node["confidence"]) for node in staged.related_nodes] == [
        (str(near.target_qa_id), 0.5),
        (str(other), 0.5),
    ]


def test_a_passage_is_found_by_the_words_of_its_question_too() -> None:
    ((_, _, _, lexemes),) = staged_of(Pair(uuid4(), "Öffnungszeiten?", "Um zehn."))
    assert all(f"'{term}'" in lexemes for term in terms("Öffnungszeiten? Um zehn."))


def test_a_question_of_a_million_words_leaves_lexemes_that_postgres_takes() -> None:
    question = " ".join(f"word{n}" for n in range(1_000_000))
    for _, _, _, lexemes in staged_of(Pair(uuid4(), question, "Because.")):
        assert len(lexemes) < 1_000_000


def test_consecutive_passages_share_nothing() -> None:
    response = " ".join(f"w{n}" for n in range(200))
    texts = [set(passage.text.split()) for passage, *_ in staged_of(Pair(uuid4(), "", response))]
    assert all(not before & after for before, after in pairwise(texts))
