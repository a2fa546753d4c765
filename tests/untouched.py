"""Whether a method has left a model as it was."""

import torch


def condition(model):
    """All of a model that a method could leave changed."""
    hooks = [name for name in vars(model) if name.endswith("_hooks")]
    assert "_forward_hooks" in hooks
    return {
        "weights": {key: value.clone() for key, value in model.state_dict().items()},
        "buffers": {key: value.clone() for key, value in model.named_buffers()},
        "training": [module.training for module in model.modules()],
        "asks for gradients": [weight.requires_grad for weight in model.parameters()],
        "gradients": [weight.grad for weight in model.parameters()],
        "hooks": [len(getattr(module, name)) for module in model.modules() for name in hooks],
    }


def assert_same(before, after):
    for part in before:
        if isinstance(before[part], dict):
            assert before[part].keys() == after[part].keys()
            assert all(torch.equal(value, after[part][key]) for key, value in before[part].items()), part
        else:
            assert before[part] == after[part], part
