"""What stands before ``@labctl``: a bench file or a shipped bench, and settings of its simulation.

``path/to/bench.yaml``, ``hnno``, ``bench.yaml?seed=3&noise=false&faults.leads_swapped=true``. What follows the last
question mark replaces keys under ``simulation:`` for this resource manager only; dots lead into mappings, values are
YAML. A question mark, ampersand or percent sign inside a value is percent-encoded, as in a URL; a path may hold them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from labctl.bench.description import BenchDescription
from labctl.bench.loading import load_bench


def load(specification: str) -> BenchDescription:
    """The bench that a specification names.

    Raises:
        BenchFileError: no such file, or it is not a bench file.
        ValueError: settings that are not ``key=value``.
    """
    bench, settings = _split(specification)
    return load_bench(bench, settings)


def _split(specification: str) -> tuple[str, dict[str, Any]]:
    if Path(specification).is_file():  # a file name may hold a question mark itself
        return specification, {}
    bench, mark, query = specification.rpartition("?")
    return (bench, _settings(query)) if mark else (query, {})


def _settings(query: str) -> dict[str, Any]:
    from ruamel.yaml import YAML

    reader = YAML(typ="safe", pure=True)
    settings: dict[str, Any] = {}
    for key, value in parse_qsl(query, keep_blank_values=True, strict_parsing=True):
        *path, last = key.split(".")
        place = settings
        for name in path:
            place = place.setdefault(name, {})
        place[last] = reader.load(value)
    return settings
