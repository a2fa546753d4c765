"""A folder of photos whose labels are what the small classifier says of them."""

from pathlib import Path

import pytest
import torch
from PIL import Image

from photos.folder import open_photo


@pytest.fixture
def labelled_folder(tmp_path, tiny_classifier) -> Path:
    """Twelve photos of blobs, 64 px, in ``folder/<label>/<number>.jpg``."""
    generator = torch.Generator().manual_seed(0)
    for number in range(12):
        coarse = torch.randint(0, 256, (5, 5, 3), generator=generator).byte().numpy()
        file = tmp_path / f"{number}.jpg"
        Image.fromarray(coarse).resize((64, 64), Image.Resampling.BICUBIC).save(file)
        label = tiny_classifier.labels[int(tiny_classifier(open_photo(file).working(64)).argmax())]
        (tmp_path / label).mkdir(exist_ok=True)
        file.rename(tmp_path / label / file.name)
    return tmp_path
