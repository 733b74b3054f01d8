"""Archives of pictures: members by path, in order, and every kind of damage refused by name."""

import zipfile
from pathlib import Path

import pytest

from hiera_cli.archives import members_below, read_member, split_archive, subfolders
from hiera_cli.errors import MediaError, UsageError
from hiera_cli.inputs import IMAGE_SUFFIXES, VIDEO_SUFFIXES, expand_inputs


@pytest.fixture
def archive(tmp_path: Path) -> str:
    path = tmp_path / "pets.ZIP"
    with zipfile.ZipFile(path, "w") as file:
        for name in ("pets/train/dog/2.jpg", "pets/train/cat/1.PNG", "pets/val/cat/3.jpg"):
            file.writestr(name, f"picture {name}")
        file.writestr("pets/read.me", "no picture")
        file.writestr("__MACOSX/pets/train/cat/1.PNG", "rubbish")
        file.writestr("pets/train/.hidden/4.jpg", "rubbish")
    return str(path)


def test_a_path_through_an_archive(archive: str, tmp_path: Path) -> None:
    assert split_archive(archive) == (archive, "")
    assert split_archive(f"{archive}/pets/train/") == (archive, "pets/train")
    assert split_archive(str(tmp_path / "absent.zip" / "a.jpg")) is None
    (tmp_path / "folder.zip").mkdir()
    assert split_archive(str(tmp_path / "folder.zip")) is None


def test_pictures_are_listed_in_order(archive: str) -> None:
    found = list(expand_inputs([archive], suffixes=IMAGE_SUFFIXES))
    assert [f.name for f in found] == [
        "pets/train/cat/1.PNG",
        "pets/train/dog/2.jpg",
        "pets/val/cat/3.jpg",
    ]
    assert found[0].path == f"{archive}/pets/train/cat/1.PNG"
    below = expand_inputs([f"{archive}/pets/val"], suffixes=IMAGE_SUFFIXES)
    assert [f.name for f in below] == ["cat/3.jpg"]
    assert [f.path for f in expand_inputs([archive], suffixes=VIDEO_SUFFIXES)] == [archive]
    assert subfolders(archive) == ["pets"]
    assert subfolders(f"{archive}/pets") == ["train", "val"]


def test_members_are_read(archive: str) -> None:
    assert read_member(f"{archive}/pets/val/cat/3.jpg") == b"picture pets/val/cat/3.jpg"
    with pytest.raises(MediaError) as caught:
        read_member(f"{archive}/pets/val/cat/9.jpg")
    assert caught.value.kind == "not_found"


def test_a_damaged_member_is_a_failure(archive: str) -> None:
    content = Path(archive).read_bytes()
    Path(archive).write_bytes(content.replace(b"picture pets/val", b"pictuRE pets/val"))
    with pytest.raises(MediaError) as caught:
        read_member(f"{archive}/pets/val/cat/3.jpg")
    assert caught.value.kind == "corrupt"


def test_what_is_no_archive_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"nothing")
    with pytest.raises(UsageError, match="cannot read the archive"):
        list(members_below(str(tmp_path / "a.zip"), IMAGE_SUFFIXES))
