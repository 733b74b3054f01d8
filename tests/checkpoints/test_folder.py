import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hiera_cli.checkpoints.folder import find_weights, read_folder_config, write_folder_config
from hiera_cli.checkpoints.preprocessing import Preprocessing
from hiera_cli.errors import OutputError, WeightsError
from hiera_cli.model.config import HieraConfig

CONFIG = HieraConfig(embed_dim=16, num_classes=2, stages=(1, 1, 1, 1))


def write(folder: Path, **changes: Any) -> Path:
    path = folder / "config.json"
    path.write_text(json.dumps(CONFIG.to_dict() | changes))
    return path


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    preprocessing = Preprocessing(num_frames=8, crop_size=96, short_side=110)
    write_folder_config(
        tmp_path,
        CONFIG,
        labels=("é", "b"),
        preprocessing=preprocessing,
        extra={"name": "mine", "epoch": 3, "embed_dim": "overruled"},
    )
    found = read_folder_config(tmp_path / "config.json")
    assert found.config == CONFIG
    assert (found.labels, found.preprocessing, found.name) == (("é", "b"), preprocessing, "mine")
    assert json.loads((tmp_path / "config.json").read_text())["epoch"] == 3
    assert [path.name for path in tmp_path.iterdir()] == ["config.json"]


def test_an_official_config_json(tmp_path: Path) -> None:
    values = {
        "embed_dim": 96, "input_size": [16, 224, 224], "mask_unit_size": [1, 8, 8],
        "patch_kernel": [3, 7, 7], "patch_padding": [1, 3, 3], "patch_stride": [2, 4, 4],
        "q_stride": [1, 2, 2], "sep_pos_embed": True, "num_classes": 400,
        "norm_layer": "LayerNorm", "something_new": 5,
    }  # fmt: skip
    (tmp_path / "config.json").write_text(json.dumps(values))
    found = read_folder_config(tmp_path / "config.json")
    assert found.config.input_size == (16, 224, 224)
    assert found.states_classes
    assert (found.labels, found.preprocessing, found.name) == (None, None, None)


@pytest.mark.parametrize(
    "changes",
    [
        {"embed_dim": 10**12},
        {"embed_dim": -96},
        {"embed_dim": "96"},
        {"embed_dim": None},
        {"embed_dim": 96.5},
        {"embed_dim": True},
        {"num_classes": 10**15},
        {"stages": [10**6] * 4},
        {"stages": [1, 1, 1]},
        {"stages": "1111"},
        {"stages": {"0": 1}},
        {"input_size": [10**9, 10**9]},
        {"input_size": []},
        {"input_size": [224, "224"]},
        {"mlp_ratio": 1e300},
        {"drop_path_rate": "0.1"},
        {"mask_unit_attn": [1, 1, 0, 0]},
        {"labels": ["a", 1]},
        {"labels": 5},
        {"labels": {"0": "a", "5": "b"}},
        {"id2label": {"0": "a", "2": "b"}},
        {"preprocessing": []},
        {"preprocessing": {"num_frames": 10**9}},
        {"name": 5},
        {"name": "x" * 1000},
        {"norm_layer": "BatchNorm"},
    ],
)
def test_hostile_values_are_one_line(tmp_path: Path, changes: dict[str, Any]) -> None:
    path = write(tmp_path, **changes)
    with pytest.raises(WeightsError) as caught:
        read_folder_config(path)
    assert str(path) in caught.value.message
    assert "\n" not in caught.value.message


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"[]", "not a JSON object"),
        (b'"x"', "not a JSON object"),
        (b"\xff\xfe", "cannot read"),
        (b'{"a":' * 100_000, "not JSON"),
        (b'{"embed_dim": NaN}', "not JSON: NaN"),
        (b'{"embed_dim": ' + b"9" * 5000 + b"}", "not JSON"),
        (b'{"model_type": "hiera"}', "no embed_dim"),
    ],
)
def test_no_json(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "config.json").write_bytes(content)
    with pytest.raises(WeightsError, match=message):
        read_folder_config(tmp_path / "config.json")


def test_a_name_cannot_steer_a_terminal(tmp_path: Path) -> None:
    assert read_folder_config(write(tmp_path, name="\x1b[31mred")).name == "\\x1b[31mred"


def test_which_weights(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="no weights file"):
        find_weights(tmp_path)
    (tmp_path / "a.pth").touch()
    assert find_weights(tmp_path) == tmp_path / "a.pth"
    (tmp_path / "b.pth").touch()
    with pytest.raises(WeightsError, match="2 weights files"):
        find_weights(tmp_path)
    (tmp_path / "model.safetensors").touch()
    assert find_weights(tmp_path) == tmp_path / "model.safetensors"


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot write"):
        write_folder_config(
            tmp_path / "gone", CONFIG, labels=("a", "b"), preprocessing=Preprocessing(), extra={}
        )


quick = settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow])
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
)
FIELDS = [*CONFIG.to_dict(), "labels", "id2label", "preprocessing", "name"]


@quick
@given(st.dictionaries(st.sampled_from(FIELDS), json_values, max_size=3))
def test_any_value_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, changes: dict[str, Any]
) -> None:
    path = write(tmp_path_factory.getbasetemp(), **changes)
    try:
        assert read_folder_config(path).config.num_parameters < 10**10
    except WeightsError as error:
        assert error.message  # noqa: PT017
