"""A finished run as one asks it: which rows, in which order, and what a defense changed in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from evaluation.many_photos.columns import SCHEMA
from evaluation.many_photos.run_folder import ROWS

_WORDS = [column.name for column in SCHEMA if column.type == pa.string()]


@dataclass(frozen=True)
class Wanted:
    """Which rows of a run are wanted; what is empty leaves out none.

    Attributes:
        attack, defense: their names in the rows.
        labels: right labels.
        outcomes: of ``OUTCOMES``, "left out" or "unread".
        causes: of ``evaluation.many_photos.causes.CAUSES``.
        low, high: bounds of the probability of what comes out; 0 and 1 keep rows without one too.
        surest_first: ordered by that probability, the highest first, instead of as the run has them.
    """

    attack: str = ""
    defense: str = ""
    labels: tuple[str, ...] = ()
    outcomes: tuple[str, ...] = ()
    causes: tuple[str, ...] = ()
    low: float = 0.0
    high: float = 1.0
    surest_first: bool = False


class Rows:
    """All rows of a run in memory, some 120 bytes for each: every different word is kept once.

    Attributes:
        table: the rows with the columns of ``SCHEMA`` and whatever else the file has.
    """

    def __init__(self, table: pa.Table) -> None:
        self.table = table.unify_dictionaries()

    @classmethod
    def read(cls, folder: Path) -> Rows:
        """Those of the run in ``folder``.

        Raises:
            ValueError: its file is damaged, or not that of a run.
            OSError: it cannot be read.
        """
        path = folder / ROWS
        with path.open("rb") as file:
            try:
                table = pq.read_table(file, read_dictionary=_WORDS)
            except (pa.ArrowException, OSError) as error:
                raise ValueError(f"{ROWS} is damaged or no Parquet file") from error
        check_columns(table.schema)
        for column in SCHEMA:
            if column.name not in table.column_names:
                table = table.append_column(column, pa.nulls(len(table), column.type))
        return cls(table)

    def __len__(self) -> int:
        return len(self.table)

    def words(self, column: str) -> list[str]:
        """The different words of a column, sorted."""
        return sorted(word for word in pc.unique(self.table[column]).drop_null().to_pylist() if word)

    def numbers(self, wanted: Wanted) -> NDArray[np.int64]:
        """(N,) places in ``table`` of the wanted rows, in the wanted order."""
        keep = np.ones(len(self.table), dtype=bool)
        filters = {
            "attack": (wanted.attack,) if wanted.attack else (),
            "defense": (wanted.defense,) if wanted.defense else (),
            "label": wanted.labels,
            "outcome": wanted.outcomes,
            "cause": wanted.causes,
        }
        for name, words in filters.items():
            if words:
                keep &= self._among(name, words)
        probability = self.table["probability"].to_numpy()
        if (wanted.low, wanted.high) != (0.0, 1.0):
            keep &= (probability >= wanted.low) & (probability <= wanted.high)
        numbers = np.flatnonzero(keep)
        if wanted.surest_first:
            # Not a number sorts last; rows that are equally sure stay in their order.
            numbers = numbers[np.argsort(-probability[numbers], kind="stable")]
        return numbers

    def _among(self, name: str, words: Sequence[str]) -> NDArray[np.bool_]:
        among: NDArray[np.bool_] = pc.is_in(self.table[name], pa.array(words)).to_numpy()
        return among

    def records(self, numbers: NDArray[np.int64]) -> list[dict[str, Any]]:
        """The rows at these places."""
        return self.take(numbers).to_pylist()

    def take(self, numbers: NDArray[np.int64]) -> pa.Table:
        """The rows at these places, every word written out, as the run's file has them."""
        plain = pa.schema(
            [
                field.with_type(field.type.value_type) if pa.types.is_dictionary(field.type) else field
                for field in self.table.schema
            ]
        )
        return self.table.take(pa.array(numbers)).cast(plain)

    def changes(self, wanted: Wanted) -> dict[tuple[bool, str], int]:
        """How many of the wanted rows that could be read: (right without the defense, outcome) -> count."""
        rows = self.table.select(["label", "bare", "outcome"]).take(pa.array(self.numbers(wanted)))
        bare_right = pc.equal(rows["label"].cast(pa.string()), rows["bare"].cast(pa.string()))
        counted = rows.append_column("bare_right", bare_right).group_by(["bare_right", "outcome"])
        return {
            (group["bare_right"], group["outcome"]): group["count_all"]
            for group in counted.aggregate([([], "count_all")]).to_pylist()
            if group["bare_right"] is not None
        }


def check_columns(schema: pa.Schema) -> None:
    """Sees that a file of rows has the columns of ``SCHEMA``; further ones are welcome.

    A figure or a switch may be missing: a run made before it was thought of is still a run.

    Raises:
        ValueError: another one is missing, or any is of another type.
    """
    for column in SCHEMA:
        number = schema.get_field_index(column.name)
        if number < 0 and column.type in (pa.float64(), pa.bool_()):
            continue
        if number < 0:
            raise ValueError(f"{ROWS} has no column {column.name}, so it is not that of a run")
        held = schema.field(number).type
        if (held.value_type if pa.types.is_dictionary(held) else held) != column.type:
            raise ValueError(f"the column {column.name} of {ROWS} holds {held}, not {column.type}")
