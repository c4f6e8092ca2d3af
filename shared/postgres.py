"""A thin client for Postgres over pg8000: short transactions, named SQL, time-outs, translated errors.

Works through a transaction-mode pooler: every statement with parameters runs inside BEGIN and COMMIT, nothing relies on
the session, and no prepared statement outlives its transaction.
"""

from __future__ import annotations

import re
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache, lru_cache
from importlib import resources
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar
from urllib.parse import parse_qs, unquote, urlsplit
from uuid import UUID

from shared.errors import (
    ConfigurationError,
    ConflictError,
    InvalidInputError,
    LockstepError,
    OverdueError,
    StoreUnavailableError,
)
from shared.resilience import RETRY_SECONDS, Circuit, call_with_retries

if TYPE_CHECKING:
    from _typeshed import SupportsWrite
    from pg8000.native import Connection

T = TypeVar("T")
Row = dict[str, Any]

CONNECT_TIMEOUT_SECONDS = 5.0
STATEMENT_TIMEOUT_SECONDS = 10.0
GRACE_SECONDS = 5.0  # beyond a statement's time-out, so that the server's own speaks first
IDLE_SECONDS = 60.0  # an older connection may be dead behind a frozen function or a pooler: open a new one

_PASSING = ("08", "57P", "53300", "40001", "40P01", "55P03", "25006")
_OVERDUE = "57014"
_OUTDATED = ("42P01", "42703", "3F000")


class Transaction:
    """Statements on one connection between BEGIN and COMMIT."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def rows(self, name: str, /, **parameters: Any) -> list[Row]:
        """Run the query of that name; a row is a dict by column."""
        text, values_of = _statement(name)
        context = self._connection.execute_unnamed(text, values_of(parameters))
        columns = [str(column["name"]) for column in context.columns or ()]
        return [dict(zip(columns, row, strict=True)) for row in context.rows or ()]

    def row(self, name: str, /, **parameters: Any) -> Row | None:
        """The first row, or None."""
        rows = self.rows(name, **parameters)
        return rows[0] if rows else None

    def value(self, name: str, /, **parameters: Any) -> Any:
        """The first column of the first row, or None."""
        row = self.row(name, **parameters)
        return next(iter(row.values())) if row else None

    def execute(self, name: str, /, **parameters: Any) -> int:
        """Run the statement of that name; returns the number of rows that it touched."""
        text, values_of = _statement(name)
        return int(self._connection.execute_unnamed(text, values_of(parameters)).row_count)

    def copy_out(self, name: str, target: SupportsWrite[bytes], *, bot_id: UUID) -> int:
        """Write the result of the query of that name as CSV with a header, and return the number of its rows.

        Its only parameter may be :bot_id.
        """
        query = _queries()[name].replace(":bot_id", f"'{UUID(str(bot_id))}'")  # COPY takes no parameters
        self._connection.run(f"copy ({query}) to stdout (format csv, header)", stream=target)
        return int(self._connection.row_count)

    def copy_in(self, table: str, columns: Sequence[str], source: BinaryIO) -> None:
        """Read CSV without a header into a table."""
        names = ", ".join(_identifier(column) for column in columns)
        self._connection.run(f"copy {_identifier(table)} ({names}) from stdin (format csv)", stream=source)

    def script(self, sql: str) -> None:
        """Run SQL without parameters, several statements at once: migrations and DDL."""
        self._connection.run(sql)


class PostgresClient:
    """Runs transactions. Safe for threads: a connection is used by one at a time."""

    def __init__(self, url: str, *, statement_timeout_seconds: float = STATEMENT_TIMEOUT_SECONDS) -> None:
        self._options = _connect_options(url)
        self._timeout_seconds = statement_timeout_seconds
        self._circuit = Circuit("catalog")
        self._lock = threading.Lock()
        self._idle: list[tuple[Connection, float]] = []
        self._closings = 0
        self.connections = 0  # how many were opened so far

    def transact(
        self,
        work: Callable[[Transaction], T],
        *,
        read_only: bool = False,
        timeout_seconds: float | None = None,
        isolation: str = "read committed",
        joins_as_written: bool = False,
    ) -> T:
        """Run `work` in a transaction and return its result.

        A connection that broke before COMMIT, a deadlock and a serialization failure are tried again, so `work` may run
        more than once. A connection that broke during COMMIT is not: whether it committed is unknown, and the caller's
        own repetition must tell; a statement that took too long would take as long again. `joins_as_written` spares the
        planner the search for an order of joins: a statement over six partitioned tables takes longer to plan than to run.
        """
        begin = f"begin isolation level {isolation}{' read only' if read_only else ''}"
        seconds = timeout_seconds or self._timeout_seconds
        limit = int(seconds * 1000)
        head = f"{begin}; set local statement_timeout = {limit}; set local lock_timeout = {limit}"
        if joins_as_written:
            head += "; set local join_collapse_limit = 1"
        outcome_unknown: list[StoreUnavailableError] = []

        def attempt() -> T:
            if outcome_unknown:
                raise outcome_unknown[0]
            with self._connection() as connection:
                _wait_at_most(connection, seconds)
                try:
                    connection.run(head)
                    result = work(Transaction(connection))
                except BaseException:
                    _roll_back(connection)
                    raise
                try:
                    connection.run("commit")
                except Exception as error:
                    if translated := _unavailable(error):
                        outcome_unknown.append(translated)
                    raise
                return result

        return call_with_retries(self._circuit, attempt, seconds=max(seconds, RETRY_SECONDS))

    def run_alone(self, sql: str, *, timeout_seconds: float = 60.0) -> None:
        """Run one statement without parameters outside any transaction, as DETACH … CONCURRENTLY demands."""

        def attempt() -> None:
            with self._connection() as connection:
                _wait_at_most(connection, timeout_seconds)
                connection.run(f"set lock_timeout = {int(timeout_seconds * 1000)}")
                try:
                    connection.run(sql)
                finally:
                    connection.run("reset lock_timeout")

        call_with_retries(self._circuit, attempt, attempts=1)

    def close(self) -> None:
        """Close the connections that are not in use now, and those that are as soon as they are not."""
        with self._lock:
            idle, self._idle = self._idle, []
            self._closings += 1
        for connection, _ in idle:
            _close(connection)

    @contextmanager
    def _connection(self) -> Iterator[Connection]:
        closings = self._closings
        connection = self._take() or self._connect()
        try:
            yield connection
        except Exception as error:
            translated = _translate(error)
            if _is_broken(error):
                _close(connection)
                if isinstance(translated, StoreUnavailableError):
                    self.close()  # the idle ones went to the same server, and are as dead
            else:
                self._give_back(connection, closings)
            if translated is error:
                raise
            raise translated from error
        except BaseException:  # interrupted in the middle of an exchange: the connection's state is unknown
            _close(connection)
            raise
        self._give_back(connection, closings)

    def _take(self) -> Connection | None:
        while True:
            with self._lock:
                if not self._idle:
                    return None
                connection, since = self._idle.pop()
            if time.monotonic() - since < IDLE_SECONDS:
                return connection
            _close(connection)

    def _give_back(self, connection: Connection, closings: int) -> None:
        with self._lock:
            if closings == self._closings:
                self._idle.append((connection, time.monotonic()))
                return
        _close(connection)

    def _connect(self) -> Connection:
        from pg8000.native import Connection

        self.connections += 1
        try:
            return Connection(**self._options)
        except Exception as error:
            raise _translate(error) from error


def _identifier(name: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise LockstepError(f"{name!r} is not a name of the catalog.")
    return name


# Named SQL


@cache
def _statement(name: str) -> tuple[str, Callable[[dict[str, Any]], tuple[Any, ...]]]:
    from pg8000.native import to_statement

    try:
        sql = _queries()[name]
    except KeyError:
        raise LockstepError(f"No query is named {name!r} in shared/sql/queries.") from None
    text, values_of = to_statement(sql)
    return text, values_of


@lru_cache(maxsize=1)
def _queries() -> dict[str, str]:
    """All named queries: in each file, a line `-- name: NAME` begins a query, which runs to the next such line.

    `{NAME}` inside a query stands for the text of another.
    """
    queries: dict[str, str] = {}
    for file in sorted(resources.files("shared.sql").joinpath("queries").iterdir(), key=lambda f: f.name):
        if file.name.endswith(".sql"):
            for block in file.read_text("utf-8").split("-- name: ")[1:]:
                name, _, sql = block.partition("\n")
                if name.strip() in queries:
                    raise LockstepError(f"Two queries are named {name.strip()!r}.")
                queries[name.strip()] = _without_comments(sql)
    return {name: _with_fragments(sql, queries) for name, sql in queries.items()}


def _with_fragments(sql: str, queries: dict[str, str]) -> str:
    return re.sub(r"\{(\w+)\}", lambda part: _with_fragments(queries[part[1]], queries), sql)


def _without_comments(sql: str) -> str:
    lines = (line for line in sql.splitlines() if not line.lstrip().startswith("--"))
    return "\n".join(lines).strip().rstrip(";")


# Connecting


def _connect_options(url: str) -> dict[str, Any]:
    """pg8000's arguments for `postgresql://user:password@host:port/database?sslmode=…`.

    `?host=/folder` names the folder of a Unix socket. `sslmode` is `verify-full` (the default: encrypted, and the server's
    name is checked), `require` (encrypted, unchecked) or `disable`; `sslrootcert` names a file of certificates to trust.
    """
    try:
        parts = urlsplit(url)
        port = parts.port or 5432
    except ValueError:  # its message would quote what it took for the port: perhaps a part of the password
        raise ConfigurationError(
            "LOCKSTEP_POSTGRES_URL cannot be read: a password with / ? # @ or : in it is written with %2F %3F %23 %40 %3A."
        ) from None
    if parts.scheme not in ("postgresql", "postgres"):
        raise ConfigurationError("LOCKSTEP_POSTGRES_URL must begin with postgresql://")
    query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    options: dict[str, Any] = {
        "user": unquote(parts.username or "") or "postgres",
        "password": unquote(parts.password) if parts.password else None,
        "database": unquote(parts.path.lstrip("/")) or "postgres",
        "timeout": CONNECT_TIMEOUT_SECONDS,
        "application_name": "lockstep",
    }
    if "host" in query:
        return options | {"unix_sock": f"{query['host']}/.s.PGSQL.{port}", "ssl_context": False}
    tls = _tls_context(query.get("sslmode", "verify-full"), query.get("sslrootcert"))
    return options | {"host": parts.hostname or "localhost", "port": port, "ssl_context": tls}


@lru_cache(maxsize=4)  # reading all certificates that are trusted takes as long as importing a driver
def _tls_context(mode: str, root_certificates: str | None) -> ssl.SSLContext | bool:
    if mode == "disable":
        return False
    try:
        context = ssl.create_default_context(cafile=root_certificates)
    except OSError as error:  # ssl.SSLError is one
        raise ConfigurationError(f"sslrootcert={root_certificates} cannot be read ({error}).") from error
    if mode == "require":
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif mode != "verify-full":
        raise ConfigurationError(f"sslmode={mode} is not known: use verify-full, require or disable.")
    return context


def _wait_at_most(connection: Connection, seconds: float) -> None:
    connection._usock.settimeout(seconds + GRACE_SECONDS)  # pg8000 sets one only at connecting


def _close(connection: Connection) -> None:
    with suppress(Exception):  # it is being thrown away, and may be dead already
        connection.close()


def _roll_back(connection: Connection) -> None:
    with suppress(Exception):  # the error that led here is the one to report
        connection.run("rollback")


# Errors


def _translate(error: Exception) -> Exception:
    if isinstance(error, LockstepError):
        return error
    if translated := _unavailable(error):
        return translated
    if isinstance(error, UnicodeEncodeError):
        return InvalidInputError("The text is not valid Unicode: it holds half a surrogate pair.")
    state, message = _server_error(error)
    if state in _OUTDATED:
        return ConfigurationError(
            f"The catalog's schema is missing or older than this code ({message}): run `lockstep migrate`."
        )
    if state in ("28P01", "28000", "3D000"):
        return ConfigurationError(f"Postgres refused the connection ({message}): check LOCKSTEP_POSTGRES_URL.")
    if state == "23505":
        return ConflictError(message)
    return error


def _unavailable(error: Exception) -> StoreUnavailableError | None:
    from pg8000.exceptions import InterfaceError

    state, message = _server_error(error)
    if state == _OVERDUE:
        return OverdueError(f"Postgres could not finish in time: {message}")
    if state.startswith(_PASSING):
        return StoreUnavailableError(f"Postgres could not finish: {message}")
    if isinstance(error, InterfaceError | OSError | struct.error | ssl.SSLError):
        return StoreUnavailableError(f"Postgres did not answer ({type(error).__name__}: {error}).")
    return None


def _server_error(error: Exception) -> tuple[str, str]:
    """SQLSTATE and message, as the server sent them; empty for anything else."""
    from pg8000.exceptions import DatabaseError

    if isinstance(error, DatabaseError) and error.args and isinstance(error.args[0], dict):
        return str(error.args[0].get("C", "")), str(error.args[0].get("M", ""))
    return "", ""


def _is_broken(error: Exception) -> bool:
    """Whether the connection is of no further use: it failed itself, the server ended it, or it stopped in mid-exchange.

    After a server's error, and after one that `work` raised on purpose, both sides are at the end of an exchange. After
    any other (a value that cannot be encoded, say) an answer may still be on its way, and the next statement, perhaps
    another bot's, would take it for its own.
    """
    state, _ = _server_error(error)
    return state.startswith(("08", "57P")) if state else not isinstance(error, LockstepError)
