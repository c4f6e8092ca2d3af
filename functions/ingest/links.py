"""Where links lead to a document, and where its own links lead: addresses, at which both meet.

An address is `/guides/rules` for an object of the bot and `//example.org/rules` for a page of the web, each with a `#` and a
section's heading behind it for that section alone. Endings that say only that it is a page are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from posixpath import normpath
from urllib.parse import SplitResult, quote, unquote, urljoin, urlsplit

from functions.ingest.parsing.cleaning import clean_text

MAX_LINKS = 32  # of one section; of a mere list of links the first ones
READ_LINKS = 4 * MAX_LINKS  # of one section, those that lead nowhere included
MAX_ADDRESS_CHARACTERS = 500

_BUCKET = "bucket.invalid"  # stands for the bot's own objects while a link is resolved
_PAGE_ENDING = re.compile(r"(?:(?<=/)index)?\.(?:x?html?|md|markdown)(?:\.gz)?$")


@dataclass(frozen=True)
class Place:
    """Where a document is: by its name below the bot's prefix, and by the URL that it says it has."""

    name: str
    url: str | None = None

    def addresses(self, heading_path: tuple[str, ...]) -> tuple[str, ...]:
        """The addresses of its section under those headings: the document's, and the section's own."""
        anchor = _anchor(heading_path[-1]) if heading_path else ""
        own = [*self._own, *(f"{address}#{anchor}" for address in self._own if anchor)]
        return tuple(address for address in own if len(address) <= MAX_ADDRESS_CHARACTERS)

    def targets(self, links: Iterable[str]) -> tuple[str, ...]:
        """The addresses that those links (as `href` has them) of it lead to, each once; at most MAX_LINKS.

        A link to a section leads to the rest of its document as well, as headings are not always named as they read.
        """
        told: dict[str, None] = {}
        for link in islice(links, READ_LINKS):
            for base in self._bases:
                told |= dict.fromkeys(a for a in self._addresses_of(link, base) if len(a) <= MAX_ADDRESS_CHARACTERS)
        return tuple(told)[:MAX_LINKS]

    @cached_property
    def _bases(self) -> tuple[str, ...]:
        return (f"https://{_BUCKET}/{quote(self.name)}", *([self.url] if self.url else []))

    @cached_property
    def _own(self) -> tuple[str, ...]:
        places = (_split(base) for base in self._bases)
        return tuple(dict.fromkeys(_address(place) for place in places if place is not None))

    def _addresses_of(self, link: str, base: str) -> Iterator[str]:
        place = _split(link.strip(), base)
        if place is None:
            return
        address = _address(place)
        if address not in self._own:
            yield address
        if anchor := _anchor(unquote(place.fragment)):
            yield f"{address}#{anchor}"


def _split(link: str, base: str = "") -> SplitResult | None:
    """The parts of the URL that the link means on a page of that URL; None if it is none of a page."""
    try:
        place = urlsplit(urljoin(base, link))
        return place if place.scheme in ("http", "https") and place.hostname else None
    except ValueError:  # brackets that hold no IPv6 address, for example
        return None


def _address(place: SplitResult) -> str:
    host = clean_text(place.hostname or "").removeprefix("www.")
    path = normpath(f"/{unquote(place.path)}").replace("//", "/")
    path = _PAGE_ENDING.sub("", clean_text(path).casefold()).rstrip("/") or "/"
    query = f"?{clean_text(place.query)}" if place.query else ""
    return path if host == _BUCKET else f"//{host}{path.rstrip('/')}{query}"


def _anchor(heading: str) -> str:
    """A heading as those who make pages of texts name its place: "Tooth care" is `tooth-care`."""
    words = re.findall(r"[^\W_]+", clean_text(heading).casefold())
    return "-".join(words)
