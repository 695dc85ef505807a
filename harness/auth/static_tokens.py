"""Tokens from the plan: one for all, or one per session from a file.

A file that is too short is reported before the run, with the number of its tokens: a session that finds no token would
fail in the middle of the run and look like the endpoint's fault.
"""

import csv
import io

from ..errors import UsageError
from ..plan import TokenAuth, TokensAuth
from ..plan.auth import TOKEN_ENV
from .expiry import jwt_expiry
from .provider import Fields, Provider, Setting, fit_for_a_request
from .templates import held, read_text


class SharedToken(Provider):
    """One token for all.

    Raises:
        UsageError: it is not there, or is no token.
    """

    def __init__(self, auth: TokenAuth, setting: Setting) -> None:
        token, source = held(auth.token_env, TOKEN_ENV, auth.token_file, setting.where, setting.redaction)
        self._token = fit_for_a_request(token, f"{setting.where}: {source}")
        self._expires_s = jwt_expiry(self._token)

    is_renewable = False

    def token(self, whose: Fields) -> str:
        """The one."""
        return self._token

    def expires_s(self, whose: Fields) -> float:
        """As the token says."""
        return self._expires_s


class TokenPerSession(Provider):
    """The n-th token of a file for session n.

    Raises:
        UsageError: the file cannot be read, lacks the column, or has fewer tokens than there are sessions.
    """

    def __init__(self, auth: TokensAuth, setting: Setting) -> None:
        where = f"{setting.where}.file"
        self._tokens = tokens = _read(auth, where)
        for number, token in enumerate(tokens, 1):
            fit_for_a_request(token, f'{where}: token {number} of "{auth.file}"')
            setting.redaction.add(token)
        if not tokens:
            raise UsageError(f'{where}: "{auth.file}" holds no token')
        if len(tokens) < setting.sessions and not auth.reuse:
            raise UsageError(
                f'{where}: "{auth.file}" holds {len(tokens)} tokens for {setting.sessions} sessions: '
                "add tokens, lower load.sessions, or let sessions share them (reuse = true)"
            )

    is_renewable = False

    def token(self, whose: Fields) -> str:
        """The one of this session."""
        return self._tokens[whose.session % len(self._tokens)]

    def expires_s(self, whose: Fields) -> float:
        """As the token says."""
        return jwt_expiry(self.token(whose))


def _read(auth: TokensAuth, where: str) -> list[str]:
    """The tokens of a file, in order; blank lines are passed over."""
    text = read_text(auth.file, where)
    if auth.column is None:
        return [line.strip() for line in text.splitlines() if line.strip()]
    try:
        lines = [line for line in csv.reader(io.StringIO(text), delimiter=auth.delimiter) if any(line)]
    except csv.Error as error:
        raise UsageError(f'{where}: "{auth.file}" is not CSV: {error}') from None
    if isinstance(auth.column, str):
        head, *lines = lines or [[]]
        names = [name.strip() for name in head]
        if auth.column not in names:
            found = f"it has: {', '.join(names)}" if names else "it is empty"
            raise UsageError(f'{where.rpartition(".")[0]}.column: "{auth.file}" has no column "{auth.column}"; {found}')
        at = names.index(auth.column)
    else:
        at = auth.column - 1
    for number, line in enumerate(lines, 1):
        if len(line) <= at or not line[at].strip():
            raise UsageError(f'{where}: row {number} of "{auth.file}" has no token in column {auth.column}')
    return [line[at].strip() for line in lines]
