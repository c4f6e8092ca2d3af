"""Filters as they come over HTTP."""

from __future__ import annotations

from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from functions.query.values import Label, Labels, Moment, holdable
from shared.domain import Fields, Filter

MAX_VALUES = 100


def _few(metadata: dict[str, Any]) -> dict[str, Any]:
    for name, value in metadata.items():
        if isinstance(value, list) and not 1 <= len(value) <= MAX_VALUES:
            raise ValueError(f"{name}: name 1 to {MAX_VALUES} values")
    return metadata


class FieldsIn(BaseModel):
    """Each field is a clause, and any of its values will do. Each tag and each metadata field is a clause of its own."""

    model_config = ConfigDict(extra="forbid")

    category: Labels | None = None
    subcategory: Labels | None = None
    source: Labels | None = None
    source_type: Labels | None = None
    author: Labels | None = None
    language: Labels | None = None
    difficulty: Labels | None = None
    external_id: Labels | None = None
    document_id: Annotated[list[UUID], Field(min_length=1, max_length=MAX_VALUES)] | None = None
    tags: Labels | None = None
    published_from: Moment | None = None
    published_to: Moment | None = None
    metadata: (
        Annotated[dict[Label, Any], Field(min_length=1, max_length=20), AfterValidator(_few), AfterValidator(holdable)]
        | None
    ) = Field(
        default=None, description="fields of the record itself, each with a value, or with a list of which any will do"
    )

    @model_validator(mode="before")
    @classmethod
    def _are_known(cls, given: Any) -> Any:
        if isinstance(given, dict) and (unknown := sorted(str(name) for name in given if name not in cls.model_fields)):
            known = ", ".join(cls.model_fields)
            raise ValueError(
                f"there is no field {', '.join(unknown)[:200]} to filter on. Known are {known}; "
                "a field of your own records goes into metadata."
            )
        return given

    def values(self) -> dict[str, Any]:
        """What is named, frozen."""
        named = {name: getattr(self, name) for name in FieldsIn.model_fields}
        return {name: tuple(v) if isinstance(v, list) else v for name, v in named.items() if v is not None}

    def fields(self) -> Fields:
        return Fields(**self.values())


class FilterIn(FieldsIn):
    """A hit meets every clause of `must` and none of `must_not`. It comes earlier for each clause of `should` that it
    meets, which leaves nothing out. Fields beside these three are meant as `must`."""

    must: FieldsIn | None = None
    must_not: FieldsIn | None = None
    should: FieldsIn | None = None

    @model_validator(mode="after")
    def _says_must_once(self) -> Self:
        if self.must is not None and self.values():
            raise ValueError("write all fields into must, or all beside it")
        return self

    def filter(self) -> Filter:
        must_not, should = (None if asked is None else asked.fields() for asked in (self.must_not, self.should))
        return Filter(**(self.must or self).values(), must_not=must_not, should=should)


def filter_of(given: FilterIn | None) -> Filter:
    """None filters nothing."""
    return Filter() if given is None else given.filter()
