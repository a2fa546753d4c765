"""What a move of a slider costs the server in all, in passes of the classifier."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from attacks import ATTACKS
from bench.interleaved import Entrant, race
from bench.setting import Found, Setting
from classifiers.base import Classifier
from defenses import DEFENSES, LGS, WLGS, Defense, Looking, PixelDeflection
from evaluation.one_photo.adversarial_score import read_suspicion
from evaluation.one_photo.story import Story
from evaluation.one_photo.sweep import values_over
from photos import gallery_photo
from ui.browser import panels_of, story_parcel
from ui.charts.gradient_smoothing import ribbon_figure
from ui.defense.adversarial_score import gauge_html, scores
from ui.defense.gazes import gazes_of
from ui.defense.gradient_smoothing import ribbon_of, strength_of
from ui.defense.pixel_deflection import views
from ui.frame.parameter_widgets import MOST_SLIDER_STOPS
from ui.frame.verdict import adversary, stages, verdict_html
from ui.session.scene import Attempt, Scene
from ui.session.workbench import Workbench

PART = "moves"
OURS = "Unfool"
PASS = ("the classifier", "one pass")
_SHIFT = 1e-4
"""How far a slider goes each time that is moved off its places, so that nothing is remembered."""
PHOTO = "chelsea"


@dataclass(frozen=True, eq=False)
class Page:
    """A visitor's page with one defense on it, without Streamlit around it.

    Attributes:
        bench: what the visit has computed.
        scene: the photo and the classifier.
        attempt: the attack on it.
    """

    bench: Workbench
    scene: Scene
    attempt: Attempt

    def story(self, defense: Defense) -> Story:
        """The defense at work, and the verdicts."""
        return self.bench.story(self.scene, self.attempt, defense)

    def pictures(self, story: Story) -> bytes:
        """All steps as the browser gets them."""
        return story_parcel(panels_of(story.steps), key="defense_story", start_step="result")

    def beside(self, story: Story) -> list[object]:
        """Verdict, adversarial score, λ-ribbon, gazes: all but the steps, and what one page alone has."""
        suspicion = read_suspicion(self.scene.classifier)
        drawn: list[object] = [
            verdict_html(stages(story)),
            gauge_html(scores(self.bench, self.scene, story, suspicion), suspicion.alarm_from),
        ]
        if isinstance(story.defense, LGS):
            ribbon = ribbon_of(self.bench, self.scene, self.attempt, story)
            lam = strength_of(self.bench, self.scene, story)
            figure = ribbon_figure(ribbon, lam, story.labels, story.source, adversary(story))
            drawn.append(figure.to_json())
        if isinstance(story.defense, Looking):
            drawn.append(gazes_of(self.bench, self.scene, story))
        return drawn

    def inside(self, story: Story) -> list[object]:
        """What is below the steps of Pixel Deflection; its table waits for a button."""
        seen = views(self.bench, self.scene, self.attempt, story)
        coefficients = panels_of(seen.inside.coefficients)
        return [
            seen.distribution.to_json(),
            story_parcel(coefficients, key="coefficients", side_by_side=True),
        ]

    def whole(self, defense: Defense) -> list[object]:
        """Everything."""
        story = self.story(defense)
        drawn: list[object] = [self.pictures(story), self.beside(story)]
        return [*drawn, self.inside(story)] if isinstance(defense, PixelDeflection) else drawn


def first_page(model: Classifier) -> Page:
    """The cat, of which all earlier figures are too, under the attack of the first visit."""
    name = next(iter(ATTACKS))
    scene = Scene(gallery_photo(PHOTO), model.working_size, model)
    return Page(Workbench(), scene, Attempt(name, ATTACKS[name]().fitted(model), None))


def moves() -> dict[str, Callable[[int], Defense]]:
    """Slider -> the defense after so many moves of it, each time at another place than the last."""
    stronger: dict[str, Callable[[int], Defense]] = {
        f"λ of {name}": partial(_stronger, name) for name in ("lgs", "slgs", "wlgs")
    }
    return {
        **stronger,
        "λ of wlgs between the slider's places": lambda number: WLGS(lam=2 + _SHIFT * number),
        "deflections of pixel-deflection": _more_moved,
        "σ of pixel-deflection": lambda number: PixelDeflection(sigma=0.04 + _SHIFT * number),
    }


def _stronger(name: str, number: int) -> Defense:
    """One place further, where the ribbon has been before; from the end back to the beginning."""
    stops = values_over(DEFENSES[name].parameter("lam"), MOST_SLIDER_STOPS)
    return DEFENSES[name](**{"lam": stops[number % len(stops)]})


def _more_moved(number: int) -> Defense:
    """200 pixels and more, with other draws where the slider begins anew."""
    turn, stop = divmod(number, 181)
    return PixelDeflection(deflections=200 + 10 * stop, seed=turn)


def moving(
    setting: Setting, sliders: Mapping[str, Callable[[int], Defense]] | None = None
) -> Iterator[Found]:
    """Rows of every slider: the whole move and its stages, over one pass of the classifier.

    ``sliders`` are those of ``moves()`` that are wanted; None for all.
    """
    for slider, moved in (moves() if sliders is None else sliders).items():
        entrants = entrants_of(first_page(setting.classifier), moved)
        yield from race(PART, slider, 1, entrants, setting.clock, seconds=setting.seconds)


def entrants_of(page: Page, moved: Callable[[int], Defense]) -> list[Entrant]:
    """One pass of the classifier, the whole move, and its stages on the story of a move of their own."""
    numbers = itertools.count()
    x, model = page.story(moved(next(numbers))).clean.x, page.scene.classifier
    latest: list[Story] = []

    @torch.no_grad()
    def one_pass() -> Tensor:
        return model(x)

    def another() -> None:
        latest[:] = [page.story(moved(next(numbers)))]

    stages: dict[str, Callable[[Story], object]] = {"pictures": page.pictures, "beside": page.beside}
    if isinstance(moved(0), PixelDeflection):
        stages["inside"] = page.inside
    return [
        Entrant(PASS[0], one_pass, PASS[1]),
        Entrant(OURS, lambda: page.whole(moved(next(numbers))), over=PASS),
        Entrant(OURS, lambda: page.story(moved(next(numbers))), "story", PASS),
        *(
            Entrant(OURS, partial(_of_latest, latest, draw), stage, PASS, before=another)
            for stage, draw in stages.items()
        ),
    ]


def _of_latest(latest: list[Story], draw: Callable[[Story], object]) -> object:
    return draw(latest[0])
