from pathlib import Path

import pytest

from hiera_cli.datasets.ava import (
    ActionBox,
    read_actions,
    read_ava,
    read_excluded,
    read_results,
)
from hiera_cli.errors import NoInputError, UsageError

AVA = Path(__file__).parents[3] / "shared" / "data" / "ava"
GOOD = "vid,0902,0.1,0.2,0.5,0.6,12,3"


def written(folder, text):
    path = folder / "boxes.csv"
    path.write_text(text)
    return path


def test_rows_of_one_box_are_one_box(tmp_path):
    text = f"{GOOD}\nvid,0902,0.1,0.2,0.5,0.6,4,3\nvid,0903,0.1,0.2,0.5,0.6,4,3\n\nvid,0904,,,,,,\n"
    found = read_ava(written(tmp_path, text), last="person")
    assert found.boxes == (
        ActionBox("vid", 902, 0.1, 0.2, 0.5, 0.6, (4, 12), 3),
        ActionBox("vid", 903, 0.1, 0.2, 0.5, 0.6, (4,), 3),
    )
    assert (found.num_rows, found.num_empty) == (3, 1)
    assert found.boxes[0].moment == ("vid", 902)


def test_detections_have_scores_and_perhaps_no_action(tmp_path):
    text = "vid,0902,0.1,0.2,0.5,0.6,,0.91\nvid,0902,0.0,0.2,0.5,1.0004,7,0.5\n"
    one, two = read_ava(written(tmp_path, text), last="score").boxes
    assert (one.actions, one.score, one.person) == ((), 0.91, None)
    assert (two.actions, two.y2) == ((7,), 1.0)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("vid,0902,0.1,0.2,0.5,0.6,12", "7 columns"),
        ("vid,0902,nan,0.2,0.5,0.6,12,3", "not a finite number"),
        ("vid,0902,x,0.2,0.5,0.6,12,3", "not a finite number"),
        ("vid,0902,,0.2,0.5,0.6,12,3", "not a finite number"),
        ("vid,0902,31,22,670,345,12,3", "no fractions"),
        ("vid,0902,0.1,0.2,1.2,0.6,12,3", "outside the frame"),
        ("vid,0902,-0.1,0.2,0.5,0.6,12,3", "outside the frame"),
        ("vid,0902,0.5,0.2,0.1,0.6,12,3", "no area"),
        ("vid,0902,0.1,0.2,0.5,0.6,81,3", "action 81 is not in the list"),
        ("vid,0902,0.1,0.2,0.5,0.6,run,3", "action is 'run'"),
        ("vid,0902,0.1,0.2,0.5,0.6,12,me", "person is 'me'"),
        ("vid,902.5,0.1,0.2,0.5,0.6,12,3", "timestamp"),
        ("vid,inf,0.1,0.2,0.5,0.6,12,3", "not a finite number"),
    ],
)
def test_a_row_that_cannot_be_meant(tmp_path, row, message):
    path = written(tmp_path, f"{GOOD}\n{row}\n")
    with pytest.raises(UsageError, match=message) as caught:
        read_ava(path, last="person", actions=range(1, 81))
    assert "line 2" in caught.value.message


def test_a_score_that_is_none(tmp_path):
    with pytest.raises(UsageError, match=r"not in 0\.\.1"):
        read_ava(written(tmp_path, "vid,0902,0.1,0.2,0.5,0.6,,17\n"), last="score")
    with pytest.raises(UsageError, match="not a finite number"):
        read_ava(written(tmp_path, "vid,0902,0.1,0.2,0.5,0.6,,\n"), last="score")


def test_missing_empty_and_foreign_files(tmp_path):
    with pytest.raises(UsageError, match="cannot read"):
        read_ava(tmp_path / "none.csv", last="person")
    with pytest.raises(NoInputError):
        read_ava(written(tmp_path, ""), last="person")
    (tmp_path / "film.mp4").write_bytes(b"\x80\x81\x00")
    with pytest.raises(UsageError, match="no text"):
        read_ava(tmp_path / "film.mp4", last="person")


def test_results(tmp_path):
    text = "vid,0902,0.1,0.2,0.5,0.6,12,0.75\nvid,0902,0.1,0.2,0.5,0.6,4,0.5\n"
    rows = read_results(written(tmp_path, text))
    assert [(action, score) for _, action, score in rows] == [(12, 0.75), (4, 0.5)]
    with pytest.raises(UsageError, match="needs an action"):
        read_results(written(tmp_path, "vid,0902,0.1,0.2,0.5,0.6,,0.75\n"))


def test_lists_of_actions(tmp_path):
    path = tmp_path / "list.pbtxt"
    path.write_text('item {\n  name: "walk"\n  id: 14\n}\nlabel { label_id: 2 name: "a {b" }\n')
    assert read_actions(path) == {14: "walk", 2: "a {b"}
    path.write_text("1: bend/bow (at the waist)\n\n3: crouch/kneel\n")
    assert read_actions(path) == {1: "bend/bow (at the waist)", 3: "crouch/kneel"}
    for text, message in (
        ("", "no actions"),
        ("1: a\n1: b\n", "two with one id"),
        ("walk\n", "not `id: name`"),
        ('item { name: "walk" }', "without name or id"),
    ):
        path.write_text(text)
        with pytest.raises(UsageError, match=message):
            read_actions(path)


@pytest.mark.skipif(not AVA.exists(), reason="AVA's samples are not here")
def test_the_real_files():
    boxes = read_ava(AVA / "ava_sample.csv", last="person").boxes
    assert [(box.video, box.timestamp, box.actions) for box in boxes] == [
        ("0f39OWEqJ24", 902, (12, 17, 79)),
        ("0f39OWEqJ24", 903, (12, 17)),
        ("_-Z6wFjXtGQ", 902, (12, 74, 80)),
    ]
    assert read_excluded(AVA / "ava_excluded_timestamps_sample.csv") == {
        ("0f39OWEqJ24", 903), ("_-Z6wFjXtGQ", 902),
    }  # fmt: skip
    assert len(read_actions(AVA / "label_map.txt")) == 60
    assert set(read_actions(AVA / "action_list.txt")) == {12, 17, 79, 80}
    sports = read_ava(AVA / "multisports_sample.csv", last="person").boxes
    assert (sports[0].video[-4:], sports[0].timestamp, len(sports)) == (".mp4", 377, 9)
