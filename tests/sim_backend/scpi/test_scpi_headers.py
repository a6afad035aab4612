"""Every spelling of a header finds its command, and no other does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim_backend.scpi import ScpiError
from sim_backend.scpi.headers import HeaderTree, short_form

PATTERNS = (
    "[SOURce<2>:]VOLTage[:LEVel][:IMMediate][:AMPLitude]",
    "[SOURce<2>:]VOLTage[:LEVel][:IMMediate]:HIGH",
    "[SOURce<2>:]FREQuency:FIXed",
    "OUTPut<2>[:STATe]",
    "OUTPut:TRIGger:MODE",
    "SOURce<3-4>:POWer[:LEVel]",
    "SEQuence:ELEM<256>:WAVeform<2>",
    "*IDN",
)


@pytest.fixture(scope="module")
def tree() -> HeaderTree[str]:
    made: HeaderTree[str] = HeaderTree()
    for pattern in PATTERNS:
        made.add(pattern, pattern)
    return made


def _spell(draw: st.DrawFn, mnemonic: str) -> str:
    word = draw(st.sampled_from([mnemonic, short_form(mnemonic)]))
    return "".join(draw(st.sampled_from([c.upper(), c.lower()])) for c in word)


@st.composite
def spelled(draw: st.DrawFn) -> tuple[str, str, tuple[int, ...]]:
    """(header as sent, pattern, suffixes) of the amplitude command."""
    parts, channel = [], 1
    if draw(st.booleans()):
        channel = draw(st.sampled_from([1, 2]))
        digits = str(channel) if channel == 2 or draw(st.booleans()) else ""
        parts.append(_spell(draw, "SOURce") + digits)
    parts.append(_spell(draw, "VOLTage"))
    for optional in ("LEVel", "IMMediate"):
        if draw(st.booleans()):
            parts.append(_spell(draw, optional))
    high = draw(st.booleans())
    if high:
        parts.append(_spell(draw, "HIGH"))
    elif draw(st.booleans()):
        parts.append(_spell(draw, "AMPLitude"))
    return ":".join(parts), PATTERNS[1 if high else 0], (channel,)


@given(case=spelled())
def test_every_spelling_is_the_same_command(tree: HeaderTree[str], case: tuple[str, str, tuple[int, ...]]) -> None:
    header, pattern, suffixes = case
    assert tree.find(header) == (pattern, suffixes)


@given(length=st.integers(1, 6))
def test_prefixes_between_short_and_long_form_are_not_accepted(tree: HeaderTree[str], length: int) -> None:
    cut = "VOLTAGE"[:length]
    if cut == "VOLT":
        assert tree.find(cut)[0] == PATTERNS[0]
    else:
        with pytest.raises(ScpiError) as error:
            tree.find(cut)
        assert error.value.code == -113


def test_numeric_suffixes_default_to_one_and_are_returned_in_order(tree: HeaderTree[str]) -> None:
    assert tree.find("SEQ:ELEM12:WAV2") == (PATTERNS[6], (12, 2))
    assert tree.find("sequence:elem:wav") == (PATTERNS[6], (1, 1))
    assert tree.find("SOUR4:POW") == (PATTERNS[5], (4,))


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ("SOUR3:VOLT", -114),  # the node carries a suffix, but not this one
        ("SOUR:POW", -114),
        ("OUTP0", -114),
        ("SEQ:ELEM257:WAV1", -114),
        ("SEQ:ELEM99999999999999999999:WAV1", -113),
        ("OUTP1:TRIG:MODE", -113),  # no suffix belongs there
        ("VOLT1", -113),
        ("VOLT:AMP", -113),  # neither short nor long
        ("SOUR1", -113),  # a node, not a command
        ("VOLT:HIGH:LOW", -113),
        ("", -113),
        (":VOLT", -113),
        ("VOLT::HIGH", -113),
        ("*ID", -113),
        ("V\xd6LT", -113),
    ],
)
def test_other_headers_are_errors(tree: HeaderTree[str], header: str, code: int) -> None:
    for _ in range(2):  # the second look-up comes from the cache
        with pytest.raises(ScpiError) as error:
            tree.find(header)
        assert error.value.code == code


@pytest.mark.parametrize("pattern", ["[SOURce:VOLTage", "VOLT age", "VOLTage<>", "", "VOLTage]"])
def test_a_pattern_that_cannot_be_read_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="not a command pattern"):
        HeaderTree[str]().add(pattern, "")


def test_two_mnemonics_with_one_short_form_are_refused() -> None:
    tree: HeaderTree[str] = HeaderTree()
    tree.add("FREQuency", "a")
    with pytest.raises(ValueError, match="short form"):
        tree.add("FREQuently", "b")
