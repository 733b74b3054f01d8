from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hiera_cli.datasets.dataset import read_dataset, splits_of
from hiera_cli.datasets.sample import Sample
from hiera_cli.errors import UsageError
from hiera_cli.tasks.dataset.split import check_shares, count_units, describe, divide, write_split


def samples(counts: dict[str, int], *, groups: int = 0) -> list[Sample]:
    return [
        Sample(f"/d/{label}/{n}.mp4", f"{label}/{n}.mp4", label, str(n % groups) if groups else "")
        for label, count in counts.items()
        for n in range(count)
    ]


def test_every_class_is_divided_by_its_share() -> None:
    parts = divide(samples({"a": 100, "b": 10, "c": 2, "d": 1}), {"val": 0.2})
    assert Counter(s.label for s in parts["val"]) == {"a": 20, "b": 2, "c": 1}
    assert Counter(s.label for s in parts["train"]) == {"a": 80, "b": 8, "c": 1, "d": 1}
    assert list(parts) == ["train", "val"]


def test_three_parts_and_another_seed() -> None:
    all_samples = samples({"a": 50, "b": 50})
    shares = {"val": 0.1, "test": 0.2}
    parts = divide(all_samples, shares)
    assert {name: len(files) for name, files in parts.items()} == {
        "train": 70,
        "val": 10,
        "test": 20,
    }
    assert parts == divide(all_samples, shares)
    assert parts != divide(all_samples, shares, seed=1)


def test_groups_and_equal_files_stay_together() -> None:
    files = samples({"a": 40, "b": 40}, groups=10)
    together = [("a/0.mp4", "b/1.mp4")]  # groups 0 and 1 become one
    assert count_units(files, together) == 9
    parts = divide(files, {"val": 0.25}, together=together)
    groups = {name: {s.group for s in members} for name, members in parts.items()}
    assert not groups["train"] & groups["val"]
    assert ("0" in groups["val"]) == ("1" in groups["val"])
    assert 16 <= len(parts["val"]) <= 24


@given(
    counts=st.lists(st.integers(1, 30), min_size=1, max_size=5),
    groups=st.integers(0, 7),
    share=st.floats(0.05, 0.6),
)
def test_nothing_is_lost_and_groups_are_whole(counts: list[int], groups: int, share: float) -> None:
    files = samples({str(n): count for n, count in enumerate(counts)}, groups=groups)
    parts = divide(files, {"val": share})
    assert sorted(s.name for part in parts.values() for s in part) == sorted(s.name for s in files)
    shared = {s.group for s in parts["train"] if s.group} & {s.group for s in parts["val"]}
    assert not shared
    if not groups:
        assert {s.label for s in parts["train"]} == {s.label for s in files}


def test_what_is_written_is_a_data_set(tmp_path: Path) -> None:
    names = ["a/one.mp4", "a/two, three.mp4", 'b/"four".mp4', "b/ five .mp4"]
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"clip")
    files = [Sample(str(tmp_path / n), n, n[0], group=f"day {k}") for k, n in enumerate(names)]
    parts = {"train": files[:2], "val": files[2:]}
    write_split(parts, tmp_path / "split")
    for place in (tmp_path / "split", tmp_path / "split" / "split.csv"):
        assert splits_of(str(place)) == ("train", "val")
        for name, members in parts.items():
            found = read_dataset(str(place), split=name)
            assert [(s.path, s.label, s.group, s.split) for s in found.samples] == [
                (s.path, s.label, s.group, name) for s in members
            ]
            assert not found.warnings
    record = describe(parts, {"val": 0.5}, num_units=4, folder="split")
    assert [(p.name, p.share, p.num_files) for p in record.parts] == [
        ("train", 0.5, 2),
        ("val", 0.5, 2),
    ]


@pytest.mark.parametrize(
    "shares", [{"train": 0.5}, {"val": 0.0}, {"val": 1.0}, {"a": 0.6, "b": 0.4}]
)
def test_shares_that_mean_nothing_are_refused(shares: dict[str, float]) -> None:
    with pytest.raises(UsageError):
        check_shares(shares)
