"""`lockstep ask` and `lockstep search`."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Annotated, Any

import typer

from infra.cli.output import NOT_AS_HOPED, say, show
from infra.cli.target import DEFAULT, Api, JsonOption, StateOption, UrlOption

BotArgument = Annotated[str, typer.Argument(help="The bot's slug.")]
QuestionArgument = Annotated[str, typer.Argument(help="The question, in quotes.")]
FilterOption = Annotated[
    list[str] | None,
    typer.Option(
        "--filter",
        help="FIELD=VALUE, for example category=care or metadata.shelf=3; may be given several times: of one field any "
        "value will do (of tags, all must be there), and fields hold together.",
    ),
]
ExcludeOption = Annotated[
    list[str] | None,
    typer.Option("--exclude", help="FIELD=VALUE of pairs that are left out; may be given several times."),
]
PreferOption = Annotated[
    list[str] | None,
    typer.Option("--prefer", help="FIELD=VALUE of pairs that come earlier; may be given several times."),
]
WithoutOption = Annotated[
    list[str] | None,
    typer.Option(
        "--without",
        help="Leave a signal out: question, response, combined, lexical, graph or intent; may be given several times.",
    ),
]
PASSAGE_CHARACTERS = 300


def add_to(root: typer.Typer) -> None:
    root.command()(ask)
    root.command()(search)


def ask(
    bot: BotArgument,
    question: QuestionArgument,
    top_k: Annotated[int, typer.Option(help="How many pairs the answer may rest on.")] = 6,
    filters: FilterOption = None,
    exclude: ExcludeOption = None,
    prefer: PreferOption = None,
    url: UrlOption = None,
    state: StateOption = DEFAULT,
    as_json: JsonOption = False,
) -> None:
    """Ask a question; the answer comes with its sources. The exit code is 1 if the bot abstains, 3 if it could not be asked."""
    body = {"question": question, "top_k": top_k, "filters": _filters(filters, exclude, prefer)}
    answer = Api(url, state).call("POST", f"/bots/{bot}/ask", json=body)
    if as_json:
        show(answer, as_json=True)
    else:
        say(answer["answer"])
        for citation in answer["citations"]:
            say(f"  [{citation['number']}] {_place(citation['source'])}")
    if answer["abstained"]:
        raise typer.Exit(NOT_AS_HOPED)


def search(
    bot: BotArgument,
    question: QuestionArgument,
    top_k: Annotated[int, typer.Option(help="How many hits.")] = 5,
    filters: FilterOption = None,
    exclude: ExcludeOption = None,
    prefer: PreferOption = None,
    without: WithoutOption = None,
    diversity: Annotated[float, typer.Option(help="0: the most relevant hits; 1: hits as unlike as can be.")] = 0.0,
    explain: Annotated[bool, typer.Option("--explain", help="Tell what each signal adds to the scores.")] = False,
    url: UrlOption = None,
    state: StateOption = DEFAULT,
    as_json: JsonOption = False,
) -> None:
    """Find the best pairs for a question."""
    body: dict[str, Any] = {"question": question, "top_k": top_k, "filters": _filters(filters, exclude, prefer)}
    body |= {"explain": explain, "diversity": diversity}
    found = Api(url, state).call("POST", f"/bots/{bot}/search", json=body | leaving_out(without))
    if as_json:
        show(found, as_json=True)
        return
    for hit in found["hits"]:
        say(f"{hit['rank']}. {hit['question']}   ({hit['score']:.4f})")
        passage = " ".join(hit["passage"].split())
        say(f"   {passage[:PASSAGE_CHARACTERS]}{'…' if len(passage) > PASSAGE_CHARACTERS else ''}")
        external_id = f", id {hit['external_id']}" if hit["external_id"] else ""
        say(f"   {_place(hit['source'])}{external_id}")
        for part in hit["parts"] or ():
            say(f"   {part['added']:+.4f} {part['signal']}: rank {part['rank']}, score {part['score']:.4g}")
        say()
    if not found["hits"]:
        say("Nothing was found.")


def leaving_out(signals: list[str] | None) -> dict[str, list[str]]:
    """The part of a search's body that leaves those signals out."""
    return {"without": signals} if signals else {}


def _filters(must: list[str] | None, must_not: list[str] | None, should: list[str] | None) -> dict[str, Any]:
    options = {"must": ("--filter", must), "must_not": ("--exclude", must_not), "should": ("--prefer", should)}
    return {part: _fields(option, given) for part, (option, given) in options.items() if given}


def _fields(option: str, given: list[str]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for item in given:
        field, separator, value = item.partition("=")
        if not separator:
            raise typer.BadParameter(f"{option} {item}: write it as FIELD=VALUE")
        if field.startswith("metadata."):
            metadata = fields.setdefault("metadata", {})
            metadata.setdefault(field.removeprefix("metadata."), []).extend(_json_values(value))
        elif field.startswith("published_"):
            fields[field] = value
        else:
            fields.setdefault(field, []).append(value)
    return fields


def _json_values(text: str) -> list[Any]:
    """What was written as 3 or true may be a number or a truth value in a record, or a text."""
    with suppress(ValueError):
        if isinstance(value := json.loads(text), bool | int | float):
            return [text, value]
    return [text]


def _place(source: dict[str, Any]) -> str:
    page = f", page {source['page']}" if source["page"] else ""
    section = f", {source['section']}" if source["section"] else ""
    return f"{source['object_path']}{page}{section}"
