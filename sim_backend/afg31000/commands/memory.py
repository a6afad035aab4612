"""Edit memory, files, and the AFG3000's waveform commands behind an option (reference afg31000 sec. 11)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from sim_backend.afg31000.commands.build import none_else, only
from sim_backend.afg31000.memory import blank, pack, unpack
from sim_backend.afg31000.models import RECORD_POINTS
from sim_backend.afg31000.tfwx import encode
from sim_backend.scpi import Command, ScpiError, Suffixes, Tokens
from sim_backend.scpi.values import Choice, arbitrary_block, block, integer, string

if TYPE_CHECKING:
    from sim_backend.afg31000.instrument import SimulatedAFG31000

_FILE_FIRMWARE = (1, 6, 5)
_CHUNK = 1_048_575
_CODES = (0, 16383)
_ROOTS = ("DATA", "TRACe")


def _edit_memories(afg: SimulatedAFG31000) -> Choice:
    return Choice("EMEMory[1]", "EMEMory2", error=afg.options.illegal_mnemonic)


def data_commands(afg: SimulatedAFG31000) -> Iterator[Command]:
    """Upload and read back."""
    memories = afg.memories
    memory = _edit_memories(afg)
    partial: dict[str, bytearray] = {}

    def which(token: str | bytes) -> str:
        name = memory(token)
        if name == "EMEM2" and afg.model.channels < 2:
            raise ScpiError(-241, "one channel only")
        return name

    def upload(_suffixes: Suffixes, tokens: Tokens) -> None:
        none_else(tokens, 2)
        name = which(tokens[0])
        memories.put(name, unpack(block(tokens[1])))
        afg.reload()

    def download(_suffixes: Suffixes, tokens: Tokens) -> bytes:
        return arbitrary_block(pack(memories.get(which(only(tokens)))))

    def send_file(_suffixes: Suffixes, tokens: Tokens) -> None:
        none_else(tokens, 3)
        name, total, chunk = string(tokens[0]), integer(tokens[1]), block(tokens[2])
        if len(chunk) > _CHUNK:
            raise ScpiError(-223, f"{len(chunk)} bytes")
        content = partial.setdefault(afg.memories.files.path(name), bytearray())
        content += chunk
        if len(content) >= total:
            del partial[afg.memories.files.path(name)]
            memories.store_file(name, bytes(content[:total]), overwrite=True)
            afg.reload()

    yield Command(tuple(f"{root}[:DATA]" for root in _ROOTS), upload, download)
    if tuple(int(part) for part in afg.options.firmware.split(".")) >= _FILE_FIRMWARE:
        yield Command(tuple(f"{root}:FILE" for root in _ROOTS), send_file)


def file_commands(afg: SimulatedAFG31000) -> Iterator[Command]:
    """MMEMory."""
    memories, files = afg.memories, afg.memories.files
    memory = _edit_memories(afg)

    def store(_suffixes: Suffixes, tokens: Tokens) -> None:
        none_else(tokens, 2)
        name = memory(tokens[0])
        channel = afg.channel(2 if name == "EMEM2" else 1)
        content = encode(memories.get(name), channel.amplitude * channel.shown, channel.offset * channel.shown)
        memories.store_file(string(tokens[1]), content, afg.options.overwrite_files)

    def load(_suffixes: Suffixes, tokens: Tokens) -> None:
        none_else(tokens, 2)
        codes = memories.file_codes(string(tokens[1]))
        if len(codes) > RECORD_POINTS[1]:
            raise ScpiError(-223, f"{len(codes)} points")
        memories.put(memory(tokens[0]), codes)
        afg.reload()

    def catalogue(_suffixes: Suffixes, tokens: Tokens) -> str:
        return files.catalogue(string(only(tokens)) if tokens else None)

    def change_directory(_suffixes: Suffixes, tokens: Tokens) -> None:
        files.change_directory(string(only(tokens)) if tokens else "M:/")

    def directory(_suffixes: Suffixes, tokens: Tokens) -> str:
        none_else(tokens)
        return f'"{files.directory}"'

    def delete(_suffixes: Suffixes, tokens: Tokens) -> None:
        files.delete(string(only(tokens)))

    def make_directory(_suffixes: Suffixes, tokens: Tokens) -> None:
        files.make_directory(string(only(tokens)))

    yield Command(("MMEMory:STORe:TRACe",), store)
    yield Command(("MMEMory:LOAD:TRACe",), load)
    yield Command(("MMEMory:CATalog",), None, catalogue)
    yield Command(("MMEMory:CDIRectory",), change_directory, directory)
    yield Command(("MMEMory:DELete",), delete)
    yield Command(("MMEMory:MDIRectory",), make_directory)


def legacy_commands(afg: SimulatedAFG31000) -> Iterator[Command]:
    """What the AFG3000 had and the AFG31000 may have lost; -113 unless the option ``legacy_data`` is on."""
    if not afg.options.legacy_data:
        return
    memories = afg.memories
    memory = Choice("EMEMory[1]", "EMEMory2", "USER[1]", "USER2", "USER3", "USER4", error=afg.options.illegal_mnemonic)

    def points_of(token: str | bytes) -> int:
        points = integer(token)
        if not RECORD_POINTS[0] <= points <= RECORD_POINTS[1]:
            raise ScpiError(-222, f"{points} points")
        return points

    def define(_suffixes: Suffixes, tokens: Tokens) -> None:
        if not 1 <= len(tokens) <= 2:
            raise ScpiError(-108 if tokens else -109)
        memories.put(memory(tokens[0]), blank(points_of(tokens[1])) if len(tokens) > 1 else blank())
        afg.reload()

    def set_points(_suffixes: Suffixes, tokens: Tokens) -> None:
        none_else(tokens, 2)
        name, points = memory(tokens[0]), points_of(tokens[1])
        kept = memories.get(name)[:points]
        codes = blank(points)
        codes[: len(kept)] = kept
        memories.put(name, codes)
        afg.reload()

    def get_points(_suffixes: Suffixes, tokens: Tokens) -> str:
        if len(tokens) == 2 and str(tokens[1]).upper()[:3] in ("MIN", "MAX"):
            return str(RECORD_POINTS[str(tokens[1]).upper().startswith("MAX")])
        return str(len(memories.get(memory(only(tokens)))))

    def copy(_suffixes: Suffixes, tokens: Tokens) -> None:
        none_else(tokens, 2)
        memories.put(memory(tokens[0]), memories.get(memory(tokens[1])))
        afg.reload()

    def catalogue(_suffixes: Suffixes, tokens: Tokens) -> str:
        none_else(tokens)
        return ",".join(f'"{name}"' for name in memories.names)

    def set_value(_suffixes: Suffixes, tokens: Tokens) -> None:
        none_else(tokens, 3)
        name, index, code = memory(tokens[0]), integer(tokens[1]), integer(tokens[2])
        codes = memories.get(name).copy()
        if not (1 <= index <= len(codes) and _CODES[0] <= code <= _CODES[1]):
            raise ScpiError(-222)
        codes[index - 1] = code
        memories.put(name, codes)
        afg.reload()

    def get_value(_suffixes: Suffixes, tokens: Tokens) -> str:
        none_else(tokens, 2)
        codes, index = memories.get(memory(tokens[0])), integer(tokens[1])
        if not 1 <= index <= len(codes):
            raise ScpiError(-222)
        return str(int(codes[index - 1]))

    def delete(_suffixes: Suffixes, tokens: Tokens) -> None:
        name = memory(only(tokens))
        if name.startswith("EMEM"):
            raise ScpiError(-224, name)
        memories.drop(name)

    for root in _ROOTS:
        yield Command((f"{root}:DEFine",), define)
        yield Command((f"{root}:POINts",), set_points, get_points)
        yield Command((f"{root}:COPY",), copy)
        yield Command((f"{root}:CATalog",), None, catalogue)
        yield Command((f"{root}:VALue", f"{root}[:DATA]:VALue"), set_value, get_value)
        yield Command((f"{root}:DELete[:NAME]",), delete)
