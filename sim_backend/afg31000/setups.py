"""Setup memories 0..4 (reference afg31000 sec. 5): 0 is the last setup, written at power-off."""

from __future__ import annotations

from sim_backend.afg31000.settings import Settings
from sim_backend.scpi import ScpiError

SLOTS = (0, 4)


class Setups:
    """Kept setups, their locks, and what power-on recalls."""

    def __init__(self) -> None:
        self._kept: dict[int, Settings] = {}
        self._locked: set[int] = set()
        self.recall_last = False

    def save(self, slot: int, settings: Settings) -> None:
        """-222 for a slot that does not exist, -221 when it is locked."""
        self._check(slot)
        self._free(slot)
        self._kept[slot] = settings

    def recall(self, slot: int) -> Settings:
        """-224 when nothing is kept there."""
        self._check(slot)
        if slot not in self._kept:
            raise ScpiError(-224, f"setup {slot} is empty")
        return self._kept[slot]

    def delete(self, slot: int) -> None:
        """-221 when it is locked, -224 when it is empty."""
        self.recall(slot)
        self._free(slot)
        del self._kept[slot]

    def valid(self, slot: int) -> bool:
        self._check(slot)
        return slot in self._kept

    def locked(self, slot: int) -> bool:
        self._check(slot, first=1)
        return slot in self._locked

    def lock(self, slot: int, on: bool) -> None:
        """Slots 1..4 only."""
        self._check(slot, first=1)
        (self._locked.add if on else self._locked.discard)(slot)

    def erase(self) -> None:
        """SYSTem:SECurity:IMMediate."""
        self._kept.clear()
        self._locked.clear()
        self.recall_last = False

    def _free(self, slot: int) -> None:
        if slot in self._locked:
            raise ScpiError(-221, f"setup {slot} is locked")

    @staticmethod
    def _check(slot: int, first: int = SLOTS[0]) -> None:
        if not first <= slot <= SLOTS[1]:
            raise ScpiError(-222, f"setup {slot}")
