"""Fine-tuning on iNaturalist- and Places-shaped sets, at the model's size and at twice that."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from hiera_cli.checkpoints.open import open_model, save_model
from hiera_cli.checkpoints.preprocessing import Preprocessing
from hiera_cli.errors import WeightsError
from hiera_cli.model.hiera import Hiera
from hiera_cli.model.window_positions import tile_positions
from hiera_cli.training.finetune import finetune
from hiera_cli.training.initial import at_size, open_pretrained
from hiera_cli.training.options import FinetuneOptions, RunOptions
from hiera_cli.training.recipe import FinetuneChanges
from hiera_cli.training.records import Epoch, Step
from tests.configs import tiny_image

CHANGES = FinetuneChanges(epochs=1, batch_size=4)


def draw(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 255, (80, 100, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)


def inaturalist(root: Path) -> Path:
    """Two species, two pictures each."""
    for split in ("train", "val"):
        images, labels = [], []
        for number in range(4):
            name = f"train_val2018/Aves/{number % 2}/{split}{number}.jpg"
            draw(root / name, number)
            images.append({"id": number, "file_name": name})
            labels.append({"id": number, "image_id": number, "category_id": number % 2})
        species = [{"id": 0, "name": "Passer"}, {"id": 1, "name": "Turdus"}]
        content = {"images": images, "annotations": labels, "categories": species}
        (root / f"{split}2018.json").write_text(json.dumps(content))
    return root


def places(root: Path) -> Path:
    """Two places, two pictures each."""
    rows = [f"/{name[0]}/{name}/{n}.jpg {k}" for n in range(2) for k, name in enumerate(PLACES)]
    for number, row in enumerate(rows):
        draw(root / "data_256_standard" / row.split()[0][1:], number)
        draw(root / "val_256" / f"Places365_val_{number}.jpg", number)
    held_out = [f"Places365_val_{n}.jpg {row.split()[1]}" for n, row in enumerate(rows)]
    for name, lines in (
        ("places365_train_standard.txt", rows),
        ("places365_val.txt", held_out),
        ("categories_places365.txt", ["/a/abbey 0", "/z/zoo 1"]),
    ):
        (root / name).write_text("\n".join(lines))
    return root


PLACES = ("abbey", "zoo")


@pytest.fixture
def pretrained(tmp_path: Path) -> str:
    """A model folder with weights of ten other classes, at 64 pixels."""
    config = tiny_image(64, num_classes=10)
    torch.manual_seed(0)
    model = Hiera(config)
    torch.nn.init.normal_(model.pos_embed)
    folder = tmp_path / "pretrained"
    save_model(folder, model, labels=tuple(map(str, range(10))),
               preprocessing=Preprocessing.for_config(config), extra={})  # fmt: skip
    return str(folder)


@pytest.mark.parametrize("write", [inaturalist, places])
@pytest.mark.parametrize("size", [None, 128])
def test_a_step_of_training(tmp_path: Path, pretrained: str, write, size: int | None) -> None:  # type: ignore[no-untyped-def]
    data = str(write(tmp_path / "data"))
    options = FinetuneOptions(data=data, model=pretrained, recipe="transfer", head_start="none")
    run = RunOptions(out=tmp_path / "run", workers=0, device="cpu")
    records = list(finetune(options, run, changes=CHANGES, size=size))
    (step,) = (record for record in records if isinstance(record, Step))
    assert (step.num_clips, step.num_failed) == (4, 0)
    (epoch,) = (record for record in records if isinstance(record, Epoch))
    assert epoch.validation is not None
    opened = open_model(str(run.out))
    expected = size or 64
    assert opened.model.config.input_size == (expected, expected)
    assert (opened.preprocessing.crop_size, opened.preprocessing.short_side) == (
        expected, round(expected * 256 / 224),
    )  # fmt: skip
    assert opened.labels == (("Passer", "Turdus") if write is inaturalist else PLACES)
    settings = torch.load(run.out / "last" / "training_state.pt")["settings"]
    assert (settings["recipe"], settings["layer_decay"]) == ("transfer", 0.9)


def test_positions_come_along_at_another_size(pretrained: str) -> None:
    initial = open_pretrained(pretrained)
    larger = at_size(initial, 128)
    assert initial.weights is not None
    assert larger.weights is not None
    assert larger.config.input_size == (128, 128)
    expected = tile_positions(initial.weights, initial.config, larger.config)["pos_embed"]
    assert torch.equal(larger.weights["pos_embed"], expected)
    assert expected.shape == (1, 32 * 32, 8)
    assert at_size(initial, 64) is at_size(initial, None) is initial
    with pytest.raises(WeightsError, match="whole mask units"):
        at_size(initial, 100)
