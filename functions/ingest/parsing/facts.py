"""What documents say about themselves, made comparable: titles that are titles, dates with a time zone."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from functions.ingest.parsing.cleaning import clean_text

_PROGRAM_TITLE = re.compile(
    r"^(?:microsoft (?:word|powerpoint|excel) - .*|untitled.*|unbenannt.*|no title|document\s?\d*|slide 1|title"
    r"|.*\.(?:docx?|pdf|pptx?|xlsx?|txt|rtf|indd|qxd|tex|dvi|jpe?g|png|tiff?|html?))$",
    re.IGNORECASE,
)
# What programs write where nobody said anything.
_UNSAID = re.compile(r"^\(?(?:anonymous|unspecified|unknown|none|n/?a)\)?$", re.IGNORECASE)
_PDF_DATE = re.compile(r"^(?:D:)?(\d{4})(\d\d)?(\d\d)?(\d\d)?(\d\d)?(\d\d)?(?:Z|([+-])(\d\d)'?(\d\d)?)?")
_FORMATS = ("%d.%m.%Y", "%Y/%m/%d", "%d %B %Y", "%B %d, %Y", "%b %d, %Y", "%d/%m/%Y", "%Y-%m", "%Y")


def usable_text(text: str | None, size: int = 500) -> str | None:
    """One line of at most `size` characters, or None when there is nothing in it, or only that there is nothing."""
    line = " ".join(clean_text(text or "").split())
    return line[:size] if line and not _UNSAID.match(line) else None


def usable_title(text: str | None) -> str | None:
    """The title, unless it is only what a program put there: a file's name, or "untitled"."""
    title = usable_text(text)
    return None if title is None or _PROGRAM_TITLE.match(title) else title


def parse_date(text: str | None) -> datetime | None:
    """A date as found on pages and in front matter, in UTC where it names no zone; None when it is none."""
    text = (text or "").strip()[:64]
    for read in (datetime.fromisoformat, _by_format, _from_mail):
        try:
            return with_zone(read(text))
        except (ValueError, TypeError, IndexError, OverflowError):
            continue
    return None


def parse_pdf_date(text: str | None) -> datetime | None:
    """D:YYYYMMDDHHmmSS+HH'mm' (PDF 1.7, 7.9.4); everything after the year may be missing."""
    found = _PDF_DATE.match((text or "").strip())
    if not found:
        return parse_date(text)
    year, month, day, *clock = (int(part) if part else None for part in found.groups()[:6])
    zone = f"{found[7]}{found[8]}:{found[9] or '00'}" if found[7] else "+00:00"
    hour, minute, second = (part or 0 for part in clock)
    return parse_date(f"{year:04}-{month or 1:02}-{day or 1:02}T{hour:02}:{minute:02}:{second:02}{zone}")


def with_zone(moment: datetime) -> datetime:
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _from_mail(text: str) -> datetime:
    from email.utils import parsedate_to_datetime  # slow to import, and seldom needed

    return parsedate_to_datetime(text)


def _by_format(text: str) -> datetime:
    for pattern in _FORMATS:
        try:
            return datetime.strptime(text, pattern)
        except ValueError:
            continue
    raise ValueError(text)
