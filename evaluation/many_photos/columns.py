"""The columns of a run's rows: what each holds, of which type, and how it is filled."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from evaluation.many_photos.causes import causes

NONE = "none"
"""The name of no attack, and of no defense."""
UNREAD = "unread"
"""Outcome of a photo that could not be used."""
LEFT_OUT = "left out"
"""Outcome of a photo of the very label that the attack is after."""
OUTCOMES = ("right", "wrong", "rejected")
"""Of a photo that counts."""

Numbers = NDArray[Any]
Cells = list[Any]
"""One column of one batch: a value for each photo, None where there is no such thing."""


@dataclass(frozen=True)
class PhotoFacts:
    """What is known of a photo before anything is done with it.

    Attributes:
        number: its place in the source.
        file: its name there.
        sha256: of the file; None where it could not be read.
        label: its own, in the classifier's word where it has one.
        reason: why it could not be used; None where it could.
    """

    number: int
    file: str
    sha256: str | None
    label: str
    reason: str | None


@dataclass(frozen=True, eq=False)
class CellFigures:
    """What came of a batch of B photos under one attack, behind one defense; every array is (B,).

    Attributes:
        attack, defense: their names in the rows.
        threat: what the attacker knows of the defense; "" without an attack.
        labels: the classifier's.
        truth: numbers of the right labels.
        clean: number of the bare classifier's label on the clean photo.
        clean_probability: of the right label there.
        bare: number of the bare classifier's label on the same picture, without the defense.
        predicted: number of the label that comes out; -1 where the defense rejects the photo.
        probability: of that label, or of the likeliest where the photo is rejected.
        label_probability: of the right label.
        target: number of the attack's label; -1 where it is after none.
        target_probability: of that label.
        attacked: whether the attack was made on this photo.
        counted: whether there are figures; not of a photo that this cell's classifier, alone or behind its
            defense, gets wrong without an attack. ``predicted`` is then what comes out of the clean photo.
        left_out: whether the photo is of the attack's own label, or is taken for it before the attack where
            photos are attacked that are wrong.
        ssim, psnr, ndcg: how similar the picture and the ranking of labels are to the clean photo's.
        iou: of ``Defense.finds`` and the attack's mask; NaN where one of them does not exist.
        milliseconds: of the defense, or where there is none of the attack, a photo's share of its batch.
    """

    attack: str
    defense: str
    threat: str
    labels: Sequence[str]
    truth: Numbers
    clean: Numbers
    clean_probability: Numbers
    bare: Numbers
    predicted: Numbers
    probability: Numbers
    label_probability: Numbers
    target: Numbers
    target_probability: Numbers
    attacked: Numbers
    counted: Numbers
    left_out: Numbers
    ssim: Numbers
    psnr: Numbers
    ndcg: Numbers
    iou: Numbers
    milliseconds: Numbers

    def words(self, numbers: Numbers) -> Cells:
        """The labels of these numbers; None below 0."""
        return [self.labels[number] if number >= 0 else None for number in numbers]

    def figures(self, values: Numbers) -> Cells:
        """These values; None where they are no numbers, or not of this cell."""
        kept = self.counted & ~np.isnan(values)
        return [float(value) if keep else None for value, keep in zip(values, kept, strict=True)]

    def outcomes(self) -> Cells:
        """``OUTCOMES`` or ``LEFT_OUT``."""
        right = np.select([self.predicted < 0, self.predicted == self.truth], ["rejected", "right"], "wrong")
        return np.where(self.left_out, LEFT_OUT, right).tolist()

    def causes(self) -> Cells:
        """See ``evaluation.many_photos.causes``; "" where there is nothing to explain."""
        words = causes(
            self.truth,
            self.clean,
            self.clean_probability,
            self.bare,
            self.predicted,
            self.iou,
            attacked=np.array(self.attack != NONE),
            defended=np.array(self.defense != NONE),
        )
        return np.where(self.left_out, "", words).tolist()

    def reached(self) -> Cells:
        """Whether the attack's label comes out; None where the attack is after none, or was not made."""
        aimed = (self.target >= 0) & self.counted
        return [
            bool(hit) if aim else None for hit, aim in zip(self.predicted == self.target, aimed, strict=True)
        ]


@dataclass(frozen=True)
class Column:
    """A column of the rows.

    Attributes:
        name: in the file.
        type: of its values; any may be null.
        of_photo: its value, where it is the same in all rows of a photo.
        of_cell: its values for a batch, where it is not; null where the photo could not be used.
    """

    name: str
    type: pa.DataType
    of_photo: Callable[[PhotoFacts], Any] | None = None
    of_cell: Callable[[CellFigures], Cells] | None = None


_WORD, _FIGURE, _SWITCH = pa.string(), pa.float64(), pa.bool_()

COLUMNS = (
    Column("number", pa.int64(), of_photo=lambda photo: photo.number),
    Column("file", _WORD, of_photo=lambda photo: photo.file),
    Column("sha256", _WORD, of_photo=lambda photo: photo.sha256),
    Column("label", _WORD, of_photo=lambda photo: photo.label),
    Column("attack", _WORD, of_cell=lambda cell: [cell.attack] * len(cell.truth)),
    Column("defense", _WORD, of_cell=lambda cell: [cell.defense] * len(cell.truth)),
    Column("threat", _WORD, of_cell=lambda cell: [cell.threat] * len(cell.truth)),
    Column("attacked", _SWITCH, of_cell=lambda cell: cell.attacked.tolist()),
    Column("outcome", _WORD, of_cell=CellFigures.outcomes),
    Column("cause", _WORD, of_cell=CellFigures.causes),
    Column("reason", _WORD, of_photo=lambda photo: photo.reason),
    Column("predicted", _WORD, of_cell=lambda cell: cell.words(cell.predicted)),
    Column("probability", _FIGURE, of_cell=lambda cell: cell.figures(cell.probability)),
    Column("label_probability", _FIGURE, of_cell=lambda cell: cell.figures(cell.label_probability)),
    Column("target", _WORD, of_cell=lambda cell: cell.words(cell.target)),
    Column("target_probability", _FIGURE, of_cell=lambda cell: cell.figures(cell.target_probability)),
    Column("reached", _SWITCH, of_cell=CellFigures.reached),
    Column("clean", _WORD, of_cell=lambda cell: cell.words(cell.clean)),
    Column("clean_probability", _FIGURE, of_cell=lambda cell: cell.clean_probability.tolist()),
    Column("bare", _WORD, of_cell=lambda cell: cell.words(cell.bare)),
    Column("ssim", _FIGURE, of_cell=lambda cell: cell.figures(cell.ssim)),
    Column("psnr", _FIGURE, of_cell=lambda cell: cell.figures(cell.psnr)),
    Column("ndcg", _FIGURE, of_cell=lambda cell: cell.figures(cell.ndcg)),
    Column("iou", _FIGURE, of_cell=lambda cell: cell.figures(cell.iou)),
    Column("milliseconds", _FIGURE, of_cell=lambda cell: cell.figures(cell.milliseconds)),
)
"""All columns, in their order; a further one is a line here."""

SCHEMA = pa.schema([(column.name, column.type) for column in COLUMNS])
"""The rows' columns; null where there is no such thing. What each holds: ``PhotoFacts``, ``CellFigures``.

``attacked``: whether the attack was made on this photo. One that is wrong without an attack, behind the same
defense, counts as wrong and is not attacked, unless the run's settings say so; it then has no figures.
``outcome``: one of ``OUTCOMES``, "left out", or "unread" with a ``reason``. ``reached``: whether the attack's
label comes out.
"""


def cells_of(cell: CellFigures) -> dict[str, Cells]:
    """The columns of one cell by name, without those that are the photo's."""
    return {column.name: column.of_cell(cell) for column in COLUMNS if column.of_cell is not None}


def facts_of(photo: PhotoFacts) -> dict[str, Any]:
    """The photo's columns by name."""
    return {column.name: column.of_photo(photo) for column in COLUMNS if column.of_photo is not None}


def unread(attack: str, defense: str) -> dict[str, Any]:
    """What a row says of a photo that could not be used, beside the photo's columns."""
    return {"attack": attack, "defense": defense, "outcome": UNREAD}
