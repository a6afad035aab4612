"""Time of planning: `labctl check` on every shipped protocol, and plans of a million pulses. Prints Markdown.

python benchmarks/planning.py [--repeat 3]

A check is a process of its own, from the start of the interpreter to its end: wall time and CPU time, best of the
repetitions, byte code and the cache of pint in place as after any first use. Plans are built in this process, CPU time:
lowering, proof, cost and hash.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time

from labctl import api
from labctl.plan.build import build_plan
from labctl.protocol import loads_protocol
from labctl.protocol.catalogue import catalogue

#: a million pulses said in four ways: protocol or text, what is set
MILLIONS = {
    "H11, 1e6 cycles in bursts": ("hnno/endurance", {}),
    "H3, 17 fields x 30 000 trials, set and reset": ("hnno/spiking_probability", {"trials": "30000"}),
    "A8, a train of 200 000 pulses": ("aab/pulse_train", {"count": "200000"}),
}
LOOP = """
protocol: 1
title: a million pulses one by one
bench: hnno
steps:
  - repeat: 1000000
    do:
      - pulse: {at: pd, level: 0.2 V/um, width: 100 us}
      - wait: 1 ms
      - read: {resistance: pd, as: after}
"""
BUILDS = 20
#: exit code of a protocol that needs an exception of the limits (--allow)
REFUSED = 3


def times_of(arguments: list[str], repeat: int) -> tuple[float, float]:
    """Best wall and CPU time of a command in a process of its own, s."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    wall, cpu = [], []
    for _ in range(repeat + 1):  # the first one fills caches
        start, before = time.perf_counter(), os.times()
        command = [sys.executable, "-m", "labctl", *arguments]
        done = subprocess.run(command, check=False, capture_output=True, env=environment, text=True)
        after = os.times()
        wall.append(time.perf_counter() - start)
        used = after.children_user + after.children_system - before.children_user - before.children_system
        cpu.append(used)
        if done.returncode not in (0, REFUSED):
            raise SystemExit(done.stderr)
    return min(wall[1:]), min(cpu[1:])


def checks(repeat: int) -> None:
    print("| command | wall | CPU |\n|---|---|---|")
    slowest = 0.0
    for arguments in [["--help"], *(["check", entry.name] for entry in catalogue())]:
        wall, cpu = times_of(arguments, repeat)
        slowest = max(slowest, wall) if arguments[0] == "check" else slowest
        print(f"| `labctl {' '.join(arguments)}` | {wall:.2f} s | {cpu:.2f} s |", flush=True)
    print(f"\nslowest check: {slowest:.2f} s of wall time\n")


def plans() -> None:
    print("| plan | pulses | lowered, proved, costed (CPU) | hash | text |\n|---|---|---|---|---|")
    prepared = {name: api.prepare(protocol, overrides=settings) for name, (protocol, settings) in MILLIONS.items()}
    bench = next(iter(prepared.values())).bench
    ready = {name: (found.protocol, found.bench) for name, found in prepared.items()}
    ready["1e6 times pulse, wait, read"] = (loads_protocol(LOOP), bench)
    for name, (protocol, on) in ready.items():
        build, hashing = [], []
        for _ in range(BUILDS):
            start = time.process_time()
            plan = build_plan(protocol, on, seed=1)
            build.append(time.process_time() - start)
            start = time.process_time()
            size = len(plan.hash) and len(plan.text)
            hashing.append(time.process_time() - start)
        found = f"{min(build) * 1e3:.1f} ms (slowest of {BUILDS}: {max(build) * 1e3:.1f} ms)"
        print(f"| {name} | {plan.cost.pulses:.3g} | {found} | {min(hashing) * 1e3:.1f} ms | {size} bytes |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=3, help="repetitions of each check")
    arguments = parser.parse_args()
    checks(arguments.repeat)
    plans()


if __name__ == "__main__":
    main()
