import os
from pathlib import Path

import pytest

from hiera_cli.datasets.annotations import is_kinetics_csv
from hiera_cli.datasets.text import open_lines
from hiera_cli.errors import UsageError

LINES = ["é.mp4 1\n", "b.mp4 2\n"]
TEXT = "".join(LINES)


@pytest.mark.parametrize(
    "content",
    [
        TEXT.encode(),
        TEXT.encode("utf-8-sig"),
        TEXT.encode("utf-16"),
        b"\xfe\xff" + TEXT.encode("utf-16-be"),
        TEXT.encode("utf-16-le"),
        TEXT.encode("utf-16-be"),
        TEXT.replace("\n", "\0").encode(),
    ],
    ids=["utf-8", "bom", "utf-16", "utf-16-be", "unmarked-le", "unmarked-be", "nul"],
)
def test_every_encoding_gives_the_same_lines(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "list.txt"
    file.write_bytes(content)
    assert list(open_lines(str(file))) == LINES


def test_nul_separated_paths_longer_than_a_block(tmp_path: Path) -> None:
    file = tmp_path / "list.txt"
    paths = [f"{'x' * 2000}{n}.mp4 1" for n in range(100)]
    file.write_bytes("\0".join(paths).encode())
    assert [line.strip() for line in open_lines(str(file))] == paths


def test_bytes_that_are_not_utf8_stay_the_same_file_name(tmp_path: Path) -> None:
    file = tmp_path / "list.txt"
    file.write_bytes(b"caf\xe9.mp4 1\n")
    (line,) = open_lines(str(file))
    assert os.fsencode(line) == b"caf\xe9.mp4 1\n"


@pytest.mark.parametrize(
    "content",
    [b"\0\0\0\x18ftypmp42 1\n", b"x" * 100_000, b"\x1aE\xdf\xa3\0a\0\0b"],
)
def test_a_video_given_as_a_list_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "clip.mp4"
    file.write_bytes(content)
    with pytest.raises(UsageError, match="not a text file"):
        list(open_lines(str(file)))
    assert not is_kinetics_csv(str(file))


def test_only_regular_files_are_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    for path in (tmp_path, tmp_path / "pipe.csv", tmp_path / "absent.csv"):
        with pytest.raises(UsageError, match="is not a file"):
            list(open_lines(str(path)))
