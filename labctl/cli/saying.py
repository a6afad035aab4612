"""What every command says in the same way: JSON on stdout, errors in two lines on stderr."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from labctl.ledger import Ledger


def fail(what: str, do: str, code: int) -> NoReturn:
    """Two lines on stderr, what is wrong and what to do; then exit."""
    print(f"labctl: {what}", file=sys.stderr)
    if do:
        print(f"        {do}", file=sys.stderr)
    sys.exit(code)


def say_uncounted(ledger: Ledger | None) -> None:
    """Warn of earlier runs that could not be counted against the device's budgets."""
    for problem in ledger.problems if ledger is not None else ():
        print(f"labctl: warning: not counted among the earlier runs: {problem}", file=sys.stderr)


def say_json(value: Any) -> None:
    print(json.dumps(value, indent=None, default=float, allow_nan=False))
