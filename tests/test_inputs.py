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
    assert paths("a.mp4", "./a.mp4", str(here)) == ["a.mp4", str(here / "link.mp4")]


def test_equal_files_behind_links_are_an_input_for_each_name(here: Path) -> None:
    """As the caches of Hugging Face, DVC and git-annex have them."""
    (here / "store").mkdir()
    (here / "store" / "sha").touch()
    for name in ("a/x.mp4", "b/y.mp4"):
        (here / "snap" / name).parent.mkdir(parents=True)
        (here / "snap" / name).symlink_to("../../store/sha")
    assert [file.name for file in expand_inputs(["snap"])] == ["a/x.mp4", "b/y.mp4"]


def test_links_to_folders_are_followed(here: Path, caplog: pytest.LogCaptureFixture) -> None:
    (here / "real").mkdir()
    (here / "real" / "x.mp4").touch()
    (here / "d").mkdir()
    for name in ("one", "two"):
        (here / "d" / name).symlink_to("../real")
    assert [file.name for file in expand_inputs(["d"])] == ["one/x.mp4", "two/x.mp4"]
    (here / "real" / "back").symlink_to("../d")
    (here / "d" / "gone").symlink_to("nowhere")
    found = [file.name for file in expand_inputs(["d"])]
    assert found == ["one/x.mp4", "two/x.mp4"]
    said = [record.getMessage() for record in caplog.records]
    assert "the link 'd/one/back' leads back to where it is: skipped" in said
    assert "the link 'd/gone' leads nowhere: skipped" in said


def test_folders_that_link_to_one_another_come_to_an_end(here: Path) -> None:
    names = [f"f{index}" for index in range(6)]
    for name in names:
        (here / "d" / name).mkdir(parents=True)
        (here / "d" / name / "x.mp4").touch()
    for name in names:
        for other in names:
            (here / "d" / name / f"to-{other}").symlink_to(f"../{other}")
    assert len(list(expand_inputs(["d"]))) < 10_000


DEBRIS = ["._a.mp4", "__MACOSX/a/b.mp4", ".AppleDouble/c.mp4", "@eaDir/d.mp4", "lost+found/e.mp4"]
DEBRIS += [".ipynb_checkpoints/f.mp4", "g.mp4.part", "h.mp4.crdownload", "i.mp4.!qB"]


def test_what_tools_leave_behind_is_read_only_when_named(
    here: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", logger="hiera_cli")
    for name in [*DEBRIS, "a.mp4"]:
        (here / name).parent.mkdir(parents=True, exist_ok=True)
        (here / name).touch()
    assert paths(".") == ["./a.mp4"]
    assert "4 files" in caplog.text
    assert paths(*DEBRIS) == DEBRIS
    assert paths("__MACOSX") == ["__MACOSX/a/b.mp4"]


@pytest.mark.parametrize(
    "raw",
    [
        "\ufeffa b.mp4\r\nc.mp4\r\n".encode(),
        "a b.mp4\r\nc.mp4\r\n".encode("utf-16"),
        "a b.mp4\r\nc.mp4\r\n".encode("utf-16-le"),
        "\ufeffa b.mp4\nc.mp4\n".encode("utf-16-be"),
        b"a b.mp4\0c.mp4\0",
        b"a b.mp4   \n c.mp4\t\n",
        b'"a b.mp4"\r\n"c.mp4"\r\n',
        b"a b.mp4\rc.mp4\r",
    ],
)
def test_lists_as_tools_write_them(here: Path, raw: bytes) -> None:
    for name in ["a b.mp4", "c.mp4"]:
        (here / name).touch()
    (here / "list.txt").write_bytes(raw)
    assert paths("@list.txt") == ["a b.mp4", "c.mp4"]
    stdin = io.TextIOWrapper(io.BytesIO(raw), encoding="ascii")
    assert [file.path for file in expand_inputs(["-"], stdin=stdin)] == ["a b.mp4", "c.mp4"]


def test_backslashes_and_accents_mean_the_file_that_is_there(here: Path) -> None:
    (here / "caf\u00e9").mkdir()
    (here / "caf\u00e9" / "e\u0301.mp4").touch()
    there = "caf\u00e9/e\u0301.mp4"
    for name in ("caf\u00e9\\e\u0301.mp4", "cafe\u0301/e\u0301.mp4", "caf\u00e9/\u00e9.mp4"):
        assert paths(name) == [there]


def test_names_that_no_file_can_have_are_passed_on(here: Path) -> None:
    assert paths("a\0b.mp4", "\ud800.mp4") == ["a\0b.mp4", "\ud800.mp4"]


def test_globs_below_a_folder_with_brackets(here: Path) -> None:
    for name in ("run[1]/a.mp4", "x/run[2]/b.mp4"):
        (here / name).parent.mkdir(parents=True)
        (here / name).touch()
    assert paths("run[1]/*.mp4") == ["run[1]/a.mp4"]
    assert paths("*/run[2]/*.mp4") == ["x/run[2]/b.mp4"]


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
