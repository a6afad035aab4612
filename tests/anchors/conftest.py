"""Measurements through the whole path, one fresh device each."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # importmode importlib adds no path: the modules beside this file


@pytest.fixture
def measure(tmp_path: Path) -> Callable[..., Any]:
    """``measure("hnno/stochastic_spiking", seed=1, cycles="60")`` -> ``Measured``."""
    from anchor_bench import Laboratory

    return Laboratory(tmp_path).measure
