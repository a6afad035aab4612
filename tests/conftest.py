"""What every test may rely on."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from labctl.bench import opening

# A shell that starts the tests in the background has them ignore Ctrl+C, and their children too; tests that stop a run
# by it need the ordinary behaviour.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def worlds(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Simulated benches as they are opened."""
    seen: list[Any] = []
    open_bench = opening.open_bench

    @contextmanager
    def witnessed(*arguments: Any, **options: Any) -> Iterator[opening.OpenBench]:
        with open_bench(*arguments, **options) as opened:
            seen.append(opened.library.bench)
            yield opened

    monkeypatch.setattr(opening, "open_bench", witnessed)
    return seen
