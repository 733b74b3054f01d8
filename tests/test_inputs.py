import io
import os
from pathlib import Path

import pytest

from hiera_cli.errors import UsageError
from hiera_cli.inputs import InputPath, expand_inputs, printable
from tests.names import AWKWARD_NAMES

AWKWARD = [os.fsdecode(name) for name in AWKWARD_NAMES]
VIDEOS = [name for name in AWKWARD if name.lower().endswith(".mp4")]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def paths(*inputs: str, stdin: str | None = None) -> list[str]:
    stream = None if stdin is None else io.StringIO(stdin)
    return [item.path for item in expand_inputs(inputs, stdin=stream)]


def test_a_folder_gives_its_videos_sorted_and_named_below_it(here: Path) -> None:
    for name in ["v/b.mp4", "v/a/z.MKV", "v/a.webm", "v/notes.txt", "v/.git/x.mp4"]:
        (here / name).parent.mkdir(parents=True, exist_ok=True)
        (here / name).touch()
    found = list(expand_inputs(["v"]))
    assert found == [
        InputPath("v/a.webm", "a.webm"),
        InputPath("v/b.mp4", "b.mp4"),
        InputPath("v/a/z.MKV", "a/z.MKV"),
    ]


@pytest.mark.parametrize("name", AWKWARD)
def test_an_existing_name_is_that_file_whatever_it_looks_like(here: Path, name: str) -> None:
    (here / name).touch()
    assert paths(name) == [name]
    assert paths(str(here)) == [str(here / name)] * (name in VIDEOS)


def test_names_that_are_no_file_are_passed_on_to_fail_where_they_are_opened(here: Path) -> None:
    assert paths("gone.mp4", "no*match.mp4", "pipe:0") == ["gone.mp4", "no*match.mp4", "pipe:0"]


def test_globs_are_sorted_and_recursive(here: Path) -> None:
    (here / "d").mkdir()
    for name in ["c2.mp4", "c1.mp4", "d/c3.mp4"]:
        (here / name).touch()
    assert paths("c*.mp4") == ["c1.mp4", "c2.mp4"]
    assert paths("**/c?.mp4") == ["c1.mp4", "c2.mp4", "d/c3.mp4"]


def test_lists_and_stdin_hold_one_path_a_line(here: Path) -> None:
    for name in ["a b.mp4", "c.mp4"]:
        (here / name).touch()
    (here / "list.txt").write_text("a b.mp4\r\n\n  \nc.mp4\n")
    assert paths("@list.txt") == ["a b.mp4", "c.mp4"]
    assert paths("-", stdin="c.mp4\na b.mp4\n") == ["c.mp4", "a b.mp4"]


def test_a_list_may_hold_names_that_are_not_utf8(here: Path) -> None:
    (here / "list.txt").write_bytes(b"latin\xe9.mp4\n")
    assert paths("@list.txt") == [os.fsdecode(b"latin\xe9.mp4")]


def test_a_missing_list_is_a_usage_error(here: Path) -> None:
    with pytest.raises(UsageError, match=r"gone\.txt"):
        paths("@gone.txt")


def test_duplicates_are_read_once(here: Path) -> None:
    (here / "a.mp4").touch()
    (here / "link.mp4").symlink_to("a.mp4")
    assert paths("a.mp4", "./a.mp4", str(here), "link.mp4") == ["a.mp4"]


def test_a_link_loop_and_a_folder_named_like_a_video_do_no_harm(here: Path) -> None:
    (here / "x.mp4").mkdir()
    (here / "x.mp4" / "inner.mp4").touch()
    (here / "x.mp4" / "loop").symlink_to(here)
    (here / "dangling.mp4").symlink_to("nowhere")
    assert paths(".") == ["./dangling.mp4", "./x.mp4/inner.mp4"]


def test_printable_shows_what_would_act_on_a_terminal() -> None:
    assert printable("plain é 中 🎬") == "plain é 中 🎬"
    assert printable("\x1b[31mred\n") == "\\x1b[31mred\\x0a"
    assert printable("rtl\u202e4pm") == "rtl\\u202e4pm"
    assert printable(os.fsdecode(b"latin\xe9")) == "latin\\xe9"
