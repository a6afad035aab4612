"""labctl: declarative pulse measurements on neuromorphic devices.

From Python: ``labctl.run(...)``, ``labctl.load_run(path)``, ``labctl.analyze(path)``; each is imported when first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from labctl.api import analyze, prepare, run
    from labctl.store import load_run

__all__ = ["analyze", "load_run", "prepare", "run"]


def __getattr__(name: str) -> Any:
    if name in ("analyze", "prepare", "run"):
        from labctl import api

        return getattr(api, name)
    if name == "load_run":
        from labctl.store import load_run

        return load_run
    raise AttributeError(f"module 'labctl' has no attribute {name!r}")
