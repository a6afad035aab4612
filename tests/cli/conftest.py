"""The command line called in this process, which is fast; signals and imports need a process of their own."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from labctl.cli import main

Labctl = Callable[..., int]


@pytest.fixture
def labctl(monkeypatch: pytest.MonkeyPatch) -> Labctl:
    """The command in this process; its exit code."""

    def call(*arguments: str | Path) -> int:
        monkeypatch.setattr(sys, "argv", ["labctl", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        return int(ended.value.code or 0)

    return call
