"""A message of a text proto, read field by field, so that no field is passed over unnoticed."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Iterator
from pathlib import Path

from tfrec_tools.detector.config import textproto
from tfrec_tools.errors import InputError

_LARGEST = 2**31 - 1  # of an int32, as the protos have it

# Ends the messages that refuse a model.
SUPPORTED = (
    "supported: ssd with a MobileNetV2 (FPN or without a pyramid), a MobileNetV1 FPN, a ResNet FPN "
    "(RetinaNet) or an EfficientNet BiFPN (EfficientDet), faster_rcnn with a ResNet or an Inception-ResNet, "
    "and center_net with a MobileNetV2 FPN, a ResNet or an hourglass"
)


class Fields:
    """A message of a config; what is asked for is marked as read, and `done` refuses the rest.

    path and place say where it is, for messages of faults. Every method raises InputError where a value is
    not what it should be.
    """

    def __init__(self, path: Path, place: str, message: textproto.Message) -> None:
        self.path = path
        self.place = place
        self._message = message
        self._read: set[str] = set()

    def block(self, name: str) -> Fields:
        blocks = self._message.messages(name)
        if len(blocks) != 1:
            raise self.fault(name, f"found {len(blocks)} times, expected once")
        self._read.add(name)
        return Fields(self.path, f"{self.place}.{name}", blocks[0])

    def has(self, name: str) -> bool:
        return any(field.name == name for field in self._message.fields)

    def words(self, name: str) -> list[str]:
        self._read.add(name)
        return [textproto.unquote(scalar.written) for scalar in self._message.scalars(name)]

    def word(self, name: str, default: str) -> str:
        return (self.words(name) or [default])[-1]

    def number(self, name: str, default: float | None = None) -> float:
        """Returns a number as TFOD's protos have it, a float32, and so are their defaults: 160 channels times
        a multiplier of 0.35 are 55 in TFOD, and would be 56 by the number as it is written."""
        return self._float32(name, self._last(name, default))

    def numbers(self, name: str) -> list[float]:
        """Returns all numbers of a repeated field, each a float32 as for `number`."""
        return [self._float32(name, number) for number in self._written(name)]

    def _float32(self, name: str, number: float) -> float:
        if math.isinf(rounded := ctypes.c_float(number).value):
            raise self.fault(name, f"found {number:g}, expected a number that a float32 can hold")
        return rounded

    def _last(self, name: str, default: float | None) -> float:
        numbers = self._written(name)
        if not numbers and default is None:
            raise self.fault(name, "missing, expected a number")
        return numbers[-1] if numbers else float(default or 0.0)

    def _written(self, name: str) -> list[float]:
        """Returns the numbers of a field as they are written."""
        words = self.words(name)
        try:
            numbers = [float(word.rstrip("f")) for word in words]
        except ValueError as fault:
            raise self.fault(name, f"found {words}, expected numbers") from fault
        if not all(map(math.isfinite, numbers)):
            raise self.fault(name, f"found {words}, expected finite numbers")
        return numbers

    def whole(self, name: str, default: int | None = None) -> int:
        number = self._last(name, default)
        if not number.is_integer() or abs(number) > _LARGEST:
            raise self.fault(name, f"found {number:g}, expected a whole number up to {_LARGEST}")
        return int(number)

    def flag(self, name: str, default: bool) -> bool:
        return self.word(name, str(default).lower()).lower() in ("true", "1", "t")

    def must_be(self, name: str, default: bool, expected: bool) -> None:
        if self.flag(name, default) != expected:
            raise self.fault(
                name,
                f"found {str(not expected).lower()}, expected {str(expected).lower()}; {SUPPORTED}",
            )

    def empty(self, name: str) -> None:
        """A message that must be there and says nothing more."""
        self.block(name).done()

    def ignore(self, *names: str) -> None:
        """Fields that change nothing on this machine."""
        self._read.update(names)

    def only(self, *names: str) -> str:
        """Returns the one of several alternatives that is present."""
        present = [field.name for field in self._message.fields]
        for name in names:
            if name in present:
                return name
        listed = ", ".join(present) or "nothing"
        raise InputError(
            self.path, f"found {listed}, expected {' or '.join(names)}; {SUPPORTED}", where=self.place
        )

    def done(self) -> None:
        for name in self._unread():
            raise self.fault(name, f"not understood, so that the model would not be the same; {SUPPORTED}")

    def fault(self, name: str, reason: str) -> InputError:
        return InputError(self.path, reason, where=f"{self.place}.{name}")

    def _unread(self) -> Iterator[str]:
        return (field.name for field in self._message.fields if field.name not in self._read)
