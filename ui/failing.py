"""A finished run: who saves how many, why not the others, and the photos themselves."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import streamlit as st
from numpy.typing import NDArray

import classifiers
from attacks import ATTACKS
from defenses import DEFENSES, THREATS, Oblivious
from evaluation import runs, tally
from evaluation.causes import CAUSES, MEANINGS
from evaluation.cells import NONE
from evaluation.reading import OUTCOMES, Rows, Wanted
from evaluation.report import method_of
from evaluation.store import ROWS, SETTINGS, Run
from photos import PhotoError, Source
from photos.crop import resized_square
from story.render import to_png
from ui import attacking, link, state
from ui.calm import calmly, notice, sentence
from ui.compute import Scene, workbench
from ui.figures import SAVEABLE
from ui.places import PAGE_OF
from ui.run_figures import charts, name_of, parameter_words
from ui.run_report import report_html

_PAGE = 24
"""Photos in one page of the gallery."""
_THUMB, _GAP = 112, 8
"""Side of a thumbnail, and the gap between two on the sheet, px."""
_ACROSS = 6
"""Thumbnails in a row of the sheet."""
_GO, _MATRIX = "failures_go", "failures_matrix"
_SIGNS = {"right": "✓", "wrong": "✗", "rejected": "–", "unread": "?"}
_FAILED = ("wrong", "rejected")
_ATTACK_PAGE = "pages/attack.py"
Thumbnail = NDArray[np.uint8]
"""(_THUMB, _THUMB, 3), RGB."""
_MARKUP = re.compile(r"([\\`*_{}\[\]<>()#+!|~$:-])")


@dataclass(frozen=True, eq=False)
class Chosen:
    """A run as the page has read it.

    Attributes:
        run: where it lies.
        settings: of ``run.json``.
        rows: all of them.
        classifier: the name of the one that was used.
    """

    run: Run
    settings: Mapping[str, Any]
    rows: Rows
    classifier: str

    def name(self, kind: str, row_name: str) -> str:
        """What an attack or a defense of the rows is called on the screen."""
        return name_of(row_name, self.settings[f"{kind}s"], ATTACKS if kind == "attack" else DEFENSES)

    def cells(self, kind: str) -> list[str]:
        """The names of the attacks or defenses in the rows, "none" first."""
        return [NONE, *self.settings[f"{kind}s"]]


@st.cache_resource(max_entries=2, show_spinner="Reading the run …")
def _read(folder: Path, changed: int) -> Chosen:
    del changed
    told = runs.told_of(Run(folder))
    return Chosen(Run(folder), told["settings"], Rows.read(folder), str(told.get("classifier", "")))


@st.cache_resource(max_entries=4, show_spinner=False)
def _photos(folder: Path, changed: int) -> Source | str:
    """The run's photos, or the sentence that says why they are not there."""
    del changed
    try:
        return runs.photos_of(Run(folder))
    except ValueError as error:
        return sentence(error)
    except OSError as error:
        return f"The photos cannot be read: {error.strerror or error}."


def _changed(run: Run) -> int:
    return (run.folder / SETTINGS).stat().st_mtime_ns


def show(scene: Scene, run: Run) -> None:
    """Everything about the run."""
    with calmly():
        _leave(scene)
        chosen = _read(run.folder, (run.folder / ROWS).stat().st_mtime_ns)
        _facts(chosen)
        labels = st.multiselect(
            "Only photos of",
            chosen.rows.words("label"),
            key=f"failures_labels.{run.folder.name}",
            persist_state="session",
            placeholder="all labels",
            help="Everything below is about these photos.",
        )
        summary = _summary(run.folder, (run.folder / ROWS).stat().st_mtime_ns, tuple(labels))
        attack, defense = _matrix(chosen, summary)
        _charts(chosen, summary, attack)
        st.subheader("The photos", anchor=False)
        _gallery(chosen, summary, tuple(labels), attack, defense)


@st.cache_data(max_entries=16, show_spinner=False)
def _summary(folder: Path, changed: int, labels: tuple[str, ...]) -> dict[str, Any]:
    rows = _read(folder, changed).rows
    numbers = rows.numbers(Wanted(labels=labels))
    part = rows.table.select(tally.COLUMNS)
    return tally.summary([part.take(pa.array(numbers)) if labels else part])


def _facts(chosen: Chosen) -> None:
    st.caption(" · ".join(f"{name}: {_plain(text)}" for name, text in _fact_pairs(chosen)[:4]))


def _fact_pairs(chosen: Chosen) -> list[tuple[str, str]]:
    settings = chosen.settings
    total = min(settings["photos"], settings["limit"] or settings["photos"])
    pairs = [
        ("Photos", f"{total} of {settings['photos']}"),
        ("Classifier", chosen.classifier or settings["classifier"]),
        ("Working size", f"{settings['size']} px"),
        ("Seed", str(settings["seed"])),
        ("Target", settings["target"] or "another label at random for each photo"),
    ]
    for kind in ("attack", "defense"):
        for name, facts in settings[f"{kind}s"].items():
            registry = ATTACKS if kind == "attack" else DEFENSES
            words = parameter_words(facts["name"], facts["parameters"], registry)
            pairs.append((chosen.name(kind, name), words))
    return pairs


# --- who saves how many -------------------------------------------------------------------------------------


def _matrix(chosen: Chosen, summary: Mapping[str, Any]) -> tuple[str, str]:
    """Defenses down, attacks across, right labels inside; the attack and defense of the pressed cell."""
    rows = _matrix_rows(chosen, summary)
    attacks = chosen.cells("attack")
    table = st.dataframe(
        rows,
        key=f"{_MATRIX}.{chosen.run.folder.name}",
        hide_index=True,
        width="stretch",
        height="content",
        on_select="rerun",
        selection_mode="single-cell",
        column_config={"defense": st.column_config.TextColumn("Defense", pinned=True)}
        | {name: st.column_config.TextColumn(chosen.name("attack", name)) for name in attacks},
        alt="Share of right labels by defense and attack",
    )
    st.caption(
        "Right labels in % with their 95 % interval (Wilson). A rejected photo counts as not right. Press a "
        "cell to see its photos."
    )
    cells = table["selection"]["cells"]
    attack, defense = attacks[-1], chosen.cells("defense")[-1]
    if cells:
        row, column = cells[0]
        defense = chosen.cells("defense")[row]
        attack = column if column in attacks else attack
    return attack, defense


def _matrix_rows(chosen: Chosen, summary: Mapping[str, Any]) -> list[dict[str, str]]:
    found = {(cell["attack"], cell["defense"]): cell["accuracy"] for cell in summary["cells"]}
    return [
        {"defense": chosen.name("defense", defense)}
        | {attack: _percent(found.get((attack, defense))) for attack in chosen.cells("attack")}
        for defense in chosen.cells("defense")
    ]


def _percent(share: Mapping[str, Any] | None) -> str:
    if share is None or share["share"] is None:
        return "–"
    return f"{100 * share['share']:.1f} ({100 * share['low']:.0f} to {100 * share['high']:.0f})"


def _charts(chosen: Chosen, summary: Mapping[str, Any], attack: str) -> None:
    found = charts(summary["cells"], chosen.settings["attacks"], chosen.settings["defenses"], attack)
    for tab, (title, figure) in zip(st.tabs(list(found)), found.items(), strict=True):
        with tab:
            if title == "Outcomes and causes":
                name = _plain(chosen.name("attack", attack))
                st.caption(f"{name[:1].upper()}{name[1:]}. Press a cell above for another.")
            st.plotly_chart(figure, config=SAVEABLE, key=f"failures_chart_{title}", alt=title)
    with st.popover("What the causes mean", icon=":material/help:"):
        st.markdown("\n".join(f"* **{cause}**: {words}" for cause, words in MEANINGS.items()))
        st.caption(
            "The first that holds counts. The bounds for unsure and found are round numbers that seemed "
            "sensible, not measured ones."
        )
    if "λ and accuracy" not in found:
        st.caption(
            "λ against accuracy is drawn of a run that has a method at several λ: "
            "`--defense slgs:lam=1.5 --defense slgs:lam=2.3`"
        )


# --- the photos ---------------------------------------------------------------------------------------------


@st.fragment
def _gallery(
    chosen: Chosen, summary: Mapping[str, Any], labels: tuple[str, ...], attack: str, defense: str
) -> None:
    if _GO in st.session_state:
        # A press reruns this fragment only; the page leaves.
        st.rerun()
    with calmly():
        wanted = _wanted(chosen, labels, attack, defense)
        numbers = chosen.rows.numbers(wanted)
        _changes(chosen, wanted)
        pages = max(1, -(-len(numbers) // _PAGE))
        with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
            st.markdown(f"**{len(numbers):,}** of {len(chosen.rows):,} rows")
            # Another filter begins at its first page.
            page = st.pagination(pages, key=f"failures_page.{chosen.run.folder.name}.{hash(wanted)}")
        shown = chosen.rows.told(numbers[(page - 1) * _PAGE : page * _PAGE])
        source = _photos(chosen.run.folder, _changed(chosen.run))
        if isinstance(source, str):
            st.info(f"{_plain(source)} So there are no pictures here.", icon=":material/info:")
        pictures = [_thumbnail(source, row) for row in shown]
        _tiles(chosen, shown, pictures)
        _downloads(chosen, summary, numbers, shown, pictures, attack)


def _wanted(chosen: Chosen, labels: tuple[str, ...], attack: str, defense: str) -> Wanted:
    """The filters; attack and defense follow the pressed cell until they are chosen here."""
    run = chosen.run.folder.name
    attacks, defenses = chosen.cells("attack"), chosen.cells("defense")
    left, right, order = st.columns(3, gap="small")
    # Part of the keys, so that a press on another cell counts again.
    cell = f"{run}.{attack}.{defense}"
    attack = left.selectbox(
        "Attack",
        attacks,
        index=attacks.index(attack),
        format_func=partial(chosen.name, "attack"),
        key=f"failures_attack.{cell}",
    )
    defense = right.selectbox(
        "Defense",
        defenses,
        index=defenses.index(defense),
        format_func=partial(chosen.name, "defense"),
        key=f"failures_defense.{cell}",
    )
    surest = order.selectbox(
        "Order",
        ("Surest first", "As in the run"),
        key="failures_order",
        persist_state="session",
        help="How likely the classifier finds the label that comes out.",
    )
    left, middle, right = st.columns(3, gap="small")
    outcomes = left.pills(
        "Outcome",
        (*OUTCOMES, "unread"),
        default=_FAILED,
        selection_mode="multi",
        format_func=lambda word: f"{_SIGNS[word]} {word}",
        key="failures_outcomes",
        persist_state="session",
    )
    causes = middle.multiselect(
        "Cause",
        [cause for cause in CAUSES if cause in chosen.rows.words("cause")],
        key=f"failures_causes.{run}",
        persist_state="session",
        placeholder="any",
    )
    low, high = right.slider(
        "Probability (%)",
        0,
        100,
        (0, 100),
        key="failures_probability",
        persist_state="session",
        help="Of the label that comes out.",
    )
    return Wanted(
        attack,
        defense,
        labels,
        tuple(outcomes),
        tuple(causes),
        low / 100,
        high / 100,
        surest_first=surest == "Surest first",
    )


def _changes(chosen: Chosen, wanted: Wanted) -> None:
    """What the defense changed, among the photos of this attack."""
    if wanted.defense == NONE:
        return
    counts = chosen.rows.changes(Wanted(wanted.attack, wanted.defense, wanted.labels))
    rows = [
        {"without": words} | {outcome: counts.get((right, outcome), 0) for outcome in OUTCOMES}
        for right, words in ((True, "✓ right"), (False, "✗ wrong"))
    ]
    with_it = {
        outcome: st.column_config.NumberColumn(f"{_SIGNS[outcome]} {outcome} with it") for outcome in OUTCOMES
    }
    st.dataframe(
        rows,
        hide_index=True,
        width="stretch",
        height="content",
        column_config={"without": st.column_config.TextColumn("Without the defense")} | with_it,
        alt="Photos by what comes out without the defense and with it",
    )


def _thumbnail(source: Source | str, row: Mapping[str, Any]) -> Thumbnail | None:
    """The middle of a row's photo; None where it cannot be read, or is another one by now."""
    if isinstance(source, str) or row["sha256"] is None:
        return None
    return _small(row["sha256"], row["number"], source)


@st.cache_data(max_entries=2000, show_spinner=False)
def _small(digest: str, number: int, _source: Source) -> Thumbnail | None:
    try:
        photo = _source.read(number)
    except (ValueError, OSError):
        return None
    return resized_square(photo.pixels, _THUMB) if photo.digest == digest else None


def _tiles(chosen: Chosen, shown: Sequence[Mapping[str, Any]], pictures: Sequence[Thumbnail | None]) -> None:
    """A button with its photo for each row."""
    style = "".join(
        f".st-key-tile_{place} button{{background-image:url({_address(picture)})}}"
        for place, picture in enumerate(pictures)
        if picture is not None
    )
    if style:
        st.html(f"<style>{style}</style>")
    with st.grid(min_column_width=130, gap="small"):
        for place, row in enumerate(shown):
            with st.container(gap="xxsmall"):
                st.button(
                    _plain(_said(row)),
                    key=f"tile_{place}",
                    width="stretch",
                    help=_plain(f"{row['file']}: open it with this very attack and these parameters"),
                    on_click=_open,
                    args=(chosen, row),
                    disabled=row["outcome"] == "unread" or pictures[place] is None,
                )
                words = row["reason"] or row["cause"] or "no cause"
                st.html(
                    f"<div class=unfool-tile>is {escape(row['label'])}<small>{escape(words)}</small></div>"
                )


def _said(row: Mapping[str, Any]) -> str:
    sign = _SIGNS.get(row["outcome"], "?")
    if row["outcome"] == "unread":
        return f"{sign} unread"
    sure = "" if row["probability"] is None else f" {100 * row['probability']:.0f} %"
    return f"{sign} {row['predicted'] or 'rejected'}{sure}"


def _address(picture: Thumbnail) -> str:
    return f"data:image/png;base64,{base64.b64encode(to_png(picture)).decode()}"


def _plain(text: str) -> str:
    """``text`` with nothing in it that Markdown would take for markup."""
    return _MARKUP.sub(r"\\\1", text)


# --- one photo ----------------------------------------------------------------------------------------------


def _open(chosen: Chosen, row: Mapping[str, Any]) -> None:
    """Takes a row's photo, classifier, attack and defense into the session, for the page that shows them."""
    st.session_state[_GO] = None
    try:
        st.session_state[_GO] = _taken(chosen, row)
    except ValueError as error:
        notice(sentence(error))
    except OSError as error:
        notice(f"{row['file']} cannot be read: {error.strerror or error}.")


def _taken(chosen: Chosen, row: Mapping[str, Any]) -> str:
    """The page to go to.

    Raises:
        ValueError: the photo, or a method, is not what it was.
        OSError: the photo cannot be read.
    """
    source = _photos(chosen.run.folder, _changed(chosen.run))
    if isinstance(source, str):
        raise PhotoError(source)
    photo = source.read(row["number"])
    if photo.digest != row["sha256"]:
        raise PhotoError(f"{row['file']} is not the photo of this run any more")
    settings = chosen.settings
    attack = defense = None
    if row["attack"] != NONE:
        attack = method_of(settings["attacks"][row["attack"]], ATTACKS)
    if row["defense"] != NONE:
        defense = method_of(settings["defenses"][row["defense"]], DEFENSES)
    _take_classifier(chosen)
    workbench().own_photo = photo
    st.session_state["photo"] = link.OWN
    if attack is not None:
        state.choose_method("attack", settings["attacks"][row["attack"]]["name"], attack)
        st.session_state["target"] = row["target"] if attack.aim == "targeted" else None
        known = settings["attacks"][row["attack"]].get("threat")
        threat = Oblivious() if known is None else method_of(known, THREATS)
        state.choose_method("threat", next(iter(THREATS)) if known is None else known["name"], threat)
        attacking.want()
    st.session_state["on"] = "clean" if attack is None else "attacked"
    if defense is None:
        return _ATTACK_PAGE
    name = settings["defenses"][row["defense"]]["name"]
    state.choose_method("defense", name, defense)
    return PAGE_OF[name]


def _take_classifier(chosen: Chosen) -> None:
    """The run's classifier at its size, as far as the app has them."""
    name, size = chosen.classifier, chosen.settings["size"]
    if name in classifiers.names():
        st.session_state["classifier"] = name
    else:
        notice(
            f"The run's classifier, {name or chosen.settings['classifier']}, is not here; another one looks."
        )
        name = st.session_state["classifier"]
    here = min(max(size, link.SMALLEST), link.LARGEST)
    st.session_state[link.size_key(name)] = here
    if here != size:
        notice(f"The run was made at {size} px; the pages show {here} px, where figures differ.")


def _leave(scene: Scene) -> None:
    """To the page of the photo that was pressed."""
    page = st.session_state.pop(_GO, None)
    if page is not None:
        st.switch_page(page, query_params=state.query(scene))


# --- to take along ------------------------------------------------------------------------------------------


def _downloads(
    chosen: Chosen,
    summary: Mapping[str, Any],
    numbers: NDArray[np.int64],
    shown: Sequence[Mapping[str, Any]],
    pictures: Sequence[Thumbnail | None],
    attack: str,
) -> None:
    name = chosen.run.folder.name
    rows = partial(chosen.rows.take, numbers)
    report = partial(_report, chosen, summary, shown, pictures, attack)
    files: dict[str, tuple[Callable[[], bytes], str, str]] = {
        "Rows (CSV)": (lambda: _csv(rows()), f"{name}.csv", "text/csv"),
        "Rows (Parquet)": (lambda: _parquet(rows()), f"{name}.parquet", "application/vnd.apache.parquet"),
        "Report (HTML)": (report, f"{name}.html", "text/html"),
    }
    if any(picture is not None for picture in pictures):
        files["This page (PNG)"] = (partial(_sheet, pictures), f"{name}.png", "image/png")
    with st.container(horizontal=True, gap="small"):
        for title, (data, file, mime) in files.items():
            st.download_button(
                title, data, file_name=file, mime=mime, icon=":material/download:", on_click="ignore"
            )
    st.caption("The rows are those that the filters leave. The camera above a chart saves it as PNG.")


def _csv(rows: pa.Table) -> bytes:
    file = io.BytesIO()
    pyarrow.csv.write_csv(rows, file)
    return file.getvalue()


def _parquet(rows: pa.Table) -> bytes:
    file = io.BytesIO()
    pq.write_table(rows, file, compression="zstd")
    return file.getvalue()


def _sheet(pictures: Sequence[Thumbnail | None]) -> bytes:
    """The thumbnails side by side as a PNG file, white where there is none."""
    tiles = np.full((-(-len(pictures) // _ACROSS) * _ACROSS, _THUMB + _GAP, _THUMB + _GAP, 3), 255, np.uint8)
    for tile, picture in zip(tiles, pictures, strict=False):
        if picture is not None:
            tile[:_THUMB, :_THUMB] = picture
    side = tiles.shape[1]
    rows = tiles.reshape(-1, _ACROSS, side, side, 3).swapaxes(1, 2)
    return to_png(np.ascontiguousarray(rows.reshape(-1, _ACROSS * side, 3)))


def _report(
    chosen: Chosen,
    summary: Mapping[str, Any],
    shown: Sequence[Mapping[str, Any]],
    pictures: Sequence[Thumbnail | None],
    attack: str,
) -> bytes:
    settings = chosen.settings
    heads = {"defense": "Defense"} | {name: chosen.name("attack", name) for name in chosen.cells("attack")}
    matrix = [{heads[key]: text for key, text in row.items()} for row in _matrix_rows(chosen, summary)]
    return report_html(
        chosen.run.folder.name,
        _fact_pairs(chosen),
        {"Right labels in % (95 % interval)": matrix},
        charts(summary["cells"], settings["attacks"], settings["defenses"], attack),
        [
            (
                None if picture is None else to_png(picture),
                f"{row['label']} → {_said(row)}; {row['cause'] or 'no cause'}; {row['file']}",
            )
            for picture, row in zip(pictures, shown, strict=True)
        ],
        "Photos",
    ).encode()
