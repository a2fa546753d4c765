"""Every defense side by side on the present photo, and any two results over each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from defenses import DEFENSES, Defense
from evaluation.measures.metrics import structural_difference
from evaluation.one_photo.compare import Cell, compare
from evaluation.one_photo.story import Story
from story import Step
from story.render import png_address, render, to_png
from ui.attack.running import Result
from ui.browser import panels_of, story_viewer, wipe
from ui.frame import doubt
from ui.frame.pages import PAGE_OF
from ui.frame.verdict import NDCG_HELP, SIGNS, adversary
from ui.session import selection
from ui.session.background import Background
from ui.session.notices import calmly
from ui.session.parameters import values_of
from ui.session.progress import follow, progress
from ui.session.scene import Scene
from ui.session.workbench import workbench

_GO = "compare_go"
_TABLE = "compare_table"
_CLEAN_COLUMNS = (
    *("clean_picture", "title", "clean", "clean_true"),
    *("clean_ssim", "clean_psnr", "clean_ndcg", "ms"),
)
_COLUMNS = (
    *("attacked_picture", "title", "attacked", "clean", "attacked_true", "clean_true"),
    *("attacked_ssim", "attacked_psnr", "attacked_ndcg", "ms"),
)


def show(scene: Scene, result: Result | None) -> None:
    """The table of all defenses, then two results in detail."""
    with calmly():
        _leave(scene)
        attempt = result.attempt if result else None
        story = workbench().story(scene, attempt)
        doubt.note(scene, story)
        defenses = _present()
        columns = 1 if story.attacked is None else 2
        key = ("compare", scene.key, attempt.key if attempt else None, tuple(defenses.items()))
        total = columns * (1 + len(defenses))
        work = workbench().aside(key, lambda: _cells(scene, story, defenses), total)
        follow(_table, work, story)
        if work.seen and work.parts:
            _pair(work.parts)


def _cells(scene: Scene, story: Story, defenses: dict[str, Defense]) -> Any:
    attacked = None if story.attacked is None else story.attacked.x
    return compare(story.clean.x, attacked, scene.classifier, defenses, adversary(story))


def _present() -> dict[str, Defense]:
    """Every defense as the visitor has set it; with its own values where these don't fit together."""
    defenses: dict[str, Defense] = {}
    for name, cls in DEFENSES.items():
        try:
            defenses[name] = cls(**values_of("defense", cls, st.session_state))
        except ValueError:
            defenses[name] = cls()
    return defenses


# --- the table --------------------------------------------------------------------------------------------


def _table(work: Background[Cell], story: Story) -> None:
    if _GO in st.session_state:
        # A press reruns this fragment only; the page leaves.
        st.rerun()
    progress(work, ": the table fills while you look at it", "A defense failed; the others are below.")
    rows = _rows(work.parts)
    both = story.attacked is not None
    likely = f"how likely the classifier finds {story.labels[story.source]}"
    st.dataframe(
        rows,
        key=_TABLE,
        hide_index=True,
        width="stretch",
        height="content",
        row_height=72,
        on_select=lambda: _note_choice([row["name"] for row in rows]),
        selection_mode="single-cell",
        column_order=_COLUMNS if both else _CLEAN_COLUMNS,
        column_config={
            "attacked_picture": st.column_config.ImageColumn("Result"),
            "clean_picture": st.column_config.ImageColumn("Result"),
            "title": st.column_config.TextColumn("Defense", width=150),
            "attacked": st.column_config.TextColumn("Attacked photo"),
            "clean": st.column_config.TextColumn("Clean photo"),
            "attacked_true": st.column_config.NumberColumn("P attacked", format="%.0f %%", help=likely),
            "clean_true": st.column_config.NumberColumn("P clean", format="%.0f %%", help=likely),
            "attacked_ssim": st.column_config.NumberColumn("SSIM", format="%.3f", help="to the clean photo"),
            "clean_ssim": st.column_config.NumberColumn("SSIM", format="%.3f", help="to the clean photo"),
            "attacked_psnr": st.column_config.NumberColumn(
                "PSNR", format="%.1f dB", help="to the clean photo"
            ),
            "clean_psnr": st.column_config.NumberColumn("PSNR", format="%.1f dB", help="to the clean photo"),
            "attacked_ndcg": st.column_config.NumberColumn("nDCG", format="%.2f", help=NDCG_HELP),
            "clean_ndcg": st.column_config.NumberColumn("nDCG", format="%.2f", help=NDCG_HELP),
            "ms": st.column_config.NumberColumn("Time", format="%.0f ms", help="the defense alone"),
        },
    )
    st.caption(
        "Press a cell to step through that defense, a heading to sort. ✓ clean label, ✗ another, – rejected, "
        "~ clean label, but the classifier is or was not sure."
    )


def _rows(cells: Sequence[Cell]) -> list[dict[str, Any]]:
    """One row for each defense, its cells side by side."""
    rows: dict[str, dict[str, Any]] = {}
    for cell in cells:
        title = "no defense" if cell.defense == "none" else DEFENSES[cell.defense].title
        row = rows.setdefault(cell.defense, {"name": cell.defense, "title": title})
        row[cell.on] = f"{SIGNS[cell.outcome]} {_said(cell)}"
        row[f"{cell.on}_true"] = 100 * cell.true
        row[f"{cell.on}_ssim"] = cell.seen.ssim
        row[f"{cell.on}_psnr"] = cell.seen.psnr
        row[f"{cell.on}_ndcg"] = cell.seen.ndcg
        row[f"{cell.on}_picture"] = _address(cell)
        row["ms"] = 1000 * cell.seen.seconds
    return list(rows.values())


def _said(cell: Cell) -> str:
    if cell.seen.rejected:
        return "rejected"
    unsure = "" if cell.seen.is_sure else "perhaps "
    return f"{unsure}{cell.label} {100 * cell.probability:.0f} %"


def _address(cell: Cell) -> str:
    """The result as an address that holds the picture itself."""
    return png_address(to_png(render(Step("result", cell.seen.x, "photo"))))


def _note_choice(names: Sequence[str]) -> None:
    """Remembers which cell was pressed, for the run that follows."""
    cells = st.session_state[_TABLE]["selection"]["cells"]
    if cells:
        row, column = cells[0]
        st.session_state[_GO] = (names[row], "clean" if str(column).startswith("clean") else "attacked")


def _leave(scene: Scene) -> None:
    """To the page of the defense whose cell was pressed."""
    name, on = st.session_state.pop(_GO, (None, None))
    if name in PAGE_OF:
        st.session_state["defense"], st.session_state["on"] = name, on
        st.switch_page(PAGE_OF[name], query_params=selection.query(scene))


# --- two results ------------------------------------------------------------------------------------------


def _pair(cells: Sequence[Cell]) -> None:
    st.subheader("Two of them in detail", anchor=False)
    names = [_name(cell) for cell in cells]
    last = [number for number, cell in enumerate(cells) if cell.on == cells[-1].on]
    saved = [
        number for number in last if cells[number].outcome == "right" and cells[number].defense != "none"
    ]
    left, right = st.columns(2, gap="medium")
    kept: dict[str, Any] = {"options": names, "persist_state": "session"}
    first = left.selectbox("Left", index=last[0], key="compare_left", **kept)
    second = right.selectbox("Right", index=(saved or last)[-1], key="compare_right", **kept)
    one, other = (cells[names.index(name)] if name in names else cells[0] for name in (first, second))
    panels = [
        Step("left", one.seen.x, "photo", _name(one)),
        Step("right", other.seen.x, "photo", _name(other)),
        Step(
            "structural difference",
            structural_difference(one.seen.x, other.seen.x),
            "heat",
            "Bright where the structure of the two differs, whatever their brightness.",
            r"1 - \mathrm{SSIM}",
            empty="the two are the same picture",
        ),
    ]
    pictures = [to_png(render(step)) for step in panels[:2]]
    titles = (_name(one), _name(other))
    wipe(pictures[0], pictures[1], titles, key="compare_wipe", label="Left or right picture")
    story_viewer(panels_of(panels), key="compare_pair", side_by_side=True)


def _name(cell: Cell) -> str:
    title = "no defense" if cell.defense == "none" else DEFENSES[cell.defense].title
    return f"{title}, {cell.on} photo"
