"""Journal to run file."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from pathlib import Path

from labctl.store import content as c
from labctl.store import layout
from labctl.store.files import publish, sync, temporary_of
from labctl.store.journal_reader import JournalReader
from labctl.store.pages import append_pages


def convert(journal: Path, path: Path) -> None:
    """Make the run file from a journal that this process has written. Raises OSError; ``path`` is then not there."""
    reader = JournalReader(journal, locked=True)
    try:
        if reader.damage or reader.torn:
            raise OSError(errno.EIO, f"{journal} does not hold what was written to it")
        write_run_file(reader, path, ())
    finally:
        reader.close()


def write_run_file(content: JournalReader, path: Path, added: Sequence[c.Status]) -> None:
    """Write a run file, which is there whole or not at all; ``added`` entries end its history. Raises OSError."""
    temporary = temporary_of(path)
    last = c.open_block(content)
    blocks = [*content.blocks, last] if last else list(content.blocks)
    try:
        layout.write(content, temporary, blocks, [*content.history, *added])
        append_pages(temporary)
        sync(temporary)
        publish(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
