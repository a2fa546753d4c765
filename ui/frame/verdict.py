"""What the classifier says, as text with bars: the same words, icons and colours on every page."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from classifiers import Prediction
from evaluation.one_photo.story import Seen, Story
from story.render import ATTACKED, CLEAN, DEFENDED, NEUTRAL, TARGET_COLOUR, TRUE_COLOUR

NDCG_HELP = (
    "How much of the clean photo's ranking of labels is left: 1 if the labels that it is sure of, those that "
    "together have 90 % of its probability, come first in the same order, near 0 if they come last"
)
"""What nDCG is, wherever it is shown."""
SIGNS = {"right": "✓", "wrong": "✗", "rejected": "–", "unsure": "~", "left out": "·", "unread": "?"}
"""Outcome of one photo among many -> the sign before it."""
NOT_SURE = "Not sure: perhaps"
"""Stands before a label that is not likely enough for its classifier."""
UNSURE_THEN, UNSURE_NOW = "same answer, but it was not sure", "same answer, but not sure"
"""Instead of "restored" or "kept": where the classifier was not sure of the clean photo, and where it no
longer is."""
_RIGHT, _WRONG, _UNDECIDED, _ARROW = "check_circle", "cancel", "do_not_disturb_on", "arrow_forward"


@dataclass(frozen=True)
class Stage:
    """One picture on the way: clean, attacked or defended.

    Attributes:
        title: which one.
        label: what the classifier says.
        probability: of that label; None where no label is accepted.
        colour: of the stage.
        effect: what became of the label, in a word or two; empty where nothing has happened yet.
        good: whether that is what the visitor hopes for; None where nothing was decided.
        ndcg: likeness of the ranking to the clean photo's; None for the clean photo.
        is_sure: whether the probability is high enough for the classifier.
    """

    title: str
    label: str
    probability: float | None
    colour: str
    effect: str = ""
    good: bool | None = True
    ndcg: float | None = None
    is_sure: bool = True


def percent(share: float) -> str:
    """``share`` as a reader wants it: never 0 % or 100 % where it is not quite."""
    if 0 < share < 0.005:
        return "< 1 %"
    if 0.995 <= share < 1:
        return "> 99 %"
    return f"{100 * share:.0f} %"


def adversary(story: Story) -> int | None:
    """Number of the label that the attack is for: its target, else whatever it made the classifier say."""
    if story.target is not None:
        return story.target
    wanted = None if story.attack is None else story.attack.target_label
    if wanted in story.labels:
        return story.labels.index(wanted)
    if story.attacked is not None and story.attacked.label != story.source:
        return story.attacked.label
    return None


def stages(story: Story) -> list[Stage]:
    """The verdict on each picture of the story, in its order.

    Where the classifier was not sure of the clean photo, there is nothing that an attack left alone or a
    defense restored: the answer is the same or another one.
    """
    line = [_stage("Clean", story.clean, CLEAN)]
    if story.attacked is not None:
        line.append(_stage("Attacked", story.attacked, ATTACKED, *_attacked(story, story.attacked)))
    if story.defended is not None:
        line.append(_stage("Defended", story.defended, DEFENDED, *_defended(story, story.defended)))
    return line


def _stage(title: str, seen: Seen, colour: str, effect: str = "", good: bool | None = True) -> Stage:
    if seen.rejected:
        return Stage(title, " · ".join(seen.votes), None, colour, effect, good, seen.ndcg)
    first = seen.top[0]
    return Stage(title, first.label, first.probability, colour, effect, good, seen.ndcg, seen.is_sure)


def _attacked(story: Story, attacked: Seen) -> tuple[str, bool | None]:
    """What the attack did in a word or two, and whether that is good."""
    if attacked.label == story.source:
        return _same(attacked, story.source, "not fooled")
    targeted = story.attack is not None and story.attack.aim == "targeted"
    missed = targeted and attacked.label != story.target
    return "fooled, target missed" if missed else "fooled", False


def _defended(story: Story, defended: Seen) -> tuple[str, bool | None]:
    """What the defense did in a word or two, and whether that is good."""
    was_fooled = story.attacked is not None and story.attacked.label != story.source
    if defended.rejected:
        return "rejected", None
    if story.threat.knows and story.success:
        return "fooled", False
    if story.restored:
        return _same(defended, story.source, "restored" if was_fooled else "kept")
    if not defended.was_sure:
        return "another answer", False
    return "not restored" if was_fooled and not story.threat.knows else "lost", False


def _same(seen: Seen, source: int, word: str) -> tuple[str, bool | None]:
    """``word``, and that it is good, where the classifier is sure of the clean label, before and now."""
    answer = seen.answer(source)
    if answer == "same":
        return word, True
    return UNSURE_THEN if answer == "same, unsure before" else UNSURE_NOW, None


def verdict_html(line: Sequence[Stage]) -> str:
    """The stages as cards with arrows between them."""
    cards = [_card(stage) for stage in line]
    arrow = f'<span class="unfool-arrow" aria-hidden="true">{_icon(_ARROW)}</span>'
    return f'<div class="unfool-verdict" role="status">{arrow.join(cards)}</div>'


def _card(stage: Stage) -> str:
    effect = _effect(stage.effect, stage.good) if stage.effect else ""
    sure = (
        ""
        if stage.probability is None
        else f' <span class="unfool-number">{percent(stage.probability)}</span>'
    )
    unsure = "" if stage.is_sure else f'<span class="unfool-unsure">{NOT_SURE}</span> '
    return (
        f'<div class="unfool-stage" style="--meaning:{stage.colour}"><div class="unfool-stage-head">'
        f'<span class="unfool-stage-title">{html.escape(stage.title)}</span>{effect}</div>'
        f'<div class="unfool-stage-label">{unsure}{html.escape(stage.label)}'
        f"{sure}</div>{_ranking(stage.ndcg)}</div>"
    )


def _ranking(ndcg: float | None) -> str:
    """The nDCG, which says what it is when it is pressed; empty where there is none."""
    if ndcg is None:
        return ""
    return (
        '<details class="unfool-ranking"><summary>nDCG '
        f'<span class="unfool-number">{ndcg:.2f}</span></summary>{html.escape(NDCG_HELP)}.</details>'
    )


def _effect(text: str, good: bool | None) -> str:
    kind = {True: "good", False: "bad", None: "open"}[good]
    icon = _icon({True: _RIGHT, False: _WRONG, None: _UNDECIDED}[good])
    return f'<span class="unfool-outcome unfool-{kind}">{icon}{html.escape(text)}</span>'


def _icon(name: str) -> str:
    # Drawn by the style sheet, so that the icon's name is in no text that is read or copied.
    return f'<span class="unfool-icon" aria-hidden="true" data-icon="{name}"></span>'


def tally_html(story: Story) -> str:
    """Who voted for what, and what came of it; empty for a defense that does not vote."""
    defended = story.defended
    if defended is None or defended.outcome is None:
        return ""
    voters = [step.name for step in story.steps][: len(defended.votes)]
    rows = "".join(
        f"<li><span>{html.escape(voter)}</span> <strong>{html.escape(vote)}</strong></li>"
        for voter, vote in zip(voters, defended.votes, strict=True)
    )
    if defended.rejected:
        came = _effect("rejected: no label has enough votes", good=None)
    else:
        good = {"same": True, "another": False}.get(defended.answer(story.source))
        came = _effect(f"accepted: {defended.top[0].label}", good=good)
    return f'<ol class="unfool-tally">{rows}</ol><p>{came}</p>'


def badge_html(story: Story) -> str:
    """Whether the attack outlives a saved PNG, by icon and word; empty where it fooled nobody."""
    if not story.success:
        return ""
    if story.success_8bit:
        return f'<p class="unfool-badge">{_icon(_RIGHT)}survives 8-bit rounding</p>'
    return f'<p class="unfool-badge">{_icon(_WRONG)}lost when saved as PNG</p>'


def meanings(story: Story) -> dict[str, tuple[str, str]]:
    """Label -> (colour, word) of the labels that mean something in this story."""
    colours = {story.labels[story.source]: (TRUE_COLOUR, "clean label")}
    against = adversary(story)
    if against is not None and against != story.source:
        wanted = None if story.attack is None else story.attack.target_label
        meant = against == story.target or story.labels[against] == wanted
        word = "target" if meant else "attack's label"
        colours[story.labels[against]] = (TARGET_COLOUR, word)
    return colours


def bars_html(title: str, top: Sequence[Prediction], meaning: Mapping[str, tuple[str, str]]) -> str:
    """The likeliest labels as bars with numbers; those with a meaning in its colour and with its word."""
    rows = []
    for line in top:
        colour, word = meaning.get(line.label, (NEUTRAL, ""))
        tag = f' <span class="unfool-word">{html.escape(word)}</span>' if word else ""
        rows.append(
            f'<li style="--meaning:{colour}"><span class="unfool-name">{html.escape(line.label)}{tag}</span>'
            f'<span class="unfool-number">{percent(line.probability)}</span>'
            '<span class="unfool-track">'
            f'<span class="unfool-bar" style="width:{100 * line.probability:.2f}%"></span></span></li>'
        )
    return f'<div class="unfool-bars"><h4>{html.escape(title)}</h4><ol>{"".join(rows)}</ol></div>'
