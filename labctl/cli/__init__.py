"""The command line: thin over ``labctl.api``; everything heavy is imported inside the command that needs it.

Exit codes: 0 done; 2 bad usage, protocol or bench file; 3 refused by limits; 4 instrument or communication; 5 run file
damaged; 6 storage; 130 and 143 stopped by Ctrl+C and SIGTERM. Errors are two lines on stderr.
"""

from __future__ import annotations

import sys

import typer

from labctl.cli import (
    analysis_commands,
    bench_commands,
    device_commands,
    file_commands,
    protocol_commands,
    run_commands,
)
from labctl.cli.saying import fail

app = typer.Typer(
    name="labctl",
    help="Pulse measurements on neuromorphic devices: real or simulated benches, honest numbers.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for room in (protocol_commands, run_commands, analysis_commands, file_commands, device_commands, bench_commands):
    room.add_to(app)


def main() -> None:
    """Entry point: errors that labctl knows become two lines and an exit code; anything else is a bug and says so."""
    try:
        app()
    except KeyboardInterrupt:
        fail("interrupted", "nothing is running any more", 130)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)
    except Exception as error:
        code = getattr(error, "exit_code", None)
        if not isinstance(code, int):
            raise
        fail(str(getattr(error, "message", error)), str(getattr(error, "hint", "")), code)
