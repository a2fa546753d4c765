"""A run's folder: what is in it is whole, whenever the process that wrote it ended.

``run.json``         settings, versions
``parts/``           the rows of one block of photos each, until all are there
``photos.parquet``   all rows
``summary.json``, ``table.md``

A block of photos is always computed together and written as one file under the block's number, so that no
row can be lost or stand there twice, and no figure depends on where a run was broken off or who computed it.
"""

from __future__ import annotations

import io
import json
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from evaluation.many_photos.columns import SCHEMA
from story.export import report_json

SETTINGS, ROWS, SUMMARY, TABLE, PARTS = "run.json", "photos.parquet", "summary.json", "table.md", "parts"
TRUTH = "truth"
"""The setting that says which label attacks leave; runs of earlier versions have none."""
_ROWS_AT_ONCE = 60_000


class Run:
    """The folder ``folder``; nothing is written before ``begin``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def merged(self) -> bool:
        """Whether all rows are in one file."""
        return (self.folder / ROWS).exists()

    def begin(self, settings: Mapping[str, Any], facts: Mapping[str, Any]) -> None:
        """Starts a run, or goes on with the one that is there.

        Args:
            settings: all that decides the rows.
            facts: what else ``run.json`` shall tell; it may differ from one start to the next.

        Raises:
            ValueError: the folder holds a run with other settings, or something else under one of its names.
            OSError: it cannot be written.
        """
        text = report_json({**facts, "settings": settings})
        if not (self.folder / SETTINGS).exists():
            if self.merged or self.done():
                raise ValueError(f"{self.folder} has rows but no {SETTINGS}: choose another --out")
            self.write(SETTINGS, text.encode())
        try:
            earlier = self.settings()
        except (ValueError, KeyError, TypeError):
            raise ValueError(f"{self.folder / SETTINGS} is not that of a run: choose another --out") from None
        if TRUTH in settings and TRUTH not in earlier:
            raise ValueError(
                f"{self.folder} holds a run of an earlier version, whose attacks left the predicted label "
                "instead of the true one: choose another --out"
            )
        differs = difference(earlier, json.loads(text)["settings"])
        if differs:
            raise ValueError(f"{self.folder} holds a run with {differs}: choose another --out")

    def settings(self) -> dict[str, Any]:
        """Those of the run that is there."""
        return json.loads((self.folder / SETTINGS).read_text(encoding="utf-8"))["settings"]

    def done(self) -> set[int]:
        """Numbers of the blocks whose rows are there, before they are merged."""
        return {int(file.stem) for file in (self.folder / PARTS).glob("*.parquet") if file.stem.isdigit()}

    def add(self, block: int, rows: pa.Table) -> None:
        """Keeps the rows of a block.

        Raises:
            OSError: they cannot be written; what was there before is as it was.
        """
        file = io.BytesIO()
        pq.write_table(rows, file, compression="zstd")
        self.write(_part(block), file.getvalue())

    def merge(self, blocks: int) -> None:
        """All rows in one file, in the order of the blocks; a part at a time is in memory.

        Raises:
            ValueError: a part is damaged.
            OSError: as ``add``.
        """
        with self._whole(ROWS) as file, pq.ParquetWriter(file, SCHEMA, compression="zstd") as writer:
            waiting: list[pa.Table] = []
            for block in range(blocks):
                waiting.append(self._read(block))
                if sum(len(rows) for rows in waiting) >= _ROWS_AT_ONCE or block == blocks - 1:
                    writer.write_table(pa.concat_tables(waiting))
                    waiting = []

    def rows(self, columns: list[str]) -> Iterator[pa.Table]:
        """These columns of the merged rows, some ten thousand at a time."""
        with pq.ParquetFile(self.folder / ROWS) as file:
            for group in range(file.num_row_groups):
                yield file.read_row_group(group, columns=columns)

    def tidy(self) -> None:
        """Removes the parts, which the merged file has made superfluous."""
        shutil.rmtree(self.folder / PARTS, ignore_errors=True)

    def write(self, name: str, data: bytes) -> None:
        """The file ``name``, all of it or not at all.

        Raises:
            OSError: it cannot be written; it names the file.
        """
        with self._whole(name) as file:
            file.write(data)

    def _read(self, block: int) -> pa.Table:
        path = self.folder / _part(block)
        with path.open("rb") as file:  # a file that is not there is no damaged one
            try:
                return pq.read_table(file, schema=SCHEMA)
            except (pa.ArrowException, OSError):
                raise ValueError(f"{path} is damaged: delete it and give the same command again") from None

    @contextmanager
    def _whole(self, name: str) -> Iterator[IO[bytes]]:
        """A file that gets its name when everything is on the disk."""
        path = self.folder / name
        # Two processes that write the same must not write into each other's file.
        passing = self.folder / PARTS / f"{path.name}.{secrets.token_hex(4)}"
        try:
            passing.parent.mkdir(parents=True, exist_ok=True)
            with passing.open("wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            passing.replace(path)
        except OSError as error:
            raise OSError(error.errno, error.strerror or str(error), error.filename or str(path)) from error
        finally:
            passing.unlink(missing_ok=True)


def _part(block: int) -> str:
    return f"{PARTS}/{block:06d}.parquet"


def difference(earlier: Any, wanted: Any, name: str = "") -> str:
    """The first place where two settings differ, in words; "" where they are the same."""
    if isinstance(earlier, dict) and isinstance(wanted, dict):
        for key in dict.fromkeys([*wanted, *earlier]):
            if key not in earlier or key not in wanted:
                return f"{'no ' if key in wanted else ''}{key} among its {name or 'settings'}"
            words = difference(earlier[key], wanted[key], f"{name}.{key}".lstrip("."))
            if words:
                return words
        return "" if list(earlier) == list(wanted) else f"its {name} in another order"
    return "" if earlier == wanted else f"{name} {json.dumps(earlier)}, not {json.dumps(wanted)}"
