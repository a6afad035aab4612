"""Makers of commands: each turns getters, setters and bounds into the set and query forms of one header."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from sim_backend.afg31000.limits import Arbiter
from sim_backend.afg31000.options import AfgOptions
from sim_backend.afg31000.replies import Replies
from sim_backend.scpi import Command, ScpiError, Suffixes, Tokens
from sim_backend.scpi.values import Choice, Token, boolean, integer, keyword, quantity, quoted, string

Bounds = tuple[float, float]

PLAIN: dict[str, float] = {}
"""Units that a number may carry, with what they multiply it by."""
VOLT = {"V": 1.0}
HERTZ = {"HZ": 1.0}
SECOND = {"S": 1.0}
PERCENT = {"PCT": 1.0, "%": 1.0}
OHM = {"OHM": 1.0}
ANGLE = {"RAD": 1.0, "DEG": math.pi / 180}


def only(tokens: Tokens) -> Token:
    """The one datum of a command: -109 if it is missing, -108 if there are more."""
    none_else(tokens, 1)
    return tokens[0]


def none_else(tokens: Tokens, count: int = 0) -> None:
    """Exactly ``count`` data."""
    if len(tokens) < count or (count and tokens[0] == ""):
        raise ScpiError(-109)
    if len(tokens) > count:
        raise ScpiError(-108)


def first(suffixes: Suffixes) -> int:
    """Channel (or other) number of a header that carries at most one."""
    return suffixes[0] if suffixes else 1


class Maker:
    """Makes commands that obey one instrument's options."""

    def __init__(self, options: AfgOptions, replies: Replies, arbiter: Arbiter) -> None:
        self._options = options
        self._replies = replies
        self._arbiter = arbiter

    def number(
        self,
        *patterns: str,
        get: Callable[[int], float],
        put: Callable[[int, float], None],
        bounds: Callable[[int], Bounds],
        units: Mapping[str, float] = PLAIN,
        admits: bool = False,
        count: bool = False,
        infinity: bool = False,
    ) -> Command:
        """A numeric setting. ``put`` checks the range unless ``admits``; ``infinity``: INF is a value too."""
        spell = self._replies.count if count else self._replies.number

        def value(token: Token, limits: Bounds) -> float:
            word = keyword(token)
            if word == "MIN":
                return limits[0]
            if word == "MAX":
                return limits[1]
            if word == "INF" and infinity:
                return math.inf
            if word is not None:
                raise ScpiError(self._options.illegal_mnemonic, word)
            given, unit = quantity(token, tuple(units))
            given = float(integer(token)) if count else given * units.get(unit, 1.0)
            return self._arbiter.admit(given, *limits) if admits else given

        def set_(suffixes: Suffixes, tokens: Tokens) -> None:
            n = first(suffixes)
            put(n, value(only(tokens), bounds(n)))

        def query(suffixes: Suffixes, tokens: Tokens) -> str:
            n = first(suffixes)
            if not tokens:
                return spell(get(n))
            if not self._options.bounds_queries:
                raise ScpiError(-108)
            word = keyword(only(tokens))
            if word not in ("MIN", "MAX"):
                raise ScpiError(self._options.illegal_mnemonic)
            return spell(bounds(n)[word == "MAX"])

        return Command(patterns, set_, query)

    def choice(
        self, *patterns: str, choice: Choice, get: Callable[[int], str], put: Callable[[int, str], None]
    ) -> Command:
        """A mnemonic setting."""

        def set_(suffixes: Suffixes, tokens: Tokens) -> None:
            put(first(suffixes), choice(only(tokens)))

        return Command(patterns, set_, _plain(get))

    def choices(self, *mnemonics: str, **aliases: str) -> Choice:
        """Mnemonics of a ``choice``; others are the error that the option names."""
        return Choice(*mnemonics, aliases=aliases, error=self._options.illegal_mnemonic)

    def boolean(self, *patterns: str, get: Callable[[int], bool], put: Callable[[int, bool], None]) -> Command:
        """An ON/OFF setting; the reply is 0 or 1."""

        def set_(suffixes: Suffixes, tokens: Tokens) -> None:
            put(first(suffixes), boolean(only(tokens)))

        return Command(patterns, set_, _plain(lambda n: "1" if get(n) else "0"))

    def text(self, *patterns: str, get: Callable[[int], str], put: Callable[[int, str], None]) -> Command:
        """A string setting."""

        def set_(suffixes: Suffixes, tokens: Tokens) -> None:
            put(first(suffixes), string(only(tokens)))

        return Command(patterns, set_, _plain(lambda n: quoted(get(n))))

    def register(self, *patterns: str, get: Callable[[], int], put: Callable[[int], None], largest: int) -> Command:
        """An integer register 0..``largest``."""

        def set_(suffixes: Suffixes, tokens: Tokens) -> None:
            value = integer(only(tokens))
            if not 0 <= value <= largest:
                raise ScpiError(-222)
            put(value)

        return Command(patterns, set_, _plain(lambda _: str(get())))


def _plain(get: Callable[[int], str]) -> Callable[[Suffixes, Tokens], str]:
    """Query form without data."""

    def query(suffixes: Suffixes, tokens: Tokens) -> str:
        if tokens:
            raise ScpiError(-108)
        return get(first(suffixes))

    return query


def event(*patterns: str, run: Callable[[int], None]) -> Command:
    """A command without data and without a query form."""

    def set_(suffixes: Suffixes, tokens: Tokens) -> None:
        none_else(tokens)
        run(first(suffixes))

    return Command(patterns, set_)


def query(*patterns: str, get: Callable[[int], str]) -> Command:
    """A query without data and without a set form."""
    return Command(patterns, None, _plain(get))
