"""Seeded mutants of the shipped protocols and benches: one slip of a pen in a text, or one wrong thing on the bench.

The protocols are shrunk first (few trials, few points, short biases), by one table for all of them; plan and run see
the same text. What a mutant may be is fixed here, before any plan or run; whether it is harmful, the circuit says.
"""

from __future__ import annotations

import functools
import hashlib
import random
import re
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

from labctl.bench.loading import find_bench

#: shrinking: parameter -> its value in every file, besides lists of equally spaced values, which get three
SMALL = {
    "trials": "2", "cycles": "2", "repeats": "2", "readings": "1", "rounds": "2", "blocks": "1", "points": "5",
    "pairs": "2", "attempts": "3", "count": "3", "positive": "3", "erase_pulses": "3", "trains": "2",
    "samples": "2", "bursts": "[1, 9, 90]", "counts": "[1, 5, 20]", "times": "[1 s, 3 s]", "levels": "[20 V, 42 V]",
    "gates": "[-15 V, -5 V, 2.5 V]", "step": "2.5 V", "duration": "9 s", "erase": "2 s", "restore": "1 s",
}  # fmt: skip
_KEEP = {("hnno", "erase")}
#: a record during a train needs one of some length
PULSES = {"hnno": "3", "aab": "200"}

#: benches that a protocol of a folder runs on; the first is its own and comes twice as often
BENCHES = {"hnno": ("hnno", "hnno", "hnno_t1", "hnno_t2"), "aab": ("aab",)}
TERMINALS = {"hnno": ("pd", "au"), "aab": ("gate", "drain", "source")}

_NUMBER = r"(?<![\w.$-])-?\d+(?:\.\d+)?"
_QUANTITY = re.compile(rf"({_NUMBER}) (V/um|V/s|[kM]?ohm|[munp]?A|[mun]?s|m?V)(?![\w/])")
_SPACED = re.compile(rf"((?:lin|geom)space|range): \[({_NUMBER}[^,]*), ({_NUMBER}[^,]*), [^\]]*\]")
_PLAIN = re.compile(rf"(?:value|count|at_most|retry|points|samples|below|above|nplc): ({_NUMBER})(?= ?[,}}\n])")
_UNITS = {
    "V": ("mV", "V", "kV"), "mV": ("mV", "V", "uV"), "V/um": ("mV/um", "V/mm", "V/nm", "kV/um", "V"),
    "V/s": ("mV/s", "kV/s"), "s": ("ms", "us", "min"), "ms": ("s", "us", "ns"), "us": ("s", "ms", "ns"),
    "ns": ("us", "ms"), "A": ("mA",), "mA": ("uA", "A"), "uA": ("nA", "mA", "A"), "nA": ("uA", "pA"),
    "pA": ("nA",), "ohm": ("kohm",), "kohm": ("ohm", "Mohm"), "Mohm": ("kohm", "ohm"),
}  # fmt: skip
_LEVELS = ("V", "mV", "V/um")


@dataclass(frozen=True)
class Mutant:
    """Texts of protocols (path -> text) and of the bench, and what else is wrong with the world."""

    number: int
    kind: str
    protocol: str
    bench: str
    change: str
    texts: dict[str, str]
    bench_text: str
    world: dict[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """Of everything that decides what happens: a result is that of its key."""
        content = (self.protocol, sorted((shrunk() | self.texts).items()), self.bench_text, sorted(self.world.items()))
        return hashlib.sha256(repr(content).encode()).hexdigest()[:16]

    @property
    def allow(self) -> tuple[str, ...]:
        return ("erase",) if self.protocol == "hnno/return_to_initial" else ()


@functools.cache
def shrunk() -> dict[str, str]:
    """Path under ``protocols`` -> text of every shipped protocol, small and with its parts beside it."""
    root = Path(str(files("protocols")))
    found = {}
    for path in sorted(root.rglob("*.yaml")):
        name = path.relative_to(root).as_posix()
        found[name] = _small(path.read_text(encoding="utf-8"), name.partition("/")[0])
    return found


def _small(text: str, folder: str) -> str:
    text = re.sub(r"use: hnno/([\w/]+)", r"use: \1.yaml", text)
    text = _SPACED.sub(lambda m: f"{m[1]}: [{m[2]}, {m[3]}, {'2.5' if m[1] == 'range' else '3'}]", text)
    text = text.replace("resistance: pd, ", "resistance: pd, points: 5, ").replace("trains: 4", "trains: 2")
    text = text.replace("{at: pd, above", "{at: pd, points: 5, above").replace("samples: 10,", "samples: 2,")
    for name, value in {**SMALL, "pulses": PULSES[folder]}.items():
        if (folder, name) not in _KEEP:
            text = re.sub(rf"(\n  {name}: {{value: )(?:\[[^\]]*\]|(?!{{)[^,}}]*)", rf"\g<1>{value}", text)
            text = re.sub(rf"(\n  {name}: {{[^\n]*)min: \d+", r"\g<1>min: 0" if value == "0" else r"\g<1>min: 1", text)
    return text


def protocols(texts: dict[str, str]) -> list[str]:
    """Names of what can be run."""
    return [name.removesuffix(".yaml") for name in texts if "/parts/" not in name]


def used_by(name: str, texts: dict[str, str]) -> list[str]:
    """Path of a protocol and of the parts that it uses."""
    seen, todo = [], [f"{name}.yaml"]
    while todo:
        path = todo.pop()
        if path in seen or path not in texts:
            continue
        seen.append(path)
        folder = path.rpartition("/")[0]
        todo += [f"{folder}/{used}" for used in re.findall(r"use: ([\w/]+\.yaml)", texts[path])]
    return sorted(seen)


# --- where a text may be changed ----------------------------------------------------------------------------


def _spans(text: str, pattern: re.Pattern[str]) -> list[re.Match[str]]:
    """Matches in parameters and steps, not in what is said about them or asked of the analysis."""
    found = []
    start = text.index("parameters:") if "parameters:" in text else text.index("steps:")
    end = text.find("\nanalyze:")
    for match in pattern.finditer(text, start, end if end > 0 else len(text)):
        line = text[text.rfind("\n", 0, match.start()) + 1 : match.start()]
        if "about:" not in line and "note:" not in line and "because:" not in line and not line.strip().startswith("#"):
            found.append(match)
    return found


def _replaced(text: str, span: tuple[int, int], new: str) -> str:
    return text[: span[0]] + new + text[span[1] :]


# --- kinds of mutation: (text, random) -> (new text, what was done) or None -------------------------------


def sign(text: str, rng: random.Random) -> tuple[str, str] | None:
    spots = [m for m in _spans(text, _QUANTITY) if m[2] in _LEVELS]
    spots += _spans(text, re.compile(rf"space: \[({_NUMBER})(), ({_NUMBER})"))
    if not spots:
        return None
    spot = rng.choice(spots)
    if not float(spot[1]):
        return None
    new = spot[1].removeprefix("-") if spot[1].startswith("-") else f"-{spot[1]}"
    return _replaced(text, spot.span(1), new), f"{spot[1]} -> {new}"


def _scaled(text: str, rng: random.Random, factor: float, levels_only: bool) -> tuple[str, str] | None:
    spots = [m.span(1) for m in _spans(text, _QUANTITY) if not levels_only or m[2] in _LEVELS]
    for match in _spans(text, re.compile(rf"space: \[({_NUMBER})[^,]*, ({_NUMBER})")):
        spots += [match.span(1), match.span(2)]
    if not levels_only:
        spots += [m.span(1) for m in _spans(text, _PLAIN)]
    if not spots:
        return None
    span = rng.choice(spots)
    old = text[slice(*span)]
    new = f"{float(old) * factor:.10g}"
    if float(new) == float(old):
        return None
    return _replaced(text, span, new), f"{old} -> {new}"


def decade(text: str, rng: random.Random) -> tuple[str, str] | None:
    return _scaled(text, rng, rng.choice((10.0, 0.1)), levels_only=False)


def slip(text: str, rng: random.Random) -> tuple[str, str] | None:
    """A level that is somewhat off."""
    return _scaled(text, rng, round(rng.uniform(0.6, 1.8), 2), levels_only=True)


def unit(text: str, rng: random.Random) -> tuple[str, str] | None:
    spots = _spans(text, _QUANTITY)
    spots += _spans(text, re.compile(r"unit: ()(V/um|V)(?![\w/])"))
    if not spots:
        return None
    spot = rng.choice(spots)
    new = rng.choice([u for u in _UNITS[spot[2]] if u != spot[2]])
    return _replaced(text, spot.span(2), new), f"{spot[1]} {spot[2]} -> {new}"


def terminal(text: str, rng: random.Random, folder: str) -> tuple[str, str] | None:
    spots = _spans(text, re.compile(rf"(?<=[ {{\[])({'|'.join(TERMINALS[folder])})(?=[,}}:\]\n])"))
    spots = [m for m in spots if m.start() > text.index("steps:")]
    if not spots:
        return None
    spot = rng.choice(spots)
    new = rng.choice([t for t in TERMINALS[folder] if t != spot[1]])
    return _replaced(text, spot.span(1), new), f"{spot[1]} -> {new}"


_LOST = re.compile(
    r"\n *- (?:pulse: \{[^\n]*role: reset[^\n]*|use: [\w/]*(?:initial|cyclic|reinitialise)\.yaml(?:\n *set:[^\n]*)?"
    r"|confirm: [^\n]*|wait: [^\n]*)(?=\n)|\n *(?:ramp|grounded|abort_above|compliance): [^\n]*|, role: reset"
)


def lost(text: str, rng: random.Random) -> tuple[str, str] | None:
    """A reset, a way back, a wait or a safeguard that is not there."""
    spots = _spans(text, _LOST)
    if not spots:
        return None
    spot = rng.choice(spots)
    return _replaced(text, spot.span(), ""), f"without '{' '.join(spot[0].split())}'"


def idle(text: str, rng: random.Random) -> tuple[str, str] | None:
    """A base beside zero, at which the source idles (F3)."""
    spots = _spans(text, re.compile(r"(?<=(?:pulse|train): \{)at"))
    if not spots:
        return None
    level = rng.choice((-8, -5, -2.1, -0.5, 0.5, 2.1, 4.4, 5, 6, 8, 12))
    spot = rng.choice(spots)
    return _replaced(text, spot.span(), f"base: {level} V, at"), f"base {level} V"


def route(text: str, rng: random.Random, folder: str) -> tuple[str, str] | None:
    """A source laid on a terminal where nobody asked for it."""
    spots = _spans(text, re.compile(r"\n( *)- (?:pulse|read|wait|sweep|train|bias|sample):"))
    if not spots:
        return None
    spot = rng.choice(spots)
    where = rng.choice(TERMINALS[folder][:2])
    there = {"pd": ("afg.1", "smu.a", "open"), "au": ("smu.a", "open"), "gate": ("b1500.3", "b1500.5", "open"),
             "drain": ("b1500.4", "wgfmu.102", "open")}[where]  # fmt: skip
    step = f"- route: {{terminal: {where}, source: {rng.choice(there)}}}"
    return _replaced(text, (spot.start(), spot.start()), f"\n{spot[1]}{step}"), step


# --- wrong things on the bench ------------------------------------------------------------------------------


def wiring(text: str, rng: random.Random) -> tuple[str, str] | None:
    """Wrong in the bench file, and so built."""
    edits = [
        ("{smu: 0, afg: 1}", "{smu: 1, afg: 0}"), ("{smu: 0, afg: 1}", "{smu: 0, afg: 0}"),
        ("rest: smu", "rest: afg"), ("afg.1, to: pd, isolation: output", "afg.1, to: pd"),
        ("smu.digio.1", "smu.digio.3"), ("time: 5 ms", "time: 0.1 ms"),
        ("smu.a, to: pd, isolation: output", "smu.a, to: pd"), ("to: pd, isolation", "to: au, isolation"),
        ("from: common, to: au", "from: common, to: pd"), ("afg.1, to: pd", "afg.2, to: pd"),
        ("smu.a, to:", "smu.b, to:"), ("limit: 25 V", "limit: 50 V"), ("limit: 25 V", "limit: 12 V"),
        ("b1500.5, to: gate", "b1500.5, to: drain"), ("wgfmu.101, to: gate", "wgfmu.101, to: drain"),
        ("isolation: direct, manual: true", "isolation: direct"), ("limits: {gate: 42 V}", "limits: {gate: 30 V}"),
        ("capacitance: 300 pF", "capacitance: 3 nF"), ("capacitance: 150 pF", "capacitance: 15 nF"),
        ("model: AFG31052", "model: AFG31252"), ("model: AFG31052", "model: AFG31021"),
    ]  # fmt: skip
    fitting = [edit for edit in edits if edit[0] in text]
    old, new = rng.choice(fitting)
    return text.replace(old, new, 1), f"{old} -> {new}"


_LIMITS = re.compile(
    r"(?:voltage: \{|current|field|energy|charge|pulses|pd|gate|drain|for|above): (\d+(?:\.\d+)?(?:e\d+)?)"
)


def limits(text: str, rng: random.Random) -> tuple[str, str] | None:
    """A weaker device, so declared: voltages and currents up to thirty times, budgets up to eight decades smaller."""
    start, end = text.index("  limits:"), text.index("wiring:")
    spot = rng.choice(list(_LIMITS.finditer(text, start, end)))
    budget = spot[0].split(":")[0] in ("charge", "pulses", "for")
    factor = 10 ** -rng.uniform(0, 8 if budget else 1.5)
    new = f"{max(float(spot[1]) * factor, 1e-12):.4g}"
    return _replaced(text, spot.span(1), new), f"{spot[0]} -> {new}"


def load(text: str, rng: random.Random) -> tuple[str, dict[str, Any], str]:
    """A generator left for another load, a terminator, or a device of other resistance (so declared)."""
    what = rng.choice(("impedance", "terminator", "device"))
    if what == "device" and "model: hnno" in text:
        factor = rng.choice((0.03, 0.1, 0.3, 3.0, 10.0))
        said = f"resistance: [{25e3 * factor:g} ohm, {1e6 * factor:g} ohm]"
        built = f"model: hnno\n  parameters: {{r_ns: {400e3 * factor:g}, r_s: {80e3 * factor:g}}}"
        edited = re.sub(r"resistance: \[[^\]]*\]", said, text).replace("model: hnno", built)
        return edited, {}, f"resistances x {factor:g}"
    if what == "terminator" or "driver: afg31000" not in text:
        ohms = rng.choice((10.0, 50.0, 1000.0))
        where = "pd" if "to: pd" in text else "drain"
        return text, {"terminator": (where, ohms)}, f"{ohms:g} ohm from {where} to common"
    ohms = rng.choice((1.0, 50.0, 75.0, 10000.0))
    return text, {"impedance": ohms}, f"generator left at a load of {ohms:g} ohm"


KINDS = (
    "sign", "decade", "decade", "unit", "unit", "slip", "terminal", "lost step", "route", "wiring", "load",
    "idle level", "limits", "limits",
)  # fmt: skip


def mutants(number: int, seed: int) -> list[Mutant]:
    """``number`` mutants, kinds and protocols in turn; the first ones are the protocols as they are, on each bench."""
    texts = shrunk()
    names = protocols(texts)
    benches = {name: find_bench(name).read_text(encoding="utf-8") for folder in BENCHES.values() for name in folder}
    found = [
        Mutant(0, "none", name, bench, "", {}, benches[bench])
        for name in names
        for bench in dict.fromkeys(BENCHES[name.partition("/")[0]])
    ]
    seen = {mutant.key for mutant in found}
    turn = 0
    while len(found) < number:
        turn += 1
        rng = random.Random(f"{seed} {turn}")
        mutant = _one(rng, KINDS[turn % len(KINDS)], names[turn // len(KINDS) % len(names)], texts, benches)
        if mutant is None:
            continue
        if mutant.key not in seen:
            seen.add(mutant.key)
            found.append(mutant)
    return [
        Mutant(k, m.kind, m.protocol, m.bench, m.change, m.texts, m.bench_text, m.world) for k, m in enumerate(found)
    ]


def _one(rng: random.Random, kind: str, name: str, texts: dict[str, str], benches: dict[str, str]) -> Mutant | None:
    folder = name.partition("/")[0]
    bench = rng.choice(BENCHES[folder])
    base = benches[bench]
    if kind in ("wiring", "limits"):
        edited = {"wiring": wiring, "limits": limits}[kind](base, rng)
        if edited is None:
            return None
        # a weaker device is judged at the smallest resistance that its file admits
        world = {"resistor": 25e3} if kind == "limits" and folder == "hnno" else {}
        return Mutant(0, kind, name, bench, edited[1], {}, edited[0], world)
    if kind == "load":
        text, world, change = load(base, rng)
        return Mutant(0, kind, name, bench, change, {}, text, world)
    path = rng.choice(used_by(name, texts))
    plain = {"sign": sign, "decade": decade, "unit": unit, "slip": slip, "lost step": lost, "idle level": idle}
    with_folder = {"terminal": terminal, "route": route}
    text = texts[path]
    done = plain[kind](text, rng) if kind in plain else with_folder[kind](text, rng, folder)
    if done is None:
        return None
    return Mutant(0, kind, name, bench, f"{path}: {done[1]}", {path: done[0]}, base)
