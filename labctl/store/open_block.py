"""The open block of the hash chain: what a run has recorded since the last link."""

from __future__ import annotations

from collections.abc import Sequence

from labctl.store import content as c

BLOCK_PIECES = 2048  # pieces (rows, traces, messages) after which a block is closed,
BLOCK_BYTES = 1 << 20  # or bytes, whichever comes first
TRACE, WIRE = -1, c.MESSAGE  # streams beside the kinds of row


class OpenBlock:
    """Pieces by stream, in the order in which they were recorded.

    Args:
        link: digest of the block before. start: what there was by then. kinds: how many kinds of row there are.
    """

    def __init__(self, link: bytes, start: c.Counts, kinds: int) -> None:
        self.pieces: list[tuple[int, bytes]] = []
        self.size = 0  # bytes
        self._link = link
        self._start = start
        self._kinds = kinds

    def keep(self, stream: int, piece: bytes) -> None:
        self.pieces.append((stream, piece))
        self.size += len(piece)

    def cut(self, pieces: int, size: int) -> None:
        """Back to so many pieces and bytes."""
        del self.pieces[pieces:]
        self.size = size

    @property
    def is_full(self) -> bool:
        return len(self.pieces) >= BLOCK_PIECES or self.size >= BLOCK_BYTES

    def closed(
        self, end: c.Counts, strings: Sequence[str], trace_layouts: Sequence[c.TraceLayout], history: Sequence[c.Status]
    ) -> c.Block:
        """The link over all that came up to ``end``; texts, layouts and history are the whole run's."""
        streams: dict[int, list[bytes]] = {stream: [] for stream in (*range(self._kinds), TRACE, WIRE)}
        for stream, piece in self.pieces:
            streams[stream].append(piece)
        start = self._start
        text = c.text_stream(strings[start.strings :], trace_layouts[start.trace_layouts :], history[start.history :])
        return c.Block(end, c.digest(self._link, [*map(b"".join, streams.values()), text]))
