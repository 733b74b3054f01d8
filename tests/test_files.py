"""Files that appear whole or not at all, and what is no file and stays what it is."""

import os
import stat
import threading
from pathlib import Path

import pytest

from hiera_cli.errors import OutputError
from hiera_cli.files import is_special, replacing, replacing_folder, write_bytes, write_text
from hiera_cli.tables import parse_output


def fail_in_the_middle(path: Path) -> None:
    path.write_text("half")
    raise KeyError


def test_a_file_is_whole_or_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_text(path, "éins\n")
    assert path.read_bytes() == "éins\n".encode()
    with pytest.raises(KeyError), replacing(path) as part:
        fail_in_the_middle(part)
    assert path.read_text(encoding="utf-8") == "éins\n"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_permissions_are_those_of_the_file_before_or_of_the_umask(tmp_path: Path) -> None:
    old = os.umask(0o027)
    try:
        new, kept = tmp_path / "new", tmp_path / "kept"
        kept.write_text("x")
        kept.chmod(0o600)
        write_text(new, "")
        write_text(kept, "")
    finally:
        os.umask(old)
    assert stat.S_IMODE(new.stat().st_mode) == 0o640
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600


def test_a_link_stays_and_its_target_is_replaced(tmp_path: Path) -> None:
    real, link = tmp_path / "far" / "real.csv", tmp_path / "link.csv"
    real.parent.mkdir()
    real.write_text("old")
    link.symlink_to(real)
    write_text(link, "new")
    assert link.is_symlink()
    assert real.read_text() == "new"


def test_a_fifo_is_written_into(tmp_path: Path) -> None:
    pipe, got = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()))
    reader.start()
    write_bytes(pipe, b"data")
    reader.join(10)
    assert got == [b"data"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes device nodes")
def test_a_device_node_stays_one(tmp_path: Path) -> None:
    node = tmp_path / "null"
    try:
        os.mknod(node, 0o666 | stat.S_IFCHR, os.makedev(1, 3))
        node.open("wb").close()
    except OSError:
        pytest.skip("this file system has no device nodes")
    write_text(node, "gone")
    assert stat.S_ISCHR(node.stat().st_mode)
    assert is_special(node)
    assert parse_output(node).is_special


def test_a_folder_is_replaced_as_a_whole(tmp_path: Path) -> None:
    folder = tmp_path / "made"
    with replacing_folder(folder) as part:
        (part / "one").write_text("1")
    with pytest.raises(KeyError), replacing_folder(folder) as part:
        fail_in_the_middle(part / "two")
    assert os.listdir(folder) == ["one"]
    assert os.listdir(tmp_path) == ["made"]


def test_what_cannot_be_written_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot write") as caught:
        write_text(tmp_path / "nowhere" / "a.txt", "")
    assert caught.value.hint
