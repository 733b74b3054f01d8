import json
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hiera_cli.checkpoints.labels import (
    known_labels,
    labels_from_config,
    numbered_labels,
    read_labels,
)
from hiera_cli.errors import UsageError


def write(folder: Path, content: str | bytes) -> Path:
    path = folder / "labels.txt"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_kinetics_is_torchvisions_list() -> None:
    from torchvision.models.video import R3D_18_Weights

    names = known_labels("kinetics400", 400)
    assert list(names) == R3D_18_Weights.KINETICS400_V1.meta["categories"]
    assert (names[125], names[363]) == ("feeding goats", "training dog")


def test_imagenet_is_torchvisions_list() -> None:
    from torchvision.models import ResNet50_Weights

    names = known_labels("imagenet1k", 1000)
    assert list(names) == ResNet50_Weights.IMAGENET1K_V2.meta["categories"]


def test_another_number_of_classes_has_no_names() -> None:
    assert known_labels("kinetics400", 3) == ("class_0", "class_1", "class_2")
    assert known_labels(None, 2) == numbered_labels(2)


@pytest.mark.parametrize(
    "content",
    [
        "pan left\ntilt up\nzoom in\n",
        "\ufeffpan left\r\ntilt up\r\nzoom in\r\n\r\n",
        '["pan left", "tilt up", "zoom in"]',
        '{"0": "pan left", "2": "zoom in", "1": "tilt up"}',
        '{"tilt up": 1, "pan left": 0, "zoom in": 2}',
        '{"tilt up": "1", "pan left": "0", "zoom in": "2"}',
        '{"id2label": {"0": "pan left", "1": "tilt up", "2": "zoom in"}, "embed_dim": 96}',
    ],
)
def test_every_format(tmp_path: Path, content: str) -> None:
    labels = read_labels(write(tmp_path, content), num_classes=3)
    assert labels == ("pan left", "tilt up", "zoom in")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize(
    "names", ['["pan é", "tilt ü", "中"]', "pan é|tilt ü|中|", "0 pan é|1 tilt ü|2 中|"]
)
def test_every_encoding(tmp_path: Path, names: str, end: str, encoding: str) -> None:
    path = write(tmp_path, names.replace("|", end).encode(encoding))
    if names.startswith("[") and encoding in ("utf-16-le", "utf-16-be"):
        pytest.skip("without a mark or a line end nothing tells")
    assert read_labels(path, num_classes=3) == ("pan é", "tilt ü", "中")


def test_another_encoding_is_explained(tmp_path: Path) -> None:
    path = write(tmp_path, "pan\ncafé\nzoom\n".encode("latin-1"))
    with pytest.raises(UsageError, match="line 2 is neither utf-8 nor utf-16") as caught:
        read_labels(path, num_classes=3)
    assert "iconv" in caught.value.hint


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a\nb\n", "2 names, the model has 3 classes"),
        ("a\n" * 1_000_000, "1000000 names"),
        ("a\n\nb\n", r"name 1 \(counted from 0\) is ''"),
        ("", "no names"),
        ("[]", "no names"),
        ("{}", "no names"),
        (b"\xff\xfe\x00", "utf-8"),
        ('["a", "b", 3]', "name 2"),
        ('["a", "b"', "Expecting"),
        ("[" * 100_000, "nested too deeply|Expecting"),
        ('{"0": "a", "1": "b", "3": "c"}', "not 0 to 2"),
        ('{"0": "a", "00": "b", "1": "c"}', "not 0 to 2"),
        ('{"a": 0, "b": 1, "c": 1000000000000}', "neither"),
        ('{"a": 0, "b": 1, "c": 1}', "not 0 to 2"),
        ('{"a": 0, "b": 1, "c": true}', "neither"),
        ('{"a": 0, "b": 1, "c": -1}', "neither"),
        ('{"a": 0, "b": 1, "c": NaN}', "NaN is not JSON"),
        ('{"0": "a", "1": "b", "2": null}', "name 2"),
        ('{"0": "a", "1": "b", "2": ["c"]}', "name 2"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, content: str | bytes, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        read_labels(write(tmp_path, content), num_classes=3)


def test_control_characters_do_not_get_through(tmp_path: Path) -> None:
    path = write(tmp_path, "red \x1b[31malert\n\x07bell\nover\u202eride\n")
    labels = read_labels(path, num_classes=3)
    assert labels == ("red \\x1b[31malert", "\\x07bell", "over\\u202eride")


def test_only_regular_small_files(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for name, message in (("fifo", "not a file"), ("gone", "not there"), (".", "not a file")):
        with pytest.raises(UsageError, match=message):
            read_labels(tmp_path / name, num_classes=3)
    with (tmp_path / "huge").open("wb") as file:
        file.truncate(2**40)
    with pytest.raises(UsageError, match="larger than 64 MiB"):
        read_labels(tmp_path / "huge", num_classes=3)


quick = settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow])
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@quick
@given(json_values)
def test_any_json_gives_names_or_a_reason(values: object) -> None:
    try:
        labels = labels_from_config(values)
    except ValueError as error:
        assert str(error)  # noqa: PT017
    else:
        assert labels
        assert all(isinstance(label, str) and label for label in labels)


@quick
@given(st.binary(max_size=200) | st.text().map(str.encode) | json_values.map(json.dumps))
def test_any_file_gives_names_or_a_reason(
    tmp_path_factory: pytest.TempPathFactory, content: bytes | str
) -> None:
    path = write(tmp_path_factory.getbasetemp(), content)
    try:
        assert len(read_labels(path, num_classes=2)) == 2
    except UsageError as error:
        assert error.message  # noqa: PT017


@pytest.mark.parametrize(
    "text",
    [
        "1 Apply Eye Makeup\n2 Archery\n",
        "0,Apply Eye Makeup\n1,Archery\n",
        "Archery;1\nApply Eye Makeup;0",
    ],
    ids=["UCF101", "number,name", "name;number"],
)
def test_numbered_lines_as_data_sets_ship_them(tmp_path, text: str) -> None:
    path = tmp_path / "classInd.txt"
    path.write_text(text)
    assert read_labels(path, num_classes=2) == ("Apply Eye Makeup", "Archery")
