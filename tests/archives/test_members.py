"""Archives: members by path, in order, and every kind of damage refused by name."""

import io
import tarfile
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
    outright = f"{archive}/pets/val/cat/3.jpg"  # what is named outright is taken
    assert [f.path for f in expand_inputs([outright])] == [outright]
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


@pytest.fixture
def shards(tmp_path: Path) -> Path:
    """Three tars as WebDataset has them, each with a video's name, a text and a link."""
    for number in range(3):
        with tarfile.open(tmp_path / f"shard-{number:03d}.tar", "w") as file:
            for name in (f"./{number}.mp4", f"{number}.json"):
                member = tarfile.TarInfo(name)
                member.size = len(name)
                file.addfile(member, io.BytesIO(name.encode()))
            link = tarfile.TarInfo("passwd.mp4")
            link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
            file.addfile(link)
    return tmp_path


@pytest.mark.parametrize("pattern", ["shard-{000..002}.tar", "shard-*.tar"])
def test_shards_by_range_and_by_pattern(shards: Path, pattern: str) -> None:
    found = list(expand_inputs([str(shards / pattern)]))
    assert [f.name for f in found] == ["0.mp4", "1.mp4", "2.mp4"]
    assert found[1].path == f"{shards}/shard-001.tar/1.mp4"
    assert read_member(found[1].path) == b"./1.mp4"


def test_a_shard_that_is_missing_is_an_input_that_is_not_found(shards: Path) -> None:
    found = list(expand_inputs([str(shards / "shard-{002..003}.tar")]))
    assert [f.path for f in found] == [f"{shards}/shard-002.tar/2.mp4", f"{shards}/shard-003.tar"]


def test_a_file_whose_name_looks_like_a_range_is_itself(tmp_path: Path) -> None:
    path = tmp_path / "clip {1..2}.mp4"
    path.touch()
    assert [f.path for f in expand_inputs([str(path)])] == [str(path)]


def test_a_tar_that_was_cut_short(shards: Path) -> None:
    path = shards / "shard-000.tar"
    path.write_bytes(path.read_bytes()[:515])
    with pytest.raises(MediaError) as caught:
        read_member(f"{path}/0.mp4")
    assert caught.value.kind == "corrupt"


def test_a_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hiera_cli.archives.packed.MAX_MEMBER_BYTES", 1000)
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("bomb.mp4", b"\0" * 100_000)
    with pytest.raises(MediaError) as caught:
        read_member(f"{tmp_path}/a.zip/bomb.mp4")
    assert caught.value.kind == "too_large"
