"""What the records of a run refer to by number: texts, and the channels of traces."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from labctl.store import content as c
from labctl.store.header import canonical
from labctl.store.journal import Tag, record
from labctl.store.tables import Column, check_name


class Vocabulary:
    """The texts and layouts of traces of one run.

    codes: numbers of the texts; definitions: records of what is new, for the recorder to write ahead of the record that
    uses them.
    """

    def __init__(self) -> None:
        self.strings = [""]
        self.trace_layouts: list[c.TraceLayout] = []
        self.definitions: list[bytes] = []
        self.codes = {"": 0}
        self._trace_codes: dict[Any, int] = {}

    def forget(self, strings: int, layouts: int) -> None:
        """Back to so many of each, whose definitions are written."""
        for text in self.strings[strings:]:
            self.codes.pop(text, None)
        self._trace_codes = {key: code for key, code in self._trace_codes.items() if code < layouts}
        del self.strings[strings:], self.trace_layouts[layouts:]
        self.definitions = []

    def code(self, text: Any) -> int:
        """Number of a text in the run's table of strings; a new one is defined ahead of the record that uses it."""
        code = self.codes.get(text)
        if code is not None:
            return code
        if not isinstance(text, str):
            raise TypeError(f"text is needed, not {text!r}")
        if "\0" in text:
            raise ValueError(f"HDF5 cannot hold text with a NUL: {text!r}")
        encoded = text.encode()
        code = len(self.strings)
        self.definitions.append(record(Tag.STRING, code.to_bytes(4, "little") + encoded))
        self.strings.append(text)
        self.codes[text] = code
        return code

    def trace(self, kind: str, trace: Mapping[str, npt.ArrayLike]) -> bytes:
        """A trace's bytes; a new combination of channels is defined ahead."""
        arrays = [np.asarray(a) for a in trace.values()]
        code = self._trace_codes.get((kind, *trace, *(a.dtype.str for a in arrays)))
        if code is None:
            code = self._new_trace(kind, trace, arrays)
        n = len(arrays[0]) if arrays[0].ndim == 1 else -1
        for array in arrays:
            if array.shape != (n,):
                shapes = [a.shape for a in arrays]
                raise ValueError(f"{kind}: a trace's arrays are one-dimensional and equally long; not {shapes}")
        if sys.byteorder == "big" or any(a.dtype.byteorder == ">" for a in arrays):
            arrays = [a.astype(a.dtype.newbyteorder("<")) for a in arrays]
        return c.TRACE.pack(code, n) + b"".join([a.tobytes() for a in arrays])

    def _new_trace(self, kind: str, trace: Mapping[str, Any], arrays: list[npt.NDArray[Any]]) -> int:
        if not arrays:
            raise ValueError(f"{kind}: a trace has at least one array")
        for name, array in zip(trace, arrays, strict=True):
            check_name(name)
            if array.dtype.kind not in "fiub" or array.dtype.itemsize > 8:
                raise TypeError(f"{kind}: the trace's array {name!r} is of {array.dtype}; numbers are needed")
        channels = tuple((name, a.dtype.newbyteorder("<").str) for name, a in zip(trace, arrays, strict=True))
        key = (kind, *trace, *(a.dtype.str for a in arrays))
        return self.define_trace(c.TraceLayout(kind, channels), key)

    def define_trace(self, layout: c.TraceLayout, key: tuple[str, ...]) -> int:
        code = len(self.trace_layouts)
        self.definitions.append(record(Tag.TRACE_LAYOUT, code.to_bytes(2, "little") + canonical(layout.as_dict())))
        self.trace_layouts.append(layout)
        self._trace_codes[key] = code
        return code

    def encoded(self, column: Column, values: Any) -> Any:
        """Values of a column as numbers: text by code, names of an enum by value."""
        enum = column.enum or {}
        if np.ndim(values) == 0:
            return self.code(values) if column.is_text else enum.get(values, values)
        if column.is_text:
            return [self.code(v) for v in values]
        return [enum.get(v, v) for v in values] if enum else values
