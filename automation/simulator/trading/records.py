"""How the exchange's many small records are made.

They are frozen for the type checker and plain at run time: a frozen dataclass sets each field by a
call, which for the 32 fields of an order's update took more than ten times as long as plain
assignment, a third of the whole time of an order. Imported by the modules that define records.
"""

from dataclasses import dataclass
from typing import TypeVar, dataclass_transform

_Record = TypeVar("_Record")


@dataclass_transform(frozen_default=True)
def record(cls: type[_Record]) -> type[_Record]:
    """Make a class a dataclass that nobody may change, compared and hashed by its fields."""
    return dataclass(slots=True, unsafe_hash=True)(cls)
