"""The formulas that a defense shows, and the settings that change them."""

from tests.every_parameter import ends, variants


def formulas(defense, x, model):
    """Name of the step -> its formula, in the order of the steps."""
    return {step.name: step.formula for step in defense.steps(x, model)}


def changes(cls, x, model):
    """(field, value) -> the formulas that are others than at the defaults; None for a step that is not there.

    Over every choice and switch, and every number at either end of its range; those that change nothing are
    left out.
    """
    usual, changed = formulas(cls(), x, model), {}
    for options in (*variants(cls), *ends(cls)):
        for field in options.items():
            shown = formulas(cls(**options), x, model)
            others = {name: shown.get(name) for name in usual | shown if shown.get(name) != usual.get(name)}
            if others:
                changed[field] = others
    return changed
