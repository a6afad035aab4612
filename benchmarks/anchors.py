"""The anchor table of the H-NNO model (reference devices_and_protocols, part 2a.4), measured through the whole path.

    python benchmarks/anchors.py                          # prints the table as Markdown
    python benchmarks/anchors.py --write                  # and puts it into docs/validation.md
    python benchmarks/anchors.py --only reading pulses    # some rows

More trials than ``tests/anchors`` have, with the same protocols, closed forms and tolerances (part 2a.5).
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import anchor_others as others
import anchor_states as states
from anchor_bench import Laboratory
from anchor_row import Row

PAGE = Path(__file__).parents[1] / "docs" / "validation.md"
BEGIN, END = "<!-- anchors: made by benchmarks/anchors.py -->", "<!-- end of anchors -->"

GROUPS: dict[str, Callable[[Laboratory], Iterator[Row]]] = {
    "spiking": states.spiking, "curve": states.curve, "sensitization": states.sensitization,
    "filtering": states.filtering, "spread": states.spread, "endurance": states.endurance,
    "reading": others.reading, "pulses": others.pulses, "destruction": others.destruction, "erasing": others.erasing,
}  # fmt: skip


def table(rows: list[Row]) -> str:
    """Markdown, in the order of the anchors."""
    order = {number: place for place, number in enumerate([*map(str, range(1, 15)), "-", "+"])}
    lines = [
        "| # | anchor | paper | model | labctl measured (95 %) | accepted within | | protocol and command |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in sorted(rows, key=lambda row: order[row.number]):
        verdict = "yes" if row.accepted else "**no**"
        cells = (row.number, row.anchor, row.paper, row.predicted, row.measured, row.tolerance, verdict, row.command)
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=sorted(GROUPS), default=list(GROUPS), help="some groups of rows")
    parser.add_argument("--write", action="store_true", help="put the table into docs/validation.md")
    arguments = parser.parse_args()
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        for name in arguments.only:
            lab = Laboratory(Path(folder) / name)
            for row in GROUPS[name](lab):
                rows.append(row)
                print(
                    f"{row.number:3} {row.anchor}: {row.measured}  [{'ok' if row.accepted else 'NOT ACCEPTED'}]",
                    file=sys.stderr,
                )
    text = table(rows)
    print(text)
    if arguments.write:
        before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
        _, _, after = rest.partition(END)
        PAGE.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}", encoding="utf-8")
    sys.exit(0 if all(row.accepted for row in rows) else 1)


if __name__ == "__main__":
    main()
