"""What is asked of a finished run is what a plain loop over its rows would answer."""

import math

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evaluation.many_photos.rows import Rows, Wanted, check_columns
from evaluation.many_photos.run_folder import ROWS, SCHEMA


def made(count=200):
    draw = np.random.default_rng(0)
    rows = []
    for number in range(count):
        label, bare = draw.choice(["cat", "dog", "cup"], 2)
        unread = number % 20 == 0
        rows.append(
            {
                "number": number,
                "file": f"{label}/{number}.jpg",
                "sha256": f"{number:064x}",
                "label": str(label),
                "attack": str(draw.choice(["none", "pgd"])),
                "defense": str(draw.choice(["none", "lgs"])),
                "outcome": "unread" if unread else str(draw.choice(["right", "wrong", "rejected"])),
                "cause": None if unread else str(draw.choice(["", "rejected", "no defense"])),
                "probability": None if unread else float(draw.choice([0.25, 0.5, 0.75])),
                "bare": None if unread else str(bare),
            }
        )
    return rows


@pytest.fixture
def rows(tmp_path):
    pq.write_table(pa.Table.from_pylist(made(), SCHEMA), tmp_path / ROWS, row_group_size=37)
    return Rows.read(tmp_path)


@pytest.mark.parametrize(
    ("wanted", "holds"),
    [
        (Wanted(), lambda row: True),
        (Wanted("pgd", "lgs"), lambda row: (row["attack"], row["defense"]) == ("pgd", "lgs")),
        (Wanted(labels=("cat", "cup")), lambda row: row["label"] != "dog"),
        (Wanted(outcomes=("wrong", "unread")), lambda row: row["outcome"] in ("wrong", "unread")),
        (Wanted(causes=("rejected",)), lambda row: row["cause"] == "rejected"),
        (Wanted(low=0.5), lambda row: (row["probability"] or 0) >= 0.5),
        (Wanted(high=0.5), lambda row: row["probability"] is not None and row["probability"] <= 0.5),
        (Wanted(labels=("no such label",)), lambda row: False),
    ],
)
def test_filters(rows, wanted, holds):
    expected = [row["number"] for row in made() if holds(row)]
    assert rows.numbers(wanted).tolist() == expected


def test_surest_first_and_rows_without_a_probability_last(rows):
    told = rows.records(rows.numbers(Wanted(surest_first=True)))
    expected = sorted(made(), key=lambda row: -(row["probability"] or -1))
    assert [row["number"] for row in told] == [row["number"] for row in expected]


def test_rows_are_told_as_the_file_has_them(rows):
    (row,) = rows.records(np.array([7]))
    assert {key: row[key] for key in made()[7]} == made()[7]
    assert rows.take(np.array([3, 1])).schema.equals(SCHEMA)
    assert rows.take(np.array([3, 1]))["number"].to_pylist() == [3, 1]


def test_words(rows):
    assert rows.words("label") == ["cat", "cup", "dog"]
    assert rows.words("cause") == ["no defense", "rejected"]


def test_what_a_defense_changed(rows):
    counted = rows.changes(Wanted("pgd", "lgs", ("cat",)))
    for right in (True, False):
        for outcome in ("right", "wrong", "rejected"):
            expected = sum(
                (row["attack"], row["defense"], row["label"]) == ("pgd", "lgs", "cat")
                and row["outcome"] == outcome
                and (row["bare"] == "cat") == right
                for row in made()
            )
            assert counted.get((right, outcome), 0) == expected


def test_fifty_thousand_rows_are_small(tmp_path):
    many = pa.Table.from_pylist(made() * 250, SCHEMA)
    pq.write_table(many, tmp_path / ROWS)
    assert Rows.read(tmp_path).table.nbytes < 150 * len(many)


def test_a_damaged_file_is_one_sentence(tmp_path):
    (tmp_path / ROWS).write_bytes(b"PAR1 no rows PAR1")
    with pytest.raises(ValueError, match=r"^photos\.parquet is damaged or no Parquet file$"):
        Rows.read(tmp_path)


def test_columns_that_are_missing_or_of_another_type():
    with pytest.raises(ValueError, match="no column cause"):
        check_columns(SCHEMA.remove(SCHEMA.get_field_index("cause")))
    place = SCHEMA.get_field_index("ssim")
    with pytest.raises(ValueError, match=r"^the column ssim of photos\.parquet holds string, not double$"):
        check_columns(SCHEMA.set(place, pa.field("ssim", pa.string())))
    check_columns(SCHEMA.append(pa.field("another", pa.float64())))


def test_a_run_that_is_older_than_a_figure(tmp_path):
    older = pa.Table.from_pylist(made(), SCHEMA).drop(["probability", "psnr"])
    pq.write_table(older, tmp_path / ROWS)
    rows = Rows.read(tmp_path)
    assert set(rows.table.column_names) == set(SCHEMA.names)
    assert rows.table["probability"].null_count == len(older)
    assert len(rows.numbers(Wanted(surest_first=True))) == len(older)
    assert len(rows.numbers(Wanted(low=0.1))) == 0


def test_not_a_number_is_no_probability():
    table = pa.Table.from_pylist([{"probability": math.nan}, {"probability": 0.1}], SCHEMA)
    assert Rows(table).numbers(Wanted(low=0.05)).tolist() == [1]
