"""Messages: framing, chaining, output queue, errors, pauses."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim_backend.scpi import Command, ErrorQueue, ScpiError, Session, Status, Suffixes, Tokens
from sim_backend.scpi.values import Token, arbitrary_block


@dataclass
class Toy:
    """An instrument of five commands that keeps what it was told."""

    keep_unread: bool = False
    told: list[tuple[str, Suffixes, Tokens]] = field(default_factory=list)
    status: Status = field(default_factory=lambda: Status(ErrorQueue(64, details=False)))

    def __post_init__(self) -> None:
        commands = [
            self._command("VOLT", "[SOURce<2>:]VOLTage[:LEVel][:AMPLitude]"),
            self._command("HIGH", "[SOURce<2>:]VOLTage[:LEVel]:HIGH"),
            self._command("FREQ", "[SOURce<2>:]FREQuency"),
            self._command("DATA", "DATA[:DATA]"),
            Command(("*IDN",), None, lambda s, t: "toy"),
            Command(("HOLD",), lambda s, t: self.session.pause(), lambda s, t: (self.session.pause(), "held")[1]),
            Command(("FAIL",), None, self._fail),
        ]
        self.session = Session(commands, self.status, self.keep_unread)

    def _command(self, name: str, pattern: str) -> Command:
        def set_(suffixes: Suffixes, tokens: Tokens) -> None:
            self.told.append((name, suffixes, tokens))

        def query(suffixes: Suffixes, tokens: Tokens) -> str:
            return f"{name}{suffixes[0] if suffixes else ''}"

        return Command((pattern,), set_, query)

    @staticmethod
    def _fail(suffixes: Suffixes, tokens: Tokens) -> str:
        raise ScpiError(-222)

    def ask(self, message: bytes) -> bytes:
        self.session.write(message, True)
        return self.session.read(4096)[0]

    def codes(self) -> list[int]:
        found = []
        while len(self.status.queue):
            found.append(int(self.status.queue.pop().split(",")[0]))
        return found


@pytest.fixture
def toy() -> Toy:
    return Toy()


def test_chained_queries_answer_in_one_line(toy: Toy) -> None:
    assert toy.ask(b"SOUR2:VOLT?;HIGH?;:FREQ?;*IDN?\n") == b"VOLT2;FREQ1;toy\n"
    assert toy.codes() == [-113]  # SOUR2:HIGH: the branch after SOUR2:VOLT is SOUR2


def test_a_chain_continues_in_the_branch_of_the_command_before(toy: Toy) -> None:
    assert toy.ask(b"SOUR2:VOLT:HIGH?;HIGH?;*IDN?;HIGH?\n") == b"HIGH2;HIGH2;toy;HIGH2\n"
    assert toy.ask(b"SOUR2:VOLT?;FREQ?\n") == b"VOLT2;FREQ2\n"
    assert toy.ask(b"VOLT?;FREQ?\n") == b"VOLT1;FREQ1\n"
    assert toy.codes() == []


def test_branch_memory_ends_with_the_message(toy: Toy) -> None:
    toy.session.write(b"SOUR2:VOLT:HIGH 1\nHIGH 2\n", True)
    assert toy.told == [("HIGH", (2,), ("1",))]
    assert toy.codes() == [-113]


UNITS = st.sampled_from([b"SOUR2:VOLT 1", b"VOLT:HIGH 2", b"FREQ 3", b"SOUR1:FREQ 4", b'DATA:DATA "a;b,c"'])


@given(units=st.lists(UNITS, min_size=1, max_size=8), blanks=st.sampled_from([b";:", b" ; :", b"\t;  :"]))
def test_chaining_from_the_root_equals_single_messages(units: list[bytes], blanks: bytes) -> None:
    chained, single = Toy(), Toy()
    chained.session.write(blanks.join(units) + b"\n", True)
    for unit in units:
        single.session.write(unit + b"\n", True)
    assert chained.told == single.told
    assert chained.codes() == single.codes() == []


@given(data=st.data(), content=st.binary(max_size=200), points=st.lists(st.integers(0, 400), max_size=6))
def test_a_block_survives_any_splitting_of_the_message(data: st.DataObject, content: bytes, points: list[int]) -> None:
    """LF, quotes, semicolons and # inside a block are data, wherever the wire cuts."""
    toy = Toy()
    message = b"VOLT 1;:DATA EMEM1, " + arbitrary_block(content) + b";:FREQ 2\nVOLT 3\n"
    cuts = sorted({0, len(message), *(p for p in points if p < len(message))})
    for begin, end in itertools.pairwise(cuts):
        toy.session.write(message[begin:end], end == len(message) and data.draw(st.booleans()))
    told: list[Token] = [tokens[-1] for _, _, tokens in toy.told]
    assert told == ["1", content, "2", "3"]
    assert toy.codes() == []


def test_a_block_without_length_lasts_until_end(toy: Toy) -> None:
    toy.session.write(b"DATA #0ab\nc", False)
    assert toy.told == []
    toy.session.write(b"d\n", True)
    assert toy.told == [("DATA", (), (b"ab\ncd",))]


@pytest.mark.parametrize("message", [b"DATA #15ab", b"DATA #", b"DATA #9", b"DATA #14abcdx", b"DATA x#14abcd"])
def test_broken_blocks_are_errors_once_the_message_ends(toy: Toy, message: bytes) -> None:
    toy.session.write(message, True)
    assert all(not isinstance(t, bytes) for _, _, tokens in toy.told for t in tokens)
    assert toy.codes() in ([-161], [])
    assert toy.ask(b"*IDN?\n") == b"toy\n"


def test_end_ends_a_message_without_lf_and_a_bare_lf_is_none(toy: Toy) -> None:
    assert toy.ask(b"*IDN?") == b"toy\n"
    toy.session.write(b"*IDN?\n", True)
    toy.session.write(b"\r\n", True)
    assert toy.session.pending()
    assert toy.codes() == []


def test_crlf_and_blanks_do_not_matter(toy: Toy) -> None:
    toy.session.write(b"  VOLT   1 \r\n", True)
    assert toy.told == [("VOLT", (1,), ("1",))]


def test_an_unclosed_string_does_not_swallow_the_next_message(toy: Toy) -> None:
    toy.session.write(b'DATA "abc\nVOLT 1\n', True)
    assert toy.codes() == [-151]
    assert toy.told == [("VOLT", (1,), ("1",))]


def test_an_unread_reply_is_interrupted_by_the_next_message(toy: Toy) -> None:
    toy.session.write(b"VOLT?\n", True)
    assert toy.ask(b"FREQ?\n") == b"FREQ1\n"
    assert toy.codes() == [-410]


def test_unread_replies_are_kept_if_the_instrument_says_so() -> None:
    toy = Toy(keep_unread=True)
    toy.session.write(b"VOLT?\nFREQ?\n", False)
    assert [toy.session.read(99)[0] for _ in range(2)] == [b"VOLT1\n", b"FREQ1\n"]
    assert toy.codes() == []


def test_reading_what_was_not_asked_for_is_unterminated_once(toy: Toy) -> None:
    assert toy.session.read(10) == (b"", False)
    assert toy.session.read(10) == (b"", False)
    assert toy.codes() == [-420]


def test_replies_are_read_in_pieces_and_end_with_the_last(toy: Toy) -> None:
    toy.session.write(b"VOLT?\n", True)
    assert toy.session.read(4) == (b"VOLT", False)
    assert toy.session.read(4) == (b"1\n", True)


def test_a_query_that_fails_leaves_the_other_replies(toy: Toy) -> None:
    assert toy.ask(b"VOLT?;:FAIL?;:FREQ?\n") == b"VOLT1;FREQ1\n"
    assert toy.codes() == [-222]


@pytest.mark.parametrize("message", [b"*IDN\n", b"FAIL 1\n", b"NONE?\n"])
def test_forms_that_do_not_exist_are_undefined_headers(toy: Toy, message: bytes) -> None:
    assert toy.ask(message) == b""
    assert toy.codes()[0] == -113


def test_a_pause_holds_the_rest_of_the_message_and_the_next_ones(toy: Toy) -> None:
    toy.session.write(b"HOLD?;VOLT 1\n", True)
    toy.session.write(b"VOLT 2\n", True)
    assert not toy.session.pending()
    assert toy.session.read(10) == (b"", False)  # busy, so nothing is unterminated
    toy.session.resume()
    assert [tokens for _, _, tokens in toy.told] == [("1",), ("2",)]
    assert toy.codes() == [-410]  # nobody read "held" before the next message began


def test_device_clear_forgets_what_was_not_executed(toy: Toy) -> None:
    toy.session.write(b"HOLD;VOLT 1\n", True)
    toy.session.write(b"VOLT 2\nVOLT 3", False)
    toy.session.clear()
    toy.session.resume()
    toy.session.write(b"FREQ 9\n", True)
    assert toy.told == [("FREQ", (1,), ("9",))]


@settings(max_examples=300)
@given(message=st.binary(max_size=60))
def test_no_bytes_break_the_parser(message: bytes) -> None:
    toy = Toy()
    toy.session.write(message, True)
    while toy.session.busy:
        toy.session.resume()
    toy.session.clear()
    assert toy.ask(b"*IDN?\n") == b"toy\n"


@given(parts=st.lists(st.sampled_from([b"VOLT", b":", b";", b" ", b"?", b"#", b'"', b"12", b",", b"\n", b"*IDN?"])))
def test_no_grammar_breaks_the_parser(parts: list[bytes]) -> None:
    toy = Toy()
    toy.session.write(b"".join(parts), True)
    toy.session.clear()
    assert toy.ask(b"*IDN?\n") == b"toy\n"


def test_the_queue_overflows_into_its_last_entry() -> None:
    queue = ErrorQueue(64, details=True)
    for k in range(70):
        queue.push(-222, f"number {k}")
    entries = [queue.pop() for _ in range(65)]
    assert entries[0] == '-222,"Data out of range; number 0"'
    assert entries[62].startswith("-222")
    assert entries[63] == '-350,"Queue overflow"'
    assert entries[64] == '0,"No error"'


def test_errors_set_their_bit_of_the_standard_event_register(toy: Toy) -> None:
    for code, bit in ((-113, 32), (-222, 16), (-350, 8), (-410, 4), (-500, 128), (-800, 1)):
        toy.status.report(code)
        assert toy.status.take_standard_event() == bit


def test_status_byte_bits(toy: Toy) -> None:
    status = toy.status
    assert status.byte(False) == 0
    assert status.byte(True) == 16
    status.report(-222)
    assert status.byte(False) == 4
    status.standard_enable = 16
    assert status.byte(False) == 4 | 32
    status.service_enable = 32
    assert status.byte(False) == 4 | 32 | 64
    status.operation.enable = 32
    status.operation.update(32)
    assert status.byte(False) & 128
    assert status.operation.take_event() == 32
    status.operation.update(32)  # no new rise
    assert status.operation.event == 0
