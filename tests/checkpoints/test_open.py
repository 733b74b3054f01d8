import json
import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from hiera_cli.checkpoints import open as weights
from hiera_cli.checkpoints.open import load_model, open_model, save_model
from hiera_cli.checkpoints.preprocessing import Preprocessing
from hiera_cli.checkpoints.transfer import file_sha256
from hiera_cli.errors import OutputError, UsageError, WeightsError
from hiera_cli.model.hiera import Hiera
from tests.checkpoints.conftest import set_sources
from tests.checkpoints.server import serving
from tests.configs import tiny_video
from tests.parity.official import (
    ARCHITECTURES,
    enliven,
    official_autoencoder,
    official_hiera,
)

SMALL = tiny_video(64, embed_dim=16, num_classes=3)
LABELS = ("pan left", "tilt up", "zoom in")
TINY = "hiera_tiny_224"


def ascii_id(name: str) -> str:
    return ascii(name[:9])


@pytest.fixture
def small() -> Hiera:
    torch.manual_seed(0)
    model = Hiera(SMALL).eval()
    enliven(model, seed=0)
    return model


@pytest.fixture
def folder(tmp_path: Path, small: Hiera) -> Path:
    preprocessing = Preprocessing.for_config(SMALL)
    save_model(
        tmp_path / "m", small, labels=LABELS, preprocessing=preprocessing, extra={"name": "moves"}
    )
    return tmp_path / "m"


@pytest.fixture(scope="module")
def official(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An official-layout hiera_tiny_224.pth: 28 M lively weights and more."""
    model = official_hiera(**ARCHITECTURES[TINY])
    enliven(model, seed=1)
    path = tmp_path_factory.mktemp("official") / f"{TINY}.pth"
    torch.save({"model_state": model.state_dict(), "epoch": 299, "optimizer_state": {}}, path)
    return path


@pytest.fixture(scope="module")
def autoencoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    model = official_autoencoder(**ARCHITECTURES[TINY], q_pool=2, decoder_depth=1)
    enliven(model, seed=2)
    path = tmp_path_factory.mktemp("official") / f"mae_{TINY}.pth"
    torch.save({"model_state": model.state_dict()}, path)
    return path


def test_what_is_saved_is_opened_again(folder: Path, small: Hiera) -> None:
    loaded = open_model(folder)
    assert loaded.name == "moves"
    assert loaded.labels == loaded.model.labels == LABELS
    assert loaded.preprocessing == Preprocessing.for_config(SMALL)
    assert loaded.model.config == SMALL
    assert loaded.weights_path == folder / "model.safetensors"
    assert loaded.weights_sha256 == file_sha256(folder / "model.safetensors")
    assert (loaded.checkpoint, loaded.has_head) == ("model.safetensors", True)
    assert not loaded.model.training
    x = torch.randn(2, 3, 4, 64, 64)
    with torch.no_grad():
        assert torch.equal(loaded.model(x), small(x))
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "model.safetensors"]


def test_saving_again_replaces(folder: Path, small: Hiera) -> None:
    with torch.no_grad():
        small.norm.bias.fill_(7.0)
    save_model(
        folder, small, labels=LABELS, preprocessing=Preprocessing.for_config(SMALL), extra={}
    )
    assert open_model(folder).name == "m"
    assert bool((load_model(folder).norm.bias == 7.0).all())


def test_a_folder_that_cannot_be_made(tmp_path: Path, small: Hiera) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot write"):
        save_model(
            tmp_path / "file" / "m", small, labels=LABELS, preprocessing=Preprocessing(), extra={}
        )


def test_parameters_are_trainable_and_own_their_memory(folder: Path) -> None:
    model = load_model(folder)
    assert all(p.requires_grad and p.is_contiguous() for p in model.parameters())
    (folder / "model.safetensors").write_bytes(b"")  # a mapped file would fault now
    assert all(bool(p.isfinite().all()) for p in model.parameters())


def test_dtype(folder: Path) -> None:
    model = load_model(folder, dtype=torch.bfloat16)
    assert {p.dtype for p in model.parameters()} == {torch.bfloat16}


def test_a_device_that_there_is_not(folder: Path) -> None:
    with pytest.raises(UsageError, match="device 'cuda:99' is not on this machine"):
        open_model(folder, device="cuda:99")
    with pytest.raises(UsageError, match="unknown device 'nonsense'"):
        open_model(folder, device="nonsense")


def test_labels_of_ones_own(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "l.txt").write_text("x\ny\nz\n")
    assert open_model(folder, labels=tmp_path / "l.txt").labels == ("x", "y", "z")
    (tmp_path / "l.txt").write_text("x\ny\n")
    with pytest.raises(UsageError, match="2 names, the model has 3 classes"):
        open_model(folder, labels=tmp_path / "l.txt")


def edit(folder: Path, **changes: object) -> None:
    path = folder / "config.json"
    values = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({k: v for k, v in values.items() if v is not None}))


def test_a_config_without_the_extras(folder: Path) -> None:
    edit(folder, labels=None, preprocessing=None, name=None, num_classes=None)
    loaded = open_model(folder)
    assert loaded.labels == ("class_0", "class_1", "class_2")
    assert loaded.preprocessing == Preprocessing.for_config(SMALL)
    assert loaded.name == "m"


def test_a_wrong_class_count(folder: Path) -> None:
    edit(folder, num_classes=400, labels=None)
    with pytest.raises(WeightsError, match=r"says 400 classes, model\.safetensors has 3"):
        open_model(folder)


def test_a_wrong_label_count(folder: Path) -> None:
    edit(folder, labels=["a"])
    with pytest.raises(WeightsError, match="1 labels for 3 classes"):
        open_model(folder)


def test_a_file_beside_its_config(folder: Path) -> None:
    assert open_model(folder / "model.safetensors").labels == LABELS


def test_weights_for_a_folder(folder: Path, small: Hiera, tmp_path: Path) -> None:
    torch.save(small.state_dict(), tmp_path / "other.pth")
    assert open_model(folder, weights=tmp_path / "other.pth").checkpoint == "other.pth"
    with pytest.raises(UsageError, match="two weights files"):
        open_model(tmp_path / "other.pth", weights=tmp_path / "other.pth")


def test_a_lone_file_of_no_known_architecture(small: Hiera, tmp_path: Path) -> None:
    torch.save(small.state_dict(), tmp_path / "w.pth")
    with pytest.raises(WeightsError, match="none of the official architectures") as caught:
        open_model(tmp_path / "w.pth")
    assert "-m NAME --weights FILE" in caught.value.hint


def test_names_and_paths_that_there_are_not(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no model is called 'hiera_bse_16x224'") as caught:
        open_model("hiera_bse_16x224")
    assert "hiera_base_16x224" in caught.value.hint
    with pytest.raises(WeightsError, match="does not exist"):
        open_model(tmp_path / "gone")
    with pytest.raises(WeightsError, match="does not exist"):
        open_model("gone.pth")
    with pytest.raises(UsageError, match="not in the zoo"):
        open_model(tmp_path, checkpoint="mae_k400")
    with pytest.raises(WeightsError, match=r"weights file gone\.pth does not exist"):
        open_model("hiera_base_16x224", weights="gone.pth")
    os.mkfifo(tmp_path / "fifo.pth")
    with pytest.raises(WeightsError, match="not a regular file"):
        open_model(tmp_path / "fifo.pth")
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "model.safetensors").touch()
    with pytest.raises(WeightsError, match=r"config\.json is not there"):
        open_model(tmp_path / "empty")


@pytest.mark.parametrize(
    "name", ["", ".", "\0", "x" * 5000, "con\nfig", "-", "a\udcff/b"], ids=ascii_id
)
def test_hostile_names(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises((UsageError, WeightsError)):
        open_model(name)


def test_broken_numbers_are_refused(folder: Path, small: Hiera) -> None:
    with torch.no_grad():
        small.norm.bias[3] = float("nan")
    save_file(small.state_dict(), folder / "model.safetensors")
    with pytest.raises(WeightsError, match=r"norm\.bias holds NaN"):
        open_model(folder)


def test_more_than_there_is_memory_for_is_not_tried(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weights, "available_memory_bytes", lambda: 1000)
    with pytest.raises(WeightsError, match=r"needs 0\.0 GiB, 0\.0 GiB are free"):
        open_model(folder)


def test_a_huge_configuration_is_refused_by_its_weights(folder: Path) -> None:
    edit(folder, embed_dim=4096, num_heads=16)
    with pytest.raises(WeightsError, match=r"parameters|another shape"):
        open_model(folder)


def test_official_weights_under_their_name(official: Path) -> None:
    loaded = open_model(TINY, weights=official)
    assert (loaded.name, loaded.checkpoint) == (TINY, f"{TINY}.pth")
    assert (loaded.labels[0], loaded.labels[999]) == ("tench", "toilet tissue")
    assert loaded.preprocessing.num_frames == 1
    reference = torch.load(official, weights_only=True)["model_state"]
    state = loaded.model.state_dict()
    assert state.keys() == reference.keys()
    assert all(torch.equal(state[name], reference[name]) for name in reference)
    stated = open_model(TINY, weights=official, checkpoint="mae_in1k_ft_in1k")
    assert stated.checkpoint == "mae_in1k_ft_in1k"


def test_official_weights_alone(official: Path) -> None:
    loaded = open_model(official)
    assert (loaded.name, loaded.model.config.stages) == (TINY, (1, 2, 7, 2))
    assert loaded.labels[0] == "tench"


def test_official_weights_under_a_wrong_name(official: Path) -> None:
    with pytest.raises(WeightsError, match="does not fit hiera_small_224") as caught:
        open_model("hiera_small_224", weights=official)
    assert f"use -m {TINY} --weights" in caught.value.hint


def test_another_number_of_classes_comes_from_the_head(official: Path, tmp_path: Path) -> None:
    state = torch.load(official, weights_only=True)["model_state"]
    state["head.projection.weight"] = state["head.projection.weight"][:5].clone()
    state["head.projection.bias"] = state["head.projection.bias"][:5].clone()
    save_file(state, tmp_path / "five.safetensors")
    loaded = open_model(TINY, weights=tmp_path / "five.safetensors")
    assert loaded.model.config.num_classes == 5
    assert loaded.labels[4] == "class_4"


def test_an_autoencoder_does_not_classify(autoencoder: Path) -> None:
    for name, own in ((TINY, autoencoder), (autoencoder, None)):
        with pytest.raises(WeightsError, match="no trained classification head"):
            open_model(name, weights=own)
    for name in (f"{TINY}.mae_in1k", "hiera_base_16x224.mae_k400"):
        with pytest.raises(WeightsError, match="no trained classification head"):
            open_model(name)  # known before anything is downloaded


def test_an_autoencoders_encoder_gives_features(autoencoder: Path) -> None:
    loaded = open_model(f"{TINY}.mae_in1k", weights=autoencoder, need_head=False)
    assert (loaded.has_head, loaded.labels, loaded.model.labels) == (False, (), None)
    reference = torch.load(autoencoder, weights_only=True)["model_state"]
    state = loaded.model.state_dict()
    shared = [name for name in state if name in reference]
    assert len(shared) == len(state) - 4
    assert all(torch.equal(state[name], reference[name]) for name in shared)
    assert bool((state["norm.weight"] == 1).all())
    assert not bool(state["norm.bias"].any())
    assert not bool(state["head.projection.weight"].any())


def test_an_untrained_head_is_not_used(official: Path) -> None:
    loaded = open_model(TINY, weights=official, checkpoint="mae_in1k", need_head=False)
    assert not loaded.has_head
    assert not bool(loaded.model.head.projection.weight.any())


def test_found_on_the_official_server_after_the_hub(
    official: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving() as server:
        set_sources(monkeypatch, server.url)
        server.files[f"/{TINY}.pth"] = official.read_bytes()
        server.drop_after = [20_000_000]
        seen: list[int] = []
        loaded = open_model(
            TINY, cache_dir=tmp_path, progress=lambda _name, done, _total: seen.append(done)
        )
        assert seen[-1] == official.stat().st_size
        num_requests = len(server.requests)
        again = open_model(TINY, cache_dir=tmp_path, offline=True)
        assert len(server.requests) == num_requests
    assert loaded.weights_sha256 == again.weights_sha256 == file_sha256(official)
    assert loaded.checkpoint == "mae_in1k_ft_in1k"


def test_found_on_the_hub(official: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state = torch.load(official, weights_only=True)["model_state"]
    save_file(state, tmp_path / "w.safetensors")
    with serving() as server:
        set_sources(monkeypatch, server.url)
        server.add_repository(
            f"facebook/{TINY}.mae_in1k_ft_in1k", (tmp_path / "w.safetensors").read_bytes()
        )
        loaded = open_model(TINY, cache_dir=tmp_path / "cache")
    assert loaded.weights_path.name == "model.safetensors"
    assert torch.equal(loaded.model.head.projection.weight, state["head.projection.weight"])
