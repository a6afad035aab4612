"""Loading: the design's own example, errors with place and suggestion, overrides, use."""

import json
from pathlib import Path

import pytest

from labctl.protocol import Protocol, ProtocolError, Quantity, Ref, load_protocol, loads_protocol
from labctl.protocol import steps as s

TEXT = """\
protocol: 1
title: Spiking probability against pulse field
measures: [H3]                     # ids in the catalogue
bench: hnno                        # simulated bench used when none is named
parameters:                        # '--set fields=[...]' takes the same YAML
  fields: {value: {linspace: [0.17, 0.25, 17], unit: V/um}, about: pulse fields}
  width:  {value: 100 us}
  trials: {value: 30, min: 1}
  reset:  {value: -0.21 V/um}
  settle: {value: 10 ms, about: pulse-to-read delay}
steps:
  - state: {name: initial, verify: {resistance: {at: pd, above: 200 kohm}}}
  - read: {resistance: pd, as: baseline}
  - for: {field: $fields}
    order: shuffled                # blocks of this loop, seeded and stored; 'interleaved' mixes all trials
    do:
      - repeat: $trials
        do:
          - pulse: {at: pd, level: $field, width: $width}
          - wait:  $settle
          - read:  {resistance: pd, as: after_pulse}
          - pulse: {at: pd, level: $reset, width: $width, role: reset}
          - wait:  $settle
          - read:  {resistance: pd, as: after_reset}
          - spike: {from: after_pulse, against: [after_reset, baseline], below: 0.5}   # the latest earlier one
          - confirm: {reset: after_reset, against: baseline, within: 20 %, retry: 1, else: stop}
analyze:
  - probability: {over: field, per: state}
  - threshold:   {level: 10 %}
"""


def load(text: str, **overrides: str) -> Protocol:
    return loads_protocol(text, "p.yaml", overrides)


def changed(old: str, new: str) -> str:
    assert TEXT.count(old) >= 1
    return TEXT.replace(old, new, 1)


def caught(text: str, **overrides: str) -> ProtocolError:
    with pytest.raises(ProtocolError) as error:
        load(text, **overrides)
    return error.value


def test_the_example_of_the_design() -> None:
    protocol = load(TEXT)
    assert protocol.title == "Spiking probability against pulse field"
    assert (protocol.measures, protocol.bench, protocol.version) == (("H3",), "hnno", 1)
    state, baseline, loop = protocol.steps
    assert isinstance(state, s.State)
    assert state.verify is not None
    assert state.verify.resistance is not None
    assert state.verify.resistance.above == Quantity(2e5, "ohm")
    assert isinstance(baseline, s.Read)
    assert (baseline.label, baseline.window, baseline.points) == ("baseline", Quantity(0.1, "V"), 21)
    assert isinstance(loop, s.For)
    assert (loop.variable, loop.order, len(loop.values), loop.unit) == ("field", "shuffled", 17, "V/m")
    assert [v.value for v in loop.values[:2]] == [170_000.0, 175_000.0]
    (repeat,) = loop.do
    assert isinstance(repeat, s.Repeat)
    assert (repeat.count, repeat.name) == (30, "trial")
    pulse = repeat.do[0]
    assert isinstance(pulse, s.Pulse)
    assert pulse.level == Ref("field", "V/m")
    assert pulse.width == Quantity(1e-4, "s")
    assert isinstance(pulse.width, Quantity)
    assert pulse.width.name == "width"
    assert pulse.path == ("steps", 2, "do", 0, "do", 0)
    assert (pulse.where.file, pulse.where.line) == ("p.yaml", 19)


def test_confirm_repeats_from_the_latest_reset_to_its_reading() -> None:
    confirm = next(step for step in load(TEXT).walk() if isinstance(step, s.Confirm))
    assert [step.verb for step in confirm.again] == ["pulse", "wait", "read"]
    pulse, _, read = confirm.again
    assert isinstance(pulse, s.Pulse)
    assert isinstance(read, s.Read)
    assert (pulse.role, read.label) == ("reset", "after_reset")


def test_requests_take_what_they_leave_out_from_the_probability() -> None:
    probability, threshold = load(TEXT).analyze
    assert threshold.model_dump()["of"] == probability.model_dump()["of"] == "spike"
    assert threshold.model_dump()["over"] == "field"
    assert threshold.model_dump()["per"] == ("state",)


def test_resolved_form_is_json_and_says_everything() -> None:
    resolved = json.loads(json.dumps(load(TEXT, trials="5").resolved()))
    assert resolved["parameters"]["trials"] == {"value": 5.0, "unit": ""}
    assert resolved["overrides"] == {"trials": "5"}
    loop = resolved["steps"][2]
    assert (loop["verb"], loop["variable"], loop["do"][0]["count"]) == ("for", "field", 5)
    assert loop["do"][0]["do"][0]["level"] == {"name": "field", "unit": "V/m", "values": loop_values(loop)}


def loop_values(loop: dict[str, list[dict[str, float]]]) -> list[float]:
    return [value["value"] for value in loop["values"]]


def test_loading_twice_gives_equal_protocols() -> None:
    assert load(TEXT) == load(TEXT)


@pytest.mark.parametrize(
    ("old", "new", "where", "said"),
    [
        ("pulse: {at", "pulze: {at", "19:13", "did you mean 'pulse'?"),
        ("level: $field,", "levle: $field,", "19:29", "did you mean 'level'?"),
        ("level: $field,", "level: 4.2,", "19:36", "missing unit in 4.2: expected a voltage"),
        ("level: $field,", "level: '4.2',", "19:36", "missing unit in '4.2'"),
        ("level: $field,", "level: 4.2 A,", "19:36", "'4.2 A' is a current: expected a voltage"),
        ("level: $field,", "level: 4.2 Vv,", "19:36", "unknown unit 'Vv'"),
        ("level: $field,", "level: $feild,", "19:36", "did you mean '$field'?"),
        ("level: $field,", "level: $width,", "19:36", "$width (100 us) is a time: expected a voltage"),
        ("level: $field,", "level: [1 V],", "19:36", "is no quantity"),
        ("level: $field,", "level: true,", "19:36", "is no quantity"),
        ("level: $field, ", "", "19:13", "'level' is missing"),
        ("width: $width}", "width: 0 s}", "19:51", "must be more than 0"),
        ("{at: pd, level: $field", "{at: 5, level: $field", "19:25", "expected a name"),
        ("{at: pd, level: $field", "{at: $width, level: $field", "19:25", "expected a name"),
        ("width:  {value: 100 us}", "width:  {value: 100}", "19:51", "$width (100) is a plain number"),
        ("width:  {value: 100 us}", "width:  100 us", "7:11", "needs braces"),
        ("trials: {value: 30, min: 1}", "trials: {value: 0, min: 1}", "8:19", "less than its minimum 1"),
        ("trials: {value: 30, min: 1}", "trials: {value: 2.5}", "17:17", "not a whole number"),
        ("trials: {value: 30, min: 1}", "trials: {vlaue: 30}", "8:12", "did you mean 'value'?"),
        ("trials: {value: 30, min: 1}", "trials: {value: 30, min: 1 V}", "8:28", "cannot bound"),
        ("about: pulse fields}", "about: fields, of pulses}", "6:76", "needs quotes"),
        ("order: shuffled", "order: shufled", "15:12", "did you mean 'shuffled'?"),
        ("for: {field: $fields}", "for: {level: $fields}", "14:11", "column of the data"),
        ("for: {field: $fields}", "for: {fields: $fields}", "14:11", "already names a parameter"),
        ("for: {field: $fields}", "for: {a: $fields, b: $fields}", "14:10", "one variable"),
        ("for: {field: $fields}", "for: {field: initial}", "14:18", "constant numbers"),
        ("repeat: $trials", "repeat: $trials\n        name: field", "18:15", "enclosing loop"),
        ("[0.17, 0.25, 17]", "[0.17, 0.25]", "6:30", "three values"),
        ("[0.17, 0.25, 17]", "[0.17, 0.25, 1e9]", "6:30", "how many"),
        ("unit: V/um}", "unit: bananas}", "6:31", "unknown unit 'bananas'"),
        ("unit: V/um}", "unit: V/um, n: 3}", "6:60", "unknown key 'n'"),
        ("[after_reset, baseline]", "[after_rest, baseline]", "25:49", "did you mean 'after_reset'?"),
        ("against: [after_reset, baseline]", "against: []", "25:49", "at least 1 item"),
        ("from: after_pulse", "from: after_plus", "25:27", "did you mean 'after_pulse'?"),
        ("else: stop", "else: quit", "26:92", "expected one of: continue, flag, stop"),
        ("within: 20 %", "within: 20", "26:70", "at most 100%"),
        ("role: reset}", "role: rest}", "22:65", "did you mean 'reset'?"),
        ("role: reset}", "role: set}", "26:13", "nothing can be retried"),
        ("above: 200 kohm", "above: 200 kV", "12:65", "is a voltage: expected a resistance"),
        ("above: 200 kohm", "abov: 200 kohm", "12:58", "did you mean 'above'?"),
        (", above: 200 kohm", "", "12:49", "give 'above', 'below' or both"),
        ("over: field", "over: feild", "28:25", "did you mean 'field'?"),
        ("threshold: ", "threshhold: ", "29:5", "did you mean 'threshold'?"),
        ("level: 10 %", "level: 10 V", "29:26", "is a voltage: expected a plain number"),
        ("protocol: 1", "protocol: 2", "1:11", "version"),
        ("protocol: 1", "protocol: true", "1:11", "version"),
        ("protocol: 1", "protokoll: 1", "1:1", "did you mean 'protocol'?"),
        ("title: Spiking", "titel: Spiking", "2:1", "did you mean 'title'?"),
        ("title: Spiking", "title:\nx: Spiking", "3:1", "unknown key 'x'"),
        ("measures: [H3]", "measures: [3]", "3:11", "list of ids"),
        ("wait:  $settle", "wait: -1 s", "20:19", "at least 0 s"),
        ("wait:  $settle", "wait: {duration: 1 s, x: 1}", "20:35", "unknown key 'x'"),
        ("- wait:  $settle", "- wait", "20:13", "is not a step"),
        ("- wait:  $settle", "- {}", "20:13", "is not a step"),
        ("- wait:  $settle", "- wait: 1 s\n            width: 3 s", "21:13", "unknown key 'width'"),
        ("- wait:  $settle", "- wait: 1 s\n            note: x", "21:13", "in one step"),
        ("- wait:  $settle", "- read: pd", "20:19", "needs its fields in braces"),
        ("- wait:  $settle", "- until: {reading: baseline, above: 1 ohm}\n            do: []", "20:13", "'at_most'"),
        ("- repeat: $trials", "\t- repeat: $trials", "17:7", "spaces, not tabs"),
        ("steps:", "steps: {", "12:3", "not YAML"),
        ("repeat: $trials", "repeat: &a 3", "17:17", "anchors"),
        ("repeat: $trials", "repeat: *a", "17:17", "anchors"),
        ("repeat: $trials", "repeat: !!int 3", "17:17", "tags"),
        ("width:  {value: 100 us}", "trials: {value: 1}", "8:3", "given twice"),
        ("analyze:", "---\nanalyze:", "27:1", "second document"),
        ("as: baseline", "as: base line", "13:32", "expected a name"),
        ("below: 0.5}", "as: baseline}", "25:78", "already the name of a resistance"),
    ],
)
def test_an_error_says_where_and_what(old: str, new: str, where: str, said: str) -> None:
    error = caught(changed(old, new))
    assert str(error.where) == f"p.yaml:{where}"
    assert said in f"{error.problem} {error.hint}"
    assert error.message.startswith("p.yaml:")
    assert error.hint
    line, caret = error.excerpt.split("\n")
    assert caret.strip() == "^"
    assert caret.index("^") <= len(line)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("trial", "3", "did you mean 'trials'?"),
        ("trials", "0", "less than its minimum"),
        ("trials", "many", "expected a plain number"),
        ("trials", "[1, 2]", "takes one value"),
        ("fields", "3 us", "is set to a time"),
        ("width", "0.1 V", "is set to a voltage: expected a time"),
        ("width", "100", "is set to a plain number"),
        ("width", "{linspace: [1 us, 2 us, 2]}", "takes one value"),
        ("trials", "'", "not YAML"),
        ("trials", "  ", "no value is given"),
        ("trials", "null", "is no value"),
    ],
)
def test_a_wrong_override_is_an_error_of_the_override(name: str, text: str, said: str) -> None:
    error = caught(TEXT, **{name: text})
    assert error.where is not None
    assert error.where.file == f"--set {name}"
    assert said in f"{error.problem} {error.hint}"


def test_overrides_bind() -> None:
    protocol = load(TEXT, fields="[3.4 V, 3.6 V]", width="50 us", trials="2")
    loop = next(step for step in protocol.walk() if isinstance(step, s.For))
    assert loop.values == (Quantity(3.4, "V"), Quantity(3.6, "V"))
    assert protocol.parameters["width"].value == Quantity(5e-5, "s")
    assert protocol.parameters["width"].default == Quantity(1e-4, "s")
    assert load(TEXT, fields="3.8 V").parameters["fields"].value == (Quantity(3.8, "V"),)


def test_choices_and_examples() -> None:
    head = "protocol: 1\ntitle: x\nparameters:\n"
    tail = "steps:\n  - read: {resistance: pd, range: $range, direction: $way}\n"
    text = head + "  range: {value: auto, examples: [1 uA]}\n  way: {value: up, choices: [up, down]}\n" + tail
    read = load(text, range="10 uA", way="down").steps[0]
    assert isinstance(read, s.Read)
    assert (read.range, read.direction) == (Quantity(1e-5, "A"), "down")
    assert "did you mean 'down'?" in caught(text, way="donw").hint
    assert "expected a text" in caught(text, range="10 us").problem


@pytest.mark.parametrize(
    ("series", "values"),
    [
        ("{linspace: [3.4, 3.6, 3], unit: V}", [3.4, 3.5, 3.6]),
        ("{linspace: [3.4 V, 3.6 V, 3]}", [3.4, 3.5, 3.6]),
        ("{geomspace: [10 mV, 1 V, 3]}", [0.01, 0.1, 1.0]),
        ("{range: [3.4 V, 3.7 V, 0.1 V]}", [3.4, 3.5, 3.6, 3.7]),
        ("{range: [1, -1, -0.5], unit: V}", [1.0, 0.5, 0.0, -0.5, -1.0]),
        ("[1 V, 2000 mV]", [1.0, 2.0]),
        ("4 V", [4.0]),
    ],
)
def test_series(series: str, values: list[float]) -> None:
    text = f"protocol: 1\ntitle: x\nsteps:\n  - for: {{v: {series}}}\n    do:\n      - note: at $v\n"
    loop = load(text).steps[0]
    assert isinstance(loop, s.For)
    assert [value.value for value in loop.values] == values
    assert loop.unit == "V"


def test_a_count_may_be_a_loop_variable_if_it_is_whole() -> None:
    text = (
        "protocol: 1\ntitle: x\nsteps:\n  - for: {burst: [1, 10, 2.5]}\n    do:\n"
        "      - train: {at: g, level: 1 V, width: 1 ms, gap: 1 ms, count: $burst}\n"
    )
    assert "not a whole number" in caught(text).problem
    train = next(step for step in load(text.replace("2.5", "1e6")).walk() if isinstance(step, s.Train))
    assert train.count == Ref("burst", "")
    assert isinstance(train.count, Ref)
    assert train.count.values == (1.0, 10.0, 1e6)


def test_a_million_cycles_stay_one_step() -> None:
    text = (
        "protocol: 1\ntitle: x\nsteps:\n"
        "  - train: {at: pd, pulses: [{level: 4 V, width: 1 ms}, {level: -4 V, width: 1 ms}],"
        " gap: 1 ms, period: 5 ms, count: 1e6}\n"
    )
    (train,) = load(text).steps
    assert isinstance(train, s.Train)
    assert (train.count, len(train.shots)) == (1_000_000, 2)
    assert "shorter than the pulses" in caught(text.replace("5 ms", "2 ms")).problem


def write(folder: Path, name: str, steps: str, parameters: str = "") -> Path:
    path = folder / name
    path.write_text(f"protocol: 1\ntitle: {name}\n{parameters}steps:\n{steps}", encoding="utf-8")
    return path


def test_use_fills_the_parameters_of_the_other_protocol(tmp_path: Path) -> None:
    write(
        tmp_path,
        "inner.yaml",
        "  - pulse: {at: pd, level: $level, width: $width}\n  - read: {resistance: pd, as: after}\n",
        "parameters:\n  level: {value: 1 V, max: 5 V}\n  width: {value: 1 ms}\n",
    )
    outer = write(
        tmp_path,
        "outer.yaml",
        "  - for: {v: [2 V, 3 V]}\n    do:\n      - use: inner.yaml\n        set: {level: $v}\n"
        "      - spike: {from: after, against: after}\n",
    )
    protocol = load_protocol(outer)
    use = next(step for step in protocol.walk() if isinstance(step, s.Use))
    pulse, _ = use.steps
    assert isinstance(pulse, s.Pulse)
    assert (pulse.level, pulse.width) == (Ref("v", "V"), Quantity(1e-3, "s"))
    assert use.title == "inner.yaml"
    assert pulse.path == ("steps", 0, "do", 0, "steps", 0)
    outer.write_text(outer.read_text().replace("3 V]", "6 V]"))
    with pytest.raises(ProtocolError, match="more than its maximum 5 V"):
        load_protocol(outer)


def test_use_finds_cycles_and_missing_files(tmp_path: Path) -> None:
    first = write(tmp_path, "a.yaml", "  - use: b.yaml\n")
    write(tmp_path, "b.yaml", "  - use: ./a.yaml\n")
    with pytest.raises(ProtocolError, match="uses itself") as error:
        load_protocol(first)
    assert error.value.where is not None
    assert error.value.where.file.endswith("b.yaml")
    assert error.value.excerpt.startswith("  - use: ./a.yaml")
    with pytest.raises(ProtocolError, match="cannot be read"):
        load_protocol(write(tmp_path, "c.yaml", "  - use: d.yaml\n"))


def test_use_does_not_explode(tmp_path: Path) -> None:
    write(tmp_path, "0.yaml", "  - wait: 1 s\n")
    for level in range(1, 9):
        write(tmp_path, f"{level}.yaml", f"  - use: {level - 1}.yaml\n" * 12)
    with pytest.raises(ProtocolError, match="more than 20000 steps"):
        load_protocol(tmp_path / "8.yaml")


def test_loops_of_caller_and_used_may_not_share_a_name() -> None:
    text = "protocol: 1\ntitle: x\nsteps:\n  - repeat: 3\n    do:\n      - use: hnno/parts/trials\n"
    assert "already names an enclosing loop" in caught(text).problem
    assert load(text.replace("repeat: 3", "repeat: 3\n    name: round")).steps


def test_a_text_may_hold_parameters_and_variables() -> None:
    text = (
        "protocol: 1\ntitle: x\nparameters:\n  who: {value: anna}\nsteps:\n"
        "  - for: {field: [0.19 V/um]}\n    do:\n      - state: $who at $field\n"
    )
    state = next(step for step in load(text).walk() if isinstance(step, s.State))
    assert state.name == "anna at $field"
    assert "nothing is called '$filed'" in caught(text.replace("at $field", "at $filed")).problem


def test_interleaved_needs_one_repeat() -> None:
    assert load(changed("order: shuffled", "order: interleaved")).steps
    text = changed("order: shuffled", "order: interleaved").replace(
        "    do:\n      - repeat", "    do:\n      - note: x\n      - repeat", 1
    )
    assert "make the block one 'repeat'" in caught(text).hint


def test_a_search_is_bounded() -> None:
    text = (
        "protocol: 1\ntitle: x\nsteps:\n"
        "  - until: {reading: transfer, quantity: dI0, near: 0 A, within: 20 pA}\n"
        "    at_most: 8\n    vary: {duration: {from: 5 s, to: 120 s, spacing: log}}\n    do:\n"
        "      - bias: {at: g, level: 40 V, for: $duration}\n"
        "      - sweep: {at: g, measure: d, from: -15 V, to: 15 V, step: 0.25 V, mode: cyclic, as: transfer}\n"
    )
    until = load(text).steps[0]
    assert isinstance(until, s.Until)
    assert until.vary is not None
    assert (until.at_most, until.vary.start, until.vary.stop) == (8, Quantity(5.0, "s"), Quantity(120.0, "s"))
    bias = until.do[0]
    assert isinstance(bias, s.Bias)
    assert bias.duration == Ref("duration", "s")
    assert "'at_most' is missing" in caught(text.replace("    at_most: 8\n", "")).problem
    assert (
        "cannot bound 'transfer'" in caught(text.replace("near: 0 A, within: 20 pA", "near: 0 V, within: 2 V")).problem
    )
    assert "a log range" in caught(text.replace("from: 5 s", "from: 0 s")).problem
    assert "expected a voltage" in caught(text.replace("level: 40 V", "level: $duration")).problem


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "empty"),
        (b"# nothing\n", "empty"),
        (b"just text\n", "'key: value'"),
        (b"- a\n- b\n", "'key: value'"),
        (b"protocol: 1\ntitle: \xff\xfe\n", "UTF-8"),
        (b"protocol: 1\ntitle: \x00\n", "not YAML"),
        (b"#" * 300_000, "more than the"),
        (b"protocol: 1\ntitle: x\nsteps: " + b"[" * 2000, "nested more than"),
        (b"a: &a [x,x]\nb: &b [*a,*a]\nc: [*b,*b]\n", "anchors"),
        (b"protocol: 1\ntitle: x\nsteps: []\n? [a]\n: 1\n", "a key must be a word"),
        (b"protocol: 1\ntitle: x\nsteps: 3\n", "list of steps"),
        (b"protocol: 1\ntitle: x\nsteps:\n", "list of steps"),
        (b"protocol: 1\ntitle: x\n", "'steps' is missing"),
        (b"protocol: 1\nsteps: []\n", "'title' is missing"),
        (b"protocol: 1\ntitle: x\nsteps: []\nanalyze: 3\n", "'analyze' is a list"),
        (b"protocol: 1\ntitle: x\nsteps: []\nanalyze: [reliable]\n", "'of' is missing"),
    ],
)
def test_files_of_another_kind(tmp_path: Path, data: bytes, said: str) -> None:
    path = tmp_path / "p.yaml"
    path.write_bytes(data)
    with pytest.raises(ProtocolError) as error:
        load_protocol(path)
    assert said in str(error.value)
    assert error.value.exit_code == 2


@pytest.mark.parametrize("name", ["hnno/spiking_probabilty", "spiking_probability", "x" * 5000, "a\0b", "/", "", "."])
def test_names_that_are_no_protocol(name: str) -> None:
    with pytest.raises(ProtocolError) as error:
        load_protocol(name)
    assert error.value.hint


def test_byte_order_mark_and_windows_lines_are_accepted(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + TEXT.replace("\n", "\r\n").encode())
    assert load_protocol(path).title == load(TEXT).title
