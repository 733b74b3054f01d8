"""Any text in: annotation files, label files and configurations end in a value or a HieraError.

A short run by default; `HIERA_FUZZ_MINUTES=2 pytest tests/test_fuzz_text.py` for a long one,
which says how many inputs each of the five readers was given.
"""

import json
import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hiera_cli.checkpoints.folder import read_folder_config
from hiera_cli.checkpoints.labels import read_labels
from hiera_cli.datasets.annotations import read_kinetics
from hiera_cli.datasets.class_names import match_labels, normalise_label
from hiera_cli.datasets.dataset import read_dataset
from hiera_cli.datasets.lists.read import read_list
from hiera_cli.datasets.text import open_lines
from hiera_cli.errors import HieraError
from hiera_cli.inputs import printable
from hiera_cli.model.config import HieraConfig

MINUTES = float(os.environ.get("HIERA_FUZZ_MINUTES", "0"))
NUM_INPUTS = int(MINUTES * 10_000) or 100
fuzz = settings(
    max_examples=NUM_INPUTS,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)

HEADER = "label,youtube_id,time_start,time_end,split\n"
PIECES = [
    HEADER, "label", "youtube_id", "time_start", "time_end", "split", "val", "train", "a.mp4",
    "b c", "abc", "-1", "0", "1", "10", "1e9", "1e400", "nan", "inf", "0x10", "٣", "9" * 20,
    " ", "\t", ",", ",,", ";", "\n", "\r", "\r\n", '"', '""', "'", "\\", "/", "..", "../../x",
    "\0", "\x1b[2J", "\u202e", "\ufeff", "\udce9", "\x85", "\u2028", "[", "]", "{", "}", ":",
    "null", "true", '{"0": "a", "1": "b"}', '["a", "b"]', '{"id2label": {"0": "a"}}', "=cmd()",
    "%s", "{0}", "x" * 300, '"' * 50, "[" * 5000, "9" * 5000,
]  # fmt: skip
texts = st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=8)), max_size=25).map("".join)
contents = st.one_of(
    texts.map(lambda text: text.encode("utf-8", "surrogatepass")),
    texts.map(lambda text: (HEADER + text).encode("utf-8", "surrogatepass")),
    st.binary(max_size=200),
)
KEYS = [*HieraConfig().to_dict(), "labels", "id2label", "preprocessing", "name", "unknown"]
numbers = st.one_of(
    st.integers(-3, 300), st.integers(), st.floats(), st.sampled_from([0, 1, 2**31, 10**18, 1e308])
)
values = st.recursive(
    st.one_of(st.none(), st.booleans(), numbers, st.sampled_from(PIECES), st.text(max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=5), st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=8,
)
configs = st.dictionaries(st.sampled_from(KEYS), values, max_size=6)


given_inputs: Counter[str] = Counter()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz")


@pytest.fixture(scope="module", autouse=True)
def _report(tell: Callable[[str], None]) -> Iterator[None]:
    yield
    if MINUTES:
        tell(f"{given_inputs.total()} text inputs: {dict(given_inputs)}")


@pytest.mark.timeout(60 + 600 * MINUTES)
@fuzz
@given(content=contents)
def test_annotation_files(content: bytes, folder: Path) -> None:
    given_inputs["annotation files"] += 1
    file = folder / "annotations.csv"
    file.write_bytes(content)
    with suppress(HieraError):
        labels = [row.label for row in read_kinetics(open_lines(str(file)), source=str(file))]
        assert all(label and label == printable(label) for label in labels)
    with suppress(HieraError):
        rows = read_list(open_lines(str(file)), source=str(file)).rows
        assert all(row.label and row.label == printable(row.label) for row in rows)


@pytest.mark.timeout(60 + 600 * MINUTES)
@fuzz
@given(content=contents, split=st.sampled_from([None, "val", "train", "\0", ""]))
def test_data_sets(content: bytes, split: str | None, folder: Path) -> None:
    given_inputs["data sets"] += 1
    file = folder / "val.csv"
    file.write_bytes(content)
    try:
        data = read_dataset(str(file), split=split)
    except HieraError:
        return
    assert data.samples
    assert {sample.label for sample in data.samples} == set(data.classes)
    assert printable(data.layout) == data.layout
    json.dumps([data.classes, data.layout, data.warnings]).encode("utf-8")


@pytest.mark.timeout(60 + 600 * MINUTES)
@fuzz
@given(content=contents, num_classes=st.sampled_from([1, 2, 3]))
def test_label_files(content: bytes, num_classes: int, folder: Path) -> None:
    given_inputs["label files"] += 1
    file = folder / "labels.txt"
    file.write_bytes(content)
    try:
        names = read_labels(file, num_classes=num_classes)
    except HieraError:
        return
    assert len(names) == num_classes
    assert not any("\x1b" in name or "\n" in name for name in names)
    "".join(names).encode("utf-8")


@pytest.mark.timeout(60 + 600 * MINUTES)
@fuzz
@given(content=st.one_of(contents, configs.map(lambda c: json.dumps(c).encode())))
def test_model_configurations(content: bytes, folder: Path) -> None:
    given_inputs["model configurations"] += 1
    file = folder / "config.json"
    file.write_bytes(content)
    try:
        found = read_folder_config(file)
    except HieraError:
        return
    assert len(found.config.stages) == 4


@pytest.mark.timeout(60 + 600 * MINUTES)
@fuzz
@given(classes=st.lists(texts, max_size=4), labels=st.lists(texts, max_size=4))
def test_class_names(classes: list[str], labels: list[str]) -> None:
    given_inputs["class names"] += 1
    match = match_labels(classes, labels)
    assert set(match.index_of) | set(match.unknown) == set(classes)
    assert all(0 <= index < len(labels) for index in match.index_of.values())
    for name in classes:
        assert normalise_label(normalise_label(name)) == normalise_label(name)
