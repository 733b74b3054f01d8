import json
from pathlib import Path

import pytest

from hiera_cli.datasets.dataset import read_dataset
from hiera_cli.datasets.something_something import read_something
from hiera_cli.errors import UsageError

ROWS = [
    {"id": "7", "label": "pushing a cup", "template": "Pushing [something] from left to right"},
    {"id": "12", "label": "a pen", "template": "Holding [something] behind [something]"},
    {"id": "99", "label": "a pen", "template": "Holding [something] behind [something]"},
]


def test_the_class_is_the_template_without_brackets() -> None:
    rows = list(read_something(json.dumps(ROWS), source="x.json"))
    assert [(row.video_id, row.label) for row in rows] == [
        ("7", "Pushing something from left to right"),
        ("12", "Holding something behind something"),
        ("99", "Holding something behind something"),
    ]


def test_videos_are_found_by_number_and_missing_ones_kept(tmp_path: Path) -> None:
    (tmp_path / "videos").mkdir()
    for number in (7, 12):
        (tmp_path / "videos" / f"{number}.webm").write_bytes(b"")
    labels = tmp_path / "something-something-v2-train.json"
    labels.write_text(json.dumps(ROWS))
    data = read_dataset(str(labels))
    assert [s.name for s in data.samples] == ["videos/7.webm", "videos/12.webm", "99"]
    assert data.num_missing == 1
    assert data.classes == (
        "Holding something behind something",
        "Pushing something from left to right",
    )


@pytest.mark.parametrize("text", ["{", "{}", '[{"id": "1"}]', '["1"]', "[" * 100_000])
def test_other_json_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"x\.json"):
        list(read_something(text, source="x.json"))
