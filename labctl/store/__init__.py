"""The run file: written while a run happens, read by everything that comes after."""

from labctl.store.errors import ExportError, NameTaken, RunFileError, StorageError, StoreError
from labctl.store.flags import Flags, describe
from labctl.store.header import Header
from labctl.store.reading import Run, load_run
from labctl.store.recorder import Recorder
from labctl.store.tables import Column, event_tables, loop_column

__all__ = [
    "Column",
    "ExportError",
    "Flags",
    "Header",
    "NameTaken",
    "Recorder",
    "Run",
    "RunFileError",
    "StorageError",
    "StoreError",
    "describe",
    "event_tables",
    "load_run",
    "loop_column",
]
