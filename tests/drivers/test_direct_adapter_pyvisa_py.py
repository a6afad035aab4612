"""The same reads through pyvisa-py and a real socket, whose replies come in pieces."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest
import pyvisa

from drivers.adapter import DirectVISAAdapter
from drivers.wire import WireInstrument

pytestmark = pytest.mark.filterwarnings("error")
CHUNK = 20 * 1024  # PyVISA's default
#: an answer that begins as a block does, with bytes that look like terminators
BLOCK = b"#0" + b"\n" * 8 + b"abcdefgh"


def _answer(link: socket.socket) -> None:
    """Answer 'text N' with N letters, 'block N' with N newlines behind the block, 'slow' in two pieces."""
    with link, link.makefile("rb") as messages:
        for message in messages:
            what, _, count = message.strip().partition(b" ")
            if what == b"text":
                link.sendall(b"x" * int(count) + b"\n")
            elif what == b"block":
                link.sendall(BLOCK + b"\n" * int(count))
            elif what == b"slow":
                link.sendall(b"ab")
                time.sleep(0.02)
                link.sendall(b"cd\n")


@pytest.fixture
def instrument() -> Iterator[WireInstrument]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"TCPIP0::127.0.0.1::{server.getsockname()[1]}::SOCKET"
        threading.Thread(target=lambda: _answer(server.accept()[0]), daemon=True).start()
        instrument = WireInstrument(address, "echo", visa_library="@py")
        assert isinstance(instrument.adapter, DirectVISAAdapter)
        yield instrument
        instrument.close()


def test_replies_come_whole_whatever_their_length(instrument: WireInstrument) -> None:
    for length in (0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 50_000):
        assert instrument.ask(f"text {length}") == "x" * length
    assert instrument.ask("slow") == "abcd"


def test_bytes_are_read_by_number(instrument: WireInstrument) -> None:
    for more in (0, 5, 30_000):
        instrument.write(f"block {more}")
        assert instrument.read_bytes(len(BLOCK) + more) == BLOCK + b"\n" * more
    instrument.write("slow")
    assert instrument.read_bytes(5) == b"abcd\n"


def test_silence_is_a_timeout(instrument: WireInstrument) -> None:
    with instrument.timeout(0.05), pytest.raises(pyvisa.VisaIOError, match="Timeout"):
        instrument.read()
    with instrument.timeout(0.05), pytest.raises(pyvisa.VisaIOError, match="Timeout"):
        instrument.read_bytes(3)
