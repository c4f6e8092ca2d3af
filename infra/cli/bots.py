"""`lockstep bots`."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from infra.cli.output import say, show
from infra.cli.target import DEFAULT, Api, JsonOption, StateOption, UrlOption

app = typer.Typer(no_args_is_help=True)


@app.command()
def create(
    slug: Annotated[str, typer.Argument(help="Lower-case letters, digits, hyphens: its prefix in the bucket.")],
    name: Annotated[str, typer.Option(help="What people call it.")] = "",
    settings: Annotated[str, typer.Option(help='JSON, for example {"consistency": "strong"}.')] = "{}",
    url: UrlOption = None,
    state: StateOption = DEFAULT,
    as_json: JsonOption = False,
) -> None:
    """Create a bot. A slug is never given out twice, not even after the bot is deleted."""
    try:
        chosen = json.loads(settings)
    except ValueError as error:
        raise typer.BadParameter(f"--settings is not JSON: {error}") from None
    bot = Api(url, state).call("POST", "/bots", json={"slug": slug, "name": name, "settings": chosen})
    show(bot, as_json=True) if as_json else say(f"Created {bot['slug']!r}. Next: lockstep upload {slug} FOLDER --wait")


@app.command("list")
def list_bots(url: UrlOption = None, state: StateOption = DEFAULT, as_json: JsonOption = False) -> None:
    """List the bots."""
    bots = Api(url, state).call("GET", "/bots")["bots"]
    rows = ((bot["slug"], bot["name"], bot["model_id"], bot["created_at"][:16]) for bot in bots)
    show(bots, as_json=as_json, table=("slug", "name", "embedder", "created"), rows=rows)


@app.command("set")
def change(
    slug: Annotated[str, typer.Argument(help="The bot.")],
    name: Annotated[str | None, typer.Option(help="What people call it.")] = None,
    consistency: Annotated[
        str | None, typer.Option(help="eventual, or strong: a write answers after the flip.")
    ] = None,
    kept_generations: Annotated[
        int | None, typer.Option(help="Superseded contents of a document that are kept, to roll back to.")
    ] = None,
    recency_half_life_days: Annotated[
        float | None,
        typer.Option(help="What was published lately comes earlier, and loses half of that in so many days; 0: not."),
    ] = None,
    columns: Annotated[str | None, typer.Option(help='JSON, for example {"question": "Frage"}.')] = None,
    url: UrlOption = None,
    state: StateOption = DEFAULT,
    as_json: JsonOption = False,
) -> None:
    """Change a bot's name or settings; what is not named stays as it is."""
    changes: dict[str, Any] = {"name": name, "consistency": consistency, "kept_generations": kept_generations}
    changes["recency_half_life_days"] = recency_half_life_days
    try:
        changes["columns"] = None if columns is None else json.loads(columns)
    except ValueError as error:
        raise typer.BadParameter(f"--columns is not JSON: {error}") from None
    body = {field: value for field, value in changes.items() if value is not None}
    if not body:
        raise typer.BadParameter("Name at least one setting to change.")
    bot = Api(url, state).call("PATCH", f"/bots/{slug}", json=body)
    fields = {"name": bot["name"], **bot["settings"]}
    show(bot, as_json=as_json, table=("setting", "value"), rows=fields.items())


@app.command()
def delete(
    slug: Annotated[str, typer.Argument(help="The bot.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    url: UrlOption = None,
    state: StateOption = DEFAULT,
    as_json: JsonOption = False,
) -> None:
    """Delete a bot, its documents and its objects in the bucket. There is no way back but a snapshot."""
    if not yes:
        typer.confirm(f"Delete the bot {slug!r} and everything in it?", abort=True)
    deleted = Api(url, state).call("DELETE", f"/bots/{slug}")
    told = f"{slug!r} answers no more; what is behind it is removed by the next sync."
    show(deleted, as_json=True) if as_json else say(told)
