"""Steps made by code, their rules, and how they read."""

import pytest
from pydantic import ValidationError

from labctl.protocol import describe_step
from labctl.protocol import steps as s
from labctl.protocol.requests import REQUESTS, Probability
from labctl.protocol.values import fill_in


def test_code_writes_what_files_write() -> None:
    pulse = s.Pulse.model_validate({"at": "pd", "level": "0.21 V/um", "width": "100 us"})
    assert (pulse.level, pulse.width, pulse.base) == (
        s.Quantity(2.1e5, "V/m"),
        s.Quantity(1e-4, "s"),
        s.Quantity(0.0, "V"),
    )
    with pytest.raises(ValidationError, match="missing unit"):
        s.Pulse.model_validate({"at": "pd", "level": 4.2, "width": "100 us"})
    assert s.Pulse.model_validate({"at": "pd", "level": "$x", "width": s.Quantity(1e-4, "s")}).level == s.Ref("x")


def test_steps_are_immutable_and_compare() -> None:
    first, second = (s.Wait.model_validate({"duration": "1 s"}) for _ in range(2))
    assert first == second
    with pytest.raises(ValidationError):
        first.duration = s.Quantity(2.0, "s")  # type: ignore[misc]


def test_a_step_in_its_serial_form_keeps_its_verb_and_what_is_inside() -> None:
    wait = s.Wait.model_validate({"duration": "1 s"})
    plain = s.Repeat.model_validate({"count": 1e6, "do": [wait]}).model_dump(mode="json")
    assert (plain["verb"], plain["count"]) == ("repeat", 1_000_000)
    assert plain["do"][0] == {"verb": "wait", "path": [], "duration": {"value": 1.0, "unit": "s", "name": ""}}
    assert "where" not in plain


@pytest.mark.parametrize(
    ("cls", "fields", "said"),
    [
        (s.Train, {"level": "1 V", "count": 1, "gap": 0}, "'level' and 'width'"),
        (s.Train, {"level": "1 V", "width": "1 s", "count": 1}, "'gap', the pause after each pulse, or 'period'"),
        (s.Train, {"level": "1 V", "width": "1 s", "count": 1, "period": "0.5 s"}, "shorter than the pulses"),
        (s.Train, {"level": "1 V", "width": "1 s", "count": 1, "period": "2 s", "gap": "1 s"}, "not both"),
        (s.Bias, {"level": "1 V"}, "'for', a time, or 'during'"),
        (s.Sweep, {"from": "0 V", "to": "1 V"}, "give 'points' or 'step'"),
        (s.Sweep, {"from": "0 V", "to": "1 V", "points": 3, "values": ["1 V"]}, "not both"),
        (s.Sweep, {"from": "0 V", "to": "1 V", "points": 3, "spacing": "log"}, "log sweep"),
        (s.Sweep, {"points": 3}, "give 'from' and 'to'"),
    ],
)
def test_fields_that_exclude_each_other(cls: type[s.Step], fields: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        cls.model_validate({"at": "pd", **fields})


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "'resistance' or 'current'"),
        ({"resistance": "pd", "current": "pd"}, "'resistance' or 'current'"),
        ({"current": "pd", "window": "0.1 V"}, "'window' does not belong to the reading of a current"),
        ({"resistance": "pd", "samples": 3}, "'samples' does not belong to the reading of a resistance"),
    ],
)
def test_a_reading_is_of_one_kind(fields: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        s.Read.model_validate(fields)


def test_a_reading_is_named_for_its_kind() -> None:
    assert s.Read.model_validate({"resistance": "pd"}).label == "resistance"
    assert s.Read.model_validate({"current": ["d", "g"]}).label == "current"


def test_a_spike_is_a_fall_to_half_unless_said_otherwise() -> None:
    fields = {"from": "a", "against": "b"}
    assert s.Spike.model_validate(fields).below == s.Quantity(0.5)
    assert s.Spike.model_validate({**fields, "below": "150 kohm"}).below == s.Quantity(1.5e5, "ohm")
    rise = s.Spike.model_validate({**fields, "above": 2})
    assert (rise.above, rise.below) == (s.Quantity(2.0), None)


@pytest.mark.parametrize(
    ("verb", "fields", "line"),
    [
        ("pulse", {"at": "pd", "level": "4.2 V", "width": "100 us"}, "pulse on pd: 4.2 V, 100 us"),
        (
            "train",
            {"at": "g", "level": "-10 V", "width": "100 ns", "gap": "100 ns", "count": 4000, "shape": "triangle"},
            "train on g: 4 000 x triangle -10 V for 100 ns; gap 100 ns",
        ),
        (
            "bias",
            {"at": "g", "level": "40 V", "for": "90 s", "abort_above": "1 nA"},
            "hold g at 40 V for 90 s (abort above 1 nA)",
        ),
        (
            "read",
            {"resistance": "pd", "side": "negative"},
            "read resistance of pd (0 to -100 mV, 21 points) -> resistance",
        ),
        (
            "sweep",
            {"at": "g", "measure": "d", "from": "-15 V", "to": "15 V", "step": "0.25 V", "mode": "cyclic"},
            "sweep g from -15 V to 15 V, steps of 250 mV, and back; current of d -> sweep",
        ),
        ("wait", {"duration": "1 h"}, "wait 3600 s"),
        ("route", {"terminal": "g", "source": "open"}, "connect g to nothing"),
    ],
)
def test_steps_read_as_sentences(verb: str, fields: dict[str, object], line: str) -> None:
    assert describe_step(s.VERBS[verb].model_validate(fields)) == line


def test_every_verb_has_its_sentence() -> None:
    for verb, cls in s.VERBS.items():
        assert cls.verb == verb
        assert cls.__doc__


def test_texts_are_filled_in_while_running() -> None:
    assert fill_in("at $field, $other", {"field": s.Quantity(1.9e5, "V/m")}) == "at 0.19 V/um, $other"


def test_requests_serialise_with_their_name() -> None:
    assert REQUESTS["probability"] is Probability
    assert Probability().model_dump(mode="json")["request"] == "probability"
