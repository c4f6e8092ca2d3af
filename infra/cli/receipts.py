"""`lockstep receipts`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from infra.cli.output import show
from infra.cli.target import DEFAULT, Api, JsonOption, StateOption, UrlOption


def add_to(root: typer.Typer) -> None:
    root.command()(receipts)


def receipts(
    bot: Annotated[str | None, typer.Option(help="Only of this bot, even if it is gone.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="The newest so many.")] = 100,
    url: UrlOption = None,
    state: StateOption = DEFAULT,
    as_json: JsonOption = False,
) -> None:
    """Proofs of what was deleted: final means that a second look found nothing left in either store."""
    parameters = {"limit": limit} | ({"bot": bot} if bot else {})
    found = Api(url, state).call("GET", "/receipts", params=parameters)["receipts"]
    headers = ("bot", "what", "deleted", "catalog rows", "index rows", "state", "final", "receipt")
    show(found, as_json=as_json, table=headers, rows=(_row(receipt) for receipt in found))


def _row(receipt: Mapping[str, Any]) -> tuple[Any, ...]:
    what = {"bot": "the bot", "pair": f"pair {receipt['qa_id']}"}.get(receipt["kind"], receipt["object_path"])
    counts = receipt["counts"]
    catalog = ", ".join(f"{rows:,} {table}" for table, rows in counts.get("catalog", {}).items() if rows)
    final_at = (receipt["final_at"] or "")[:16]
    index_rows = counts.get("index", {}).get("rows")
    deleted_at = receipt["deleted_at"][:16]
    return receipt["bot"], what, deleted_at, catalog, index_rows, receipt["state"], final_at, receipt["receipt_id"]
