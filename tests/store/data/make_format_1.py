"""Make format_1.h5 and format_1_cut.journal: run files of format 1, kept so that every later labctl is tested on them.

Run once, by the labctl that wrote format 1; the files are never made again. A new format gets a script of its own.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from labctl.store import Column, Header, Recorder, event_tables

HERE = Path(__file__).parent
HEADER = Header(
    protocol="protocol: 1\ntitle: Format 1 µ\n",
    resolved='{"parameters": {"field": 190000.0}}',
    plan='{"nodes": 2}',
    bench="bench: 1\n",
    title="Format 1 µ",
    instruments={"smu": {"identity": {"model": "2636B", "serial": "42"}, "settings": {"output": False, "limit": 1e-3}}},
    versions={"labctl": "0.1.0"},
    seed=7,
    host="probe-station",
    operator="Åsa",
    device="N7",
    note="kept for later versions",
    simulated=True,
    started="2025-01-31T10:00:00.000+00:00",
    nodes=("pulse pd", "read pd"),
    extra={"allow": ["erase"]},
)


def fill(recorder: Recorder) -> None:
    """Six pulses and readings with traces of two kinds, one message each, and a row of every dtype."""
    for i in range(6):
        recorder.wire(i + 0.25, "smu", "write", b"print(smua.measure.i())\n")
        pulse = {"time": float(i), "field": 1.9e5, "field_index": 0, "trial": i, "terminal": "pd", "level": 1.9}
        recorder.append("pulse", pulse)
        trace = {"voltage": np.arange(i + 1.0), "current": np.arange(i + 1.0) * 1e-6}
        if i % 2:
            trace["status"] = np.arange(i + 1, dtype=np.int32)
        row = {"time": i + 0.5, "step": 1, "value": 1e5 + i, "name": "after", "flags": i}
        recorder.append("resistance", row, trace)
    recorder.append("every", {"slope": "falling", "b": True, "u8": 2**64 - 1, "i1": -128, "f4": 0.5, "s": "läs"})


def main() -> None:
    tables = event_tables({"field": "V/m"})
    tables["every"] = {
        "slope": Column("u1", enum={"rising": 1, "falling": 2}),
        "b": Column("bool"),
        "u8": Column("u8"),
        "i1": Column("i1"),
        "f4": Column("f4", "V"),
        "s": Column("str"),
    }
    if (HERE / "format_1.h5").exists():
        sys.exit("format_1.h5 is there already and stays as it is")
    with Recorder.create(HERE / "format_1.h5", HEADER, tables) as recorder:
        fill(recorder)
        recorder.finish("stopped", "by the script", {"smu": {"output": False}})
    with Recorder.create(HERE / "cut.h5", HEADER, tables) as recorder:
        fill(recorder)
    data = recorder.journal.read_bytes()
    (HERE / "format_1_cut.journal").write_bytes(data[:-5])
    recorder.journal.unlink()


if __name__ == "__main__":
    main()
