"""What every command says in the same way: JSON on stdout, errors in two lines on stderr."""

from __future__ import annotations

import json
import sys
from typing import Any, NoReturn


def fail(what: str, do: str, code: int) -> NoReturn:
    """Two lines on stderr, what is wrong and what to do; then exit."""
    print(f"labctl: {what}", file=sys.stderr)
    if do:
        print(f"        {do}", file=sys.stderr)
    sys.exit(code)


def say_json(value: Any) -> None:
    print(json.dumps(value, indent=None, default=float, allow_nan=False))
