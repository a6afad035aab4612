"""The shipped H-NNO bench as a VISA library for programs that know nothing of labctl."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # importmode importlib adds no path: makes ``neuron_model`` importable

#: both states at their nominal resistance, so that the model's current is known
NOMINAL = "parameters.jump_s=0&parameters.jump_ns=0"


@pytest.fixture
def library() -> Callable[..., str]:
    """``library(clock="wall", speed=50)``: what a program passes to PyVISA; the device is the nominal one."""

    def named(bench: str = "hnno", **settings: object) -> str:
        more = "".join(f"&{name}={value}" for name, value in settings.items())
        return f"{bench}?{NOMINAL}{more}@labctl"

    return named
