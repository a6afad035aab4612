"""Speed of the simulated bench and of whole runs; prints a Markdown table. Not a test: figures depend on the machine.

python benchmarks/speed.py
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pyvisa

from labctl import api


def per_call(call: Callable[[], object], seconds: float = 0.5) -> float:
    """Best of three mean times of ``call``, s."""
    best = float("inf")
    for _ in range(3):
        count, start = 0, time.perf_counter()
        while time.perf_counter() - start < seconds / 3:
            call()
            count += 1
        best = min(best, (time.perf_counter() - start) / count)
    return best


def queries() -> list[tuple[str, str]]:
    """Time of one query through PyVISA on the simulated instruments."""
    manager = pyvisa.ResourceManager("hnno@labctl")
    afg = manager.open_resource("USB0::0x0699::0x0358::C013019::INSTR")
    smu = manager.open_resource("TCPIP0::192.168.1.26::5025::SOCKET", read_termination="\n", write_termination="\n")
    rows = []
    for name, resource, text in (
        ("AFG31000 `SOUR1:VOLT:HIGH?`", afg, "SOUR1:VOLT:HIGH?"),
        ("AFG31000 `*IDN?`", afg, "*IDN?"),
        ("2636B `print(smua.source.levelv)`", smu, "print(smua.source.levelv)"),
        ("2636B `print(smua.measure.i())`", smu, "print(smua.measure.i())"),
    ):
        resource.query(text)
        rows.append((name, f"{per_call(lambda r=resource, t=text: r.query(t)) * 1e6:.1f} us"))
    manager.close()
    return rows


def whole_run(title: str, protocol: str, overrides: dict[str, str]) -> tuple[str, str]:
    """Wall time of one run, planning and file included."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        outcome = api.run(protocol, overrides=overrides, out=Path(folder))
        seconds = time.perf_counter() - start
    rate = outcome.events / seconds
    return title, f"{seconds:.2f} s ({outcome.status}, {outcome.events} events, {rate:.0f} events/s)"


def command(*arguments: str) -> tuple[str, str]:
    """Wall time of one command, interpreter included; best of three."""
    best = float("inf")
    for _ in range(3):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-m", "labctl", *arguments], check=True, capture_output=True)
        best = min(best, time.perf_counter() - start)
    return f"`labctl {' '.join(arguments)}`", f"{best:.2f} s"


def main() -> None:
    rows = queries()
    rows.append(whole_run("H3, 17 voltages x 30 events", "hnno/spiking_probability", {}))
    rows.append(whole_run("H11, 1e6 cycles", "hnno/endurance", {}))
    rows += [command("--help"), command("list"), command("check", "hnno/spiking_probability")]
    print("| what | measured |\n|---|---|")
    for name, value in rows:
        print(f"| {name} | {value} |")


if __name__ == "__main__":
    main()
