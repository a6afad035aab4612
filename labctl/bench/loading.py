"""Read a bench file: YAML 1.2 with positions, so that an error names file, line and column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from labctl.bench.description import BenchDescription
from labctl.bench.errors import BenchFileError


def shipped_benches() -> dict[str, Path]:
    """Name -> file of the benches that ship with the simulated bench."""
    package = find_spec("sim_backend")
    places = package.submodule_search_locations if package else None
    files = sorted(file for place in places or () for file in (Path(place) / "benches").glob("*.yaml"))
    return {file.stem: file for file in files}


def find_bench(bench: str | Path) -> Path:
    """File of a bench given as a path or as a shipped name.

    Raises:
        BenchFileError: neither a file nor a shipped name.
    """
    path = Path(bench)
    if path.is_file():
        return path
    shipped = shipped_benches()
    if str(bench) in shipped:
        return shipped[str(bench)]
    what = "is a directory" if path.is_dir() else "is neither a file nor a shipped bench"
    raise BenchFileError(f"bench {str(bench)!r} {what}", f"shipped benches: {', '.join(shipped) or 'none'}")


def load_bench(bench: str | Path, simulation: Mapping[str, Any] | None = None) -> BenchDescription:
    """Read and validate a bench file given as a path or as a shipped name.

    Args:
        bench: path, or name of a shipped bench.
        simulation: replaces keys under ``simulation:``; nested mappings are merged.

    Raises:
        BenchFileError: not found, not readable, not YAML, not a bench file.
    """
    file = find_bench(bench)
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BenchFileError(f"bench file {file} cannot be read: {error}", "it must be YAML in UTF-8") from error
    return parse_bench(text, str(file), simulation)


def parse_bench(text: str, name: str, simulation: Mapping[str, Any] | None = None) -> BenchDescription:
    """As ``load_bench``, from text; ``name`` is what errors call it."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    try:
        tree = YAML(typ="rt", pure=True).load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{name}:{mark.line + 1}:{mark.column + 1}" if mark else name
        problem = f"{where}: not YAML: {error.problem or error.context}"
        raise BenchFileError(problem, "mend the file's syntax") from error
    except YAMLError as error:
        raise BenchFileError(f"{name}: not YAML: {error}", "mend the file's syntax") from error
    if not isinstance(tree, Mapping) or "bench" not in tree:
        raise BenchFileError(f"{name}: not a bench file", "a bench file is a mapping that begins with 'bench: 1'")
    plain = _plain(tree)
    if simulation:
        plain["simulation"] = _merged(plain.get("simulation") or {}, simulation)
    try:
        return BenchDescription.model_validate(plain)
    except ValidationError as error:
        raise _first_problem(error, tree, name) from error


def _plain(node: Any) -> Any:
    """Built-in types instead of the loader's own."""
    if isinstance(node, Mapping):
        return {str(key): _plain(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_plain(value) for value in node]
    for kind in (bool, int, float, str):
        if isinstance(node, kind):
            return kind(node)
    return node


def _merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(base)
    for key, value in over.items():
        below = result.get(key)
        if isinstance(below, Mapping) and isinstance(value, Mapping):
            value = _merged(below, value)
        result[key] = value
    return result


def _first_problem(error: ValidationError, tree: Any, name: str) -> BenchFileError:
    # a misspelt key is also a missing one: name what is there
    problem = min(error.errors(), key=lambda found: found["type"] != "extra_forbidden")
    path = [key for key in problem["loc"] if key != "[key]"]
    where, node = name, tree
    for key in path:
        position = _position(node, key)
        if position is None:
            break
        where = f"{name}:{position[0] + 1}:{position[1] + 1}"
        node = node[key]
    keys = ".".join(str(key) for key in path)
    message = problem["msg"].removeprefix("Value error, ")
    hint = "see the shipped bench files for the form"
    if problem["type"] == "extra_forbidden":
        message, hint = "unknown key", _nearest(str(path[-1]), path[:-1])
    return BenchFileError(f"{where}: {keys + ': ' if keys else ''}{message}", hint)


def _position(node: Any, key: str | int) -> tuple[int, int] | None:
    """Line and column (from 0) of a key or list item, None where the file has none."""
    marks = getattr(node, "lc", None)
    if marks is None:
        return None
    if isinstance(node, Mapping):
        return marks.key(key) if key in node else None
    return marks.item(key) if isinstance(key, int) and key < len(node) else None


def _nearest(word: str, path: Sequence[str | int]) -> str:
    from labctl.protocol.errors import nearest

    model = _model_at(path)
    if model is None:
        return "remove it"
    return nearest(word, [field.alias or name for name, field in model.model_fields.items()])


def _model_at(path: Sequence[str | int]) -> type[BaseModel] | None:
    """The model that a path of the file leads to, None where the file is free-form."""
    model: type[BaseModel] | None = BenchDescription
    inside: Any = None
    for key in path:
        if model is None:
            inside = _element(inside)
        else:
            fields = {field.alias or name: field for name, field in model.model_fields.items()}
            if key not in fields:
                return None
            inside = fields[str(key)].annotation
        model = inside if isinstance(inside, type) and issubclass(inside, BaseModel) else None
    return model


def _element(container: Any) -> Any:
    """Annotation of the values of a dict or of the items of a tuple."""
    arguments = getattr(container, "__args__", ())
    if not arguments:
        return None
    return arguments[1] if len(arguments) > 1 and arguments[1] is not Ellipsis else arguments[0]
