"""What a plan is made from: texts, overrides, seed, exceptions, timing, as run files and plan files keep them.

The plan can be made again from this alone, when the files it came from are gone or have changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from labctl.bench.description import BenchDescription
from labctl.bench.loading import parse_bench
from labctl.plan.build import build_plan
from labctl.plan.dose import Dose
from labctl.plan.plan import Plan, Timing
from labctl.protocol import Protocol, load_protocol
from labctl.protocol.sources import Source

#: label of a protocol file -> {"folder": where its relative paths start, "text": ...}
Texts = dict[str, dict[str, Any]]


def kept_texts(protocol: Protocol) -> Texts:
    """Every text that ``protocol`` was read from, its own first."""
    own = protocol.sources[protocol.file]
    sources = {protocol.file: own, **protocol.sources}
    return {label: {"folder": source.folder, "text": source.text} for label, source in sources.items()}


@dataclass(frozen=True)
class Origin:
    """See the module's docstring; ``bench`` is the text of the bench file."""

    name: str
    overrides: Mapping[str, str]
    texts: Texts
    bench: str
    seed: int
    allow: tuple[str, ...]
    timing: Timing

    @classmethod
    def of(cls, protocol: Protocol, bench: str, plan: Plan) -> Origin:
        """Of a plan just made; ``bench`` is the text of the bench file."""
        texts = kept_texts(protocol)
        return cls(protocol.name, protocol.overrides, texts, bench, plan.seed, plan.allowed, plan.timing)

    @classmethod
    def of_run(cls, meta: Mapping[str, Any]) -> Origin:
        """From ``Run.meta`` of a run file that keeps its protocols (``extra`` has a ``protocol_file``)."""
        main = meta["extra"]["protocol_file"]
        own = {main["label"]: {"folder": main["folder"], "text": meta["protocol"]}}
        return cls(
            meta["resolved"]["name"],
            meta["resolved"]["overrides"],
            own | meta["extra"]["used_protocols"],
            meta["bench"],
            int(meta["seed"]),
            tuple(meta["plan"]["allowed"]),
            meta["plan"].get("timing", "host"),  # all was timed by the host before plans said so
        )

    def load_protocol(self) -> Protocol:
        """The protocol, with its parameters bound. ProtocolError."""
        library = {label: Source(kept["text"], label, kept["folder"], label) for label, kept in self.texts.items()}
        return load_protocol(self.name, self.overrides, library)

    def parse_bench(self, name: str) -> BenchDescription:
        """The bench; ``name`` is what errors call it. BenchFileError."""
        return parse_bench(self.bench, name)

    def plan(self, protocol: Protocol, bench: BenchDescription, used: Dose | None = None) -> Plan:
        """The plan of the protocol on ``bench``; ``used`` as for ``build_plan``. PlanError."""
        return build_plan(protocol, bench, seed=self.seed, allow=self.allow, used=used, timing=self.timing)
