"""The charts of a run of many photos, without Streamlit: its summary in, a Plotly figure out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from attacks import ATTACKS
from defenses import DEFENSES, THREATS
from evaluation.many_photos.causes import ATTACK_FAILED, CAUSES
from evaluation.many_photos.columns import NONE
from evaluation.many_photos.summary import CellSummary
from evaluation.measures.intervals import Share
from story.param import SYMBOLS
from story.render import DEFENDED, NEUTRAL, SERIES
from ui.charts.axes import FONT, axes

Cells = Sequence[CellSummary]
Methods = Mapping[str, Mapping[str, Any]]
"""Name in the rows -> ``evaluation.one_photo.report.method_facts``."""
_CAUSE_COLOURS = tuple(colour for colour in SERIES if colour != DEFENDED)
_PATTERNS = ("", "/", "x")
"""Of bars beyond the colours, as many as all causes need."""
_DASHES = ("solid", "dash", "dot", "dashdot")
_BAR, _LINE = 34, 24
"""Heights of a bar with its gap, and of a line of the legend, px; on a phone each entry takes a line."""
_SHORT = 4
"""Letters of a name that is an abbreviation."""


def name_of(row_name: str, methods: Methods, registry: Mapping[str, Any]) -> str:
    """What a method of the rows is called on the screen, with what tells it from others of its kind."""
    if row_name not in methods:
        return "no attack" if registry is ATTACKS else "no defense"
    name = methods[row_name]["name"]
    if name not in registry:
        title = row_name
    else:
        title = name.upper() if len(name) <= _SHORT else registry[name].title
    threat = methods[row_name].get("threat")
    if threat is not None:
        title = f"{title}, {THREATS[threat['name']].title if threat['name'] in THREATS else threat['name']}"
    same = [other for other in methods.values() if other["name"] == name and other.get("threat") == threat]
    if len(same) == 1:
        return title
    own = methods[row_name]["parameters"]
    differing = {
        key: value
        for key, value in own.items()
        if any(other["parameters"].get(key) != value for other in same)
    }
    return f"{title}, {parameter_words(name, differing, registry)}"


def parameter_words(name: str, values: Mapping[str, Any], registry: Mapping[str, Any]) -> str:
    """Parameters of the method ``name`` in the unit of the screen: "λ 2.3, block 15"."""
    parameters = (
        {parameter.name: parameter for parameter in registry[name].parameters()} if name in registry else {}
    )
    return ", ".join(
        f"{SYMBOLS.get(key, key)} {parameters[key].show(value) if key in parameters else value}"
        for key, value in values.items()
    )


def cause_figure(cells: Cells, defenses: Methods) -> go.Figure:
    """What became of the photos behind each defense, for the cells of one attack: shares, stacked."""
    met = [cause for cause in CAUSES if any(cause in cell.causes for cell in cells)]
    # That the attack failed explains why a label is right; every other cause, why it is not.
    kept = [cell.causes.get(ATTACK_FAILED, 0) for cell in cells]
    parts = {"right": [cell.outcomes["right"] - less for cell, less in zip(cells, kept, strict=True)]}
    for cause in met:
        title = f"right, {cause}" if cause == ATTACK_FAILED else cause
        parts[title] = [cell.causes.get(cause, 0) for cell in cells]
    rows = [name_of(cell.defense, defenses, DEFENSES) for cell in cells]
    figure = go.Figure()
    for number, (part, counts) in enumerate(parts.items()):
        beyond, shade = divmod(number - 1, len(_CAUSE_COLOURS))
        figure.add_bar(
            y=rows,
            x=[count / max(1, cell.photos) for count, cell in zip(counts, cells, strict=True)],
            customdata=counts,
            name=part,
            orientation="h",
            marker={
                "color": _CAUSE_COLOURS[shade] if number else DEFENDED,
                "pattern": {"shape": _PATTERNS[beyond] if number else ""},
            },
            hovertemplate="%{x:.1%}, %{customdata} photos",
        )
    figure = axes(figure, 90 + _BAR * len(rows) + _LINE * len(parts))
    figure.update_layout(barmode="stack", hovermode="y unified", legend={"traceorder": "normal"})
    figure.update_layout(margin={"r": 24})
    figure.update_xaxes(range=[0, 1], tickformat=".0%", tickvals=[0, 0.5, 1], tickangle=0, title="photos")
    figure.update_yaxes(range=None, tickvals=None, autorange="reversed", tickformat="")
    return figure


def strength_figure(cells: Cells, attacks: Methods, defenses: Methods) -> go.Figure | None:
    """Accuracy over λ, a line for each method and attack; None where no method was run at several λ.

    Source: You-Wei and Sheng-De 2022, figure 5.
    """
    lines: dict[tuple[str, str], list[tuple[float, Share]]] = {}
    for cell in cells:
        facts = defenses.get(cell.defense)
        lam = None if facts is None else facts["parameters"].get(_strength_name(facts))
        if facts is not None and lam is not None and cell.accuracy.share is not None:
            lines.setdefault((_kind(facts), cell.attack), []).append((lam, cell.accuracy))
    lines = {key: line for key, line in lines.items() if len({lam for lam, _ in line}) > 1}
    if not lines:
        return None
    kinds = list(dict.fromkeys(kind for kind, _ in lines))
    against = list(dict.fromkeys(attack for _, attack in lines))
    figure = go.Figure()
    for (kind, attack), points in lines.items():
        points.sort(key=lambda point: point[0])
        figure.add_scatter(
            x=[lam for lam, _ in points],
            y=[share.share for _, share in points],
            error_y=_interval([share for _, share in points]),
            name=f"{kind}, {name_of(attack, attacks, ATTACKS)}",
            mode="lines+markers",
            line={
                "color": SERIES[kinds.index(kind) % len(SERIES)],
                "width": 3,
                "dash": _DASHES[against.index(attack) % len(_DASHES)],
            },
            hovertemplate="%{y:.1%}",
        )
    figure.update_xaxes(title="λ")
    figure = axes(figure, 320 + _LINE * len(lines))
    figure.update_yaxes(title="right labels")
    return figure


def _kind(facts: Mapping[str, Any]) -> str:
    """A defense by its name and whatever differs from the defaults, λ left out."""
    cls = DEFENSES.get(facts["name"])
    defaults = {} if cls is None else {parameter.name: parameter.default for parameter in cls.parameters()}
    own = {key: value for key, value in facts["parameters"].items() if key != _strength_name(facts)}
    differing = {key: value for key, value in own.items() if defaults.get(key) != value}
    name = facts["name"].upper() if len(facts["name"]) <= _SHORT else facts["name"]
    return f"{name}, {parameter_words(facts['name'], differing, DEFENSES)}" if differing else name


def _strength_name(facts: Mapping[str, Any]) -> str:
    cls = DEFENSES.get(facts["name"])
    return "" if cls is None else cls.strength_name


def threat_figure(cells: Cells, attacks: Methods, defenses: Methods) -> go.Figure | None:
    """How many photos come out wrong by defense, a bar for each attack under each threat; None without one.

    Of the photos that are right without attack and defense; a rejected one is not fooled.

    Source: You-Wei and Sheng-De 2022, figure 10.
    """
    knowing = [(facts["name"], facts["parameters"]) for facts in attacks.values() if "threat" in facts]
    made = [name for name, facts in attacks.items() if (facts["name"], facts["parameters"]) in knowing]
    judged = [cell for cell in cells if cell.defense != NONE and cell.attack in made]
    shares = {(cell.attack, cell.defense): cell.fooled for cell in judged}
    return _share_bars(shares, attacks, defenses, "photos that come out wrong")


def reached_figure(cells: Cells, attacks: Methods, defenses: Methods) -> go.Figure | None:
    """How many attacked photos come out as the attack's label, a bar for each attack that is after one.

    None without such an attack.
    """
    shares = {(cell.attack, cell.defense): cell.reached for cell in cells if cell.attack != NONE}
    return _share_bars(shares, attacks, defenses, "photos that come out as the attack's label")


def _share_bars(
    shares: Mapping[tuple[str, str], Share], attacks: Methods, defenses: Methods, title: str
) -> go.Figure | None:
    """Shares by (attack, defense) with their intervals, a bar for each; None where no photo was counted."""
    shares = {cell: share for cell, share in shares.items() if share.share is not None}
    if not shares:
        return None
    figure = go.Figure()
    made = list(dict.fromkeys(attack for attack, _ in shares))
    for number, attack in enumerate(made):
        mine = {defense: share for (by, defense), share in shares.items() if by == attack}
        figure.add_bar(
            y=[name_of(defense, defenses, DEFENSES) for defense in mine],
            x=[share.share for share in mine.values()],
            name=name_of(attack, attacks, ATTACKS),
            orientation="h",
            marker={"color": SERIES[number % len(SERIES)]},
            error_x=_interval(list(mine.values())),
            hovertemplate="%{x:.1%}",
        )
    rows = len({defense for _, defense in shares})
    figure = axes(figure, 90 + _BAR * rows * len(made) + _LINE * len(made))
    figure.update_layout(barmode="group", hovermode="y unified", legend={"traceorder": "normal"})
    figure.update_xaxes(range=[0, 1], tickformat=".0%", title=title)
    figure.update_yaxes(range=None, tickvals=None, autorange="reversed", tickformat="")
    return figure


def _interval(shares: Sequence[Share]) -> dict[str, Any]:
    """The 95 % interval of each share, as Plotly draws it."""
    return {
        "type": "data",
        "symmetric": False,
        "array": [share.high - (share.share or 0) for share in shares],
        "arrayminus": [(share.share or 0) - share.low for share in shares],
        "thickness": 1.5,
    }


def likeness_figure(cells: Cells, defenses: Methods) -> go.Figure | None:
    """Mean SSIM of the defended clean photos to the clean ones, a bar for each defense.

    Source: You-Wei and Sheng-De 2022, the figures around figure 6.
    """
    return _bars(cells, defenses, "ssim", "mean SSIM to the clean photo", "%{x:.3f}")


def time_figure(cells: Cells, defenses: Methods) -> go.Figure | None:
    """Milliseconds per photo, a bar for each defense, over a logarithmic axis.

    Source: You-Wei and Sheng-De 2022, figure 9.
    """
    figure = _bars(cells, defenses, "milliseconds", "ms per photo", "%{x:.3g} ms")
    if figure is not None:
        figure.update_xaxes(type="log", range=None, autorange=True, dtick=1)
    return figure


def _bars(cells: Cells, defenses: Methods, figure_name: str, words: str, shown: str) -> go.Figure | None:
    """A bar for each defense on the clean photos; None where there are no figures."""
    shown_cells = [
        cell
        for cell in cells
        if cell.attack == NONE and cell.defense != NONE and getattr(cell, figure_name).mean is not None
    ]
    if not shown_cells:
        return None
    figure = go.Figure()
    figure.add_bar(
        y=[name_of(cell.defense, defenses, DEFENSES) for cell in shown_cells],
        x=[getattr(cell, figure_name).mean for cell in shown_cells],
        orientation="h",
        marker={"color": NEUTRAL},
        texttemplate=shown,
        textfont={"size": FONT},
        textposition="auto",
        hovertemplate=f"{shown}<extra></extra>",
    )
    figure = axes(figure, 90 + _BAR * len(shown_cells))
    figure.update_layout(showlegend=False, hovermode="closest")
    figure.update_xaxes(title=words)
    figure.update_yaxes(range=None, tickvals=None, autorange="reversed", tickformat="")
    return figure


def charts(cells: Cells, attacks: Methods, defenses: Methods, attack: str) -> dict[str, go.Figure]:
    """Every chart that the cells have figures for, by its title; ``attack`` is that of the first."""
    figures = {
        "Outcomes and causes": cause_figure([cell for cell in cells if cell.attack == attack], defenses),
        "λ and accuracy": strength_figure(cells, attacks, defenses),
        "Success under threats": threat_figure(cells, attacks, defenses),
        "The attack's label": reached_figure(cells, attacks, defenses),
        "SSIM": likeness_figure(cells, defenses),
        "Time": time_figure(cells, defenses),
    }
    return {title: figure for title, figure in figures.items() if figure is not None}
