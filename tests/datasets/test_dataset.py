import os
from pathlib import Path

import pytest

from hiera_cli.datasets.dataset import Dataset, Sample, normalise_label, read_dataset, splits_of
from hiera_cli.errors import NoInputError, UsageError

HEADER = "label,youtube_id,time_start,time_end,split\n"


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def found(dataset: Dataset) -> dict[str, str]:
    return {s.name: s.label for s in dataset.samples if s.path is not None}


@pytest.fixture
def kinetics(tmp_path: Path) -> Path:
    """Videos of two splits under class folders, two of them missing, one row repeated."""
    touch(
        tmp_path,
        "val/playing_guitar/a_b-c_000001_000011.mkv",
        "val/pull ups/def_000002_000012.webm",
        "val/pull ups/unlisted_000001_000011.mp4",
        "train/pull ups/ghi_000003_000013.mp4",
    )
    (tmp_path / "annotations").mkdir()
    (tmp_path / "annotations" / "kinetics.csv").write_text(
        HEADER + '"playing guitar",a_b-c,1,11,validate\n'
        "pull ups,def,2,12,validate\n"
        "pull ups,def,2,12,validate\n"
        "Pull Ups,gone,5,15,validate\n"
        "zorbing,also_gone,7,17,validate\n"
        "pull ups,ghi,3,13,train\n"
    )
    return tmp_path


def test_kinetics_folder_keeps_missing_videos_and_counts_repeated_rows(kinetics: Path) -> None:
    dataset = read_dataset(str(kinetics))
    guitar = "val/playing_guitar/a_b-c_000001_000011.mkv"
    assert dataset.samples == (
        Sample(str(kinetics / guitar), guitar, "playing guitar", "a_b-c", "val"),
        Sample(
            str(kinetics / "val/pull ups/def_000002_000012.webm"),
            "val/pull ups/def_000002_000012.webm",
            "pull ups",
            "def",
            "val",
        ),
        Sample(None, "gone_000005_000015", "pull ups", "gone", "val"),
        Sample(None, "also_gone_000007_000017", "zorbing", "also_gone", "val"),
    )
    assert dataset.classes == ("playing guitar", "pull ups", "zorbing")
    assert (dataset.num_duplicates, dataset.num_missing) == (1, 2)
    assert "validate split" in dataset.layout


@pytest.mark.parametrize("split", ["val", "validate", "VAL"])
def test_split_names_are_aliases(kinetics: Path, split: str) -> None:
    assert len(read_dataset(str(kinetics), split=split).samples) == 4
    assert len(read_dataset(str(kinetics), split="train").samples) == 1


def test_kinetics_split_folder_finds_the_annotations_beside_it(kinetics: Path) -> None:
    dataset = read_dataset(str(kinetics / "val"))
    assert list(found(dataset)) == [
        "playing_guitar/a_b-c_000001_000011.mkv",
        "pull ups/def_000002_000012.webm",
    ]
    assert read_dataset(str(kinetics / "annotations" / "kinetics.csv")).num_missing == 2


def test_unknown_split_is_refused_with_the_ones_there_are(kinetics: Path) -> None:
    with pytest.raises(UsageError, match="no split 'test'") as caught:
        read_dataset(str(kinetics), split="test")
    assert "train, validate" in caught.value.hint


def test_one_csv_a_split_is_chosen_by_name(tmp_path: Path) -> None:
    for split in ("train", "validate"):
        table = f"label,youtube_id,time_start,time_end,split\nrun,{split}1,0,10,{split}\n"
        (tmp_path / f"kinetics_700_{split}.csv").write_text(table)
    touch(tmp_path, "train1_000000_000010.mp4", "validate1_000000_000010.mp4")
    assert list(found(read_dataset(str(tmp_path)))) == ["validate1_000000_000010.mp4"]
    assert list(found(read_dataset(str(tmp_path), split="train"))) == ["train1_000000_000010.mp4"]


def test_several_fitting_csv_files_need_a_choice(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(HEADER)
    (tmp_path / "b.csv").write_text(HEADER)
    with pytest.raises(UsageError, match="several annotation files fit"):
        read_dataset(str(tmp_path))
    with pytest.raises(NoInputError, match="nothing is listed"):
        read_dataset(str(tmp_path), annotations=str(tmp_path / "a.csv"))


def test_contradicting_rows_keep_the_first_and_warn(tmp_path: Path) -> None:
    (tmp_path / "val.csv").write_text(HEADER + "run,a,0,10,val\nwalk,a,0,10,val\n")
    touch(tmp_path, "a_000000_000010.mp4")
    dataset = read_dataset(str(tmp_path))
    assert found(dataset) == {"a_000000_000010.mp4": "run"}
    assert dataset.num_duplicates == 1
    assert dataset.warnings == (
        "1 repeated rows contradict the label of the first: "
        "'a_000000_000010.mp4' is 'run' and 'walk'",
    )


def test_class_folders(tmp_path: Path) -> None:
    touch(tmp_path, "b_c/2.mp4", "b_c/deep/3.MKV", "a/1.webm", "a/cover.jpg", "a/notes.txt")
    touch(tmp_path, "loose.mp4", ".hidden/4.mp4")
    dataset = read_dataset(str(tmp_path))
    assert found(dataset) == {"a/1.webm": "a", "b_c/2.mp4": "b_c", "b_c/deep/3.MKV": "b_c"}
    assert dataset.classes == ("a", "b_c")
    assert dataset.warnings == ("1 files beside the class folders are left out",)


def test_image_folders_where_there_is_no_video(tmp_path: Path) -> None:
    touch(tmp_path, "val/n01440764/ILSVRC2012_val_00000293.JPEG", "val/n01443537/b.jpg")
    dataset = read_dataset(str(tmp_path))
    assert dataset.classes == ("n01440764", "n01443537")
    assert "val/n01440764/ILSVRC2012_val_00000293.JPEG" in found(dataset)


def test_class_folders_under_splits(tmp_path: Path) -> None:
    touch(tmp_path, "train/a/1.mp4", "validation/a/2.mp4")
    assert list(found(read_dataset(str(tmp_path)))) == ["validation/a/2.mp4"]
    assert list(found(read_dataset(str(tmp_path), split="train"))) == ["train/a/1.mp4"]
    assert list(found(read_dataset(str(tmp_path / "train"), split="train"))) == ["a/1.mp4"]
    with pytest.raises(UsageError, match="no folder for the split 'test'"):
        read_dataset(str(tmp_path), split="test")


def test_splits_without_val_need_a_choice(tmp_path: Path) -> None:
    touch(tmp_path, "train/a/1.mp4", "test/a/2.mp4")
    with pytest.raises(UsageError, match="several splits"):
        read_dataset(str(tmp_path))


def test_a_class_called_train_is_a_class_beside_others(tmp_path: Path) -> None:
    touch(tmp_path, "train/1.mp4", "bus/2.mp4")
    assert read_dataset(str(tmp_path)).classes == ("bus", "train")


def test_folders_that_differ_in_spelling_are_one_class(tmp_path: Path) -> None:
    touch(tmp_path, "pull_ups/1.mp4", "pull ups/2.mp4")
    dataset = read_dataset(str(tmp_path))
    assert len(dataset.classes) == 1
    assert {normalise_label(s.label) for s in dataset.samples} == {"pull ups"}


@pytest.mark.parametrize("separator", [" ", ",", "\t", ", "])
def test_lists_with_every_separator_read_the_same(tmp_path: Path, separator: str) -> None:
    touch(tmp_path, "my clips/a, b.mp4", "c.mp4")
    lines = [("my clips/a, b.mp4", "10"), ("c.mp4", "9"), ("gone.mp4", "9"), ("./c.mp4", "9")]
    (tmp_path / "list.txt").write_text("".join(f"{p}{separator}{label}\n" for p, label in lines))
    dataset = read_dataset(str(tmp_path / "list.txt"))
    assert dataset.samples == (
        Sample(str(tmp_path / "my clips/a, b.mp4"), "my clips/a, b.mp4", "10"),
        Sample(str(tmp_path / "c.mp4"), "c.mp4", "9"),
        Sample(None, "gone.mp4", "9"),
    )
    assert dataset.indexed
    assert dataset.classes == ("9", "10")
    assert dataset.num_duplicates == 1


def test_list_with_absolute_paths_or_a_root_or_paths_from_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(tmp_path, "videos/a.mp4", "lists/unrelated")
    absolute, relative = tmp_path / "lists" / "abs.txt", tmp_path / "lists" / "rel.txt"
    absolute.write_text(f"{tmp_path / 'videos/a.mp4'} playing guitar\n")
    relative.write_text("a.mp4 playing_guitar\n")
    monkeypatch.chdir(tmp_path / "videos")
    for dataset in (
        read_dataset(str(absolute)),
        read_dataset(str(tmp_path / "videos"), annotations=str(relative)),
        read_dataset(str(relative)),
    ):
        (sample,) = dataset.samples
        assert sample.path
        assert Path(sample.path).resolve() == tmp_path / "videos/a.mp4"
        assert normalise_label(sample.label) == "playing guitar"
        assert not dataset.indexed


def test_videomae_folder_with_a_headerless_val_csv(tmp_path: Path) -> None:
    touch(tmp_path, "videos/a.mp4")
    (tmp_path / "val.csv").write_text("videos/a.mp4 3\n")
    (tmp_path / "train.csv").write_text("videos/b.mp4 4\n")
    assert found(read_dataset(str(tmp_path))) == {"videos/a.mp4": "3"}


@pytest.mark.parametrize("name", ["absent", "a\0b", "\ud800"])
def test_nothing_there(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="no data set at"):
        read_dataset(f"{tmp_path}/{name}")


def test_folder_without_classes(tmp_path: Path) -> None:
    touch(tmp_path, "a.mp4")
    with pytest.raises(NoInputError, match="no class folders"):
        read_dataset(str(tmp_path))


def test_class_folder_with_a_hostile_name_is_safe_to_print(tmp_path: Path) -> None:
    folder = os.fsencode(tmp_path) + b"/caf\xe9\x1b[2J"
    os.mkdir(folder)
    open(folder + b"/a.mp4", "wb").close()
    dataset = read_dataset(str(tmp_path))
    assert dataset.classes == ("caf\\xe9\\x1b[2J",)
    assert dataset.samples[0].path
    assert os.path.exists(dataset.samples[0].path)


def test_the_split_is_known_where_a_name_tells_it(kinetics: Path, tmp_path: Path) -> None:
    touch(tmp_path, "folders/validation/a/1.mp4", "plain/a/1.mp4")
    (tmp_path / "kinetics400_val_list_videos.txt").write_text("a.mp4 1\n")
    assert read_dataset(str(kinetics), split="validate").split == "val"
    assert read_dataset(str(tmp_path / "kinetics400_val_list_videos.txt")).split == "val"
    assert read_dataset(str(tmp_path / "folders")).split == "val"
    assert read_dataset(str(tmp_path / "plain")).split == ""


def link(root: Path, name: str, target: str) -> None:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).symlink_to(root / target)


def test_class_folders_and_splits_that_are_links(tmp_path: Path) -> None:
    touch(tmp_path, "store/one/1.mp4", "store/two/2.mp4", "data/train/b/3.mp4")
    link(tmp_path, "data/train/a", "store/one")
    link(tmp_path, "data/train/a/loop", "data/train")  # leads back: not followed
    link(tmp_path, "data/val", "other")
    link(tmp_path, "other/a", "store/two")
    root = str(tmp_path / "data")
    assert splits_of(root) == ("train", "val")
    training = found(read_dataset(root, split="train"))
    assert training == {"train/a/1.mp4": "a", "train/b/3.mp4": "b"}
    assert found(read_dataset(root)) == {"val/a/2.mp4": "a"}


def test_equal_files_behind_links_keep_their_labels(tmp_path: Path) -> None:
    touch(tmp_path, "blobs/sha")
    link(tmp_path, "data/a/x.mp4", "blobs/sha")
    link(tmp_path, "data/b/y.mp4", "blobs/sha")
    assert found(read_dataset(str(tmp_path / "data"))) == {"a/x.mp4": "a", "b/y.mp4": "b"}


def test_a_kinetics_tree_behind_links(tmp_path: Path) -> None:
    touch(tmp_path, "store/pull ups/a_000000_000010.mp4")
    link(tmp_path, "k/val", "store")
    (tmp_path / "k" / "annotations.csv").write_text(HEADER + "pull ups,a,0,10,val\n")
    assert found(read_dataset(str(tmp_path / "k"))) == {
        "val/pull ups/a_000000_000010.mp4": "pull ups"
    }


def test_an_empty_file_gives_way_to_the_same_clip_with_another_suffix(tmp_path: Path) -> None:
    touch(tmp_path, "a/1.mp4", "b/2.mp4", "k/val/c_000000_000010.mp4")
    for name in ("a/1.webm", "k/val/c_000000_000010.webm"):
        (tmp_path / name).write_bytes(b"whole")
    (tmp_path / "k" / "val.csv").write_text(HEADER + "run,c,0,10,val\n")
    kinetics = read_dataset(str(tmp_path / "k"))
    assert list(found(kinetics)) == ["val/c_000000_000010.webm"]
    assert kinetics.warnings == (
        "1 empty files are left out, the same clip is there with another suffix: "
        "'c_000000_000010.mp4'",
    )
    folders = read_dataset(str(tmp_path))
    assert found(folders)["a/1.webm"] == "a"
    assert "a/1.mp4" not in found(folders)
    assert "b/2.mp4" in found(folders)


def test_class_folders_without_a_video_are_said(tmp_path: Path) -> None:
    touch(tmp_path, "a/1.mp4", "b/2.mp4", "c/notes.txt", "__MACOSX/a/._1.mp4")
    (tmp_path / "d").mkdir()
    assert read_dataset(str(tmp_path)).warnings == ("2 of 4 classes have no video: 'c', 'd'",)


def test_splits_beside_other_folders(tmp_path: Path) -> None:
    touch(tmp_path, "train/a/1.mp4", "val/a/2.mp4", "docs/readme.txt")
    assert splits_of(str(tmp_path)) == ("train", "val")
    assert list(found(read_dataset(str(tmp_path)))) == ["val/a/2.mp4"]


def test_splits_of_other_layouts(kinetics: Path, tmp_path: Path) -> None:
    assert splits_of(str(kinetics)) == ("train", "val")
    assert splits_of(str(kinetics / "annotations" / "kinetics.csv")) == ("train", "val")
    touch(tmp_path, "plain/a/1.mp4", "plain/b/2.mp4")
    assert splits_of(str(tmp_path / "plain")) == ()


def test_a_missing_kinetics_clip_says_where_it_was_looked_for(kinetics: Path) -> None:
    hint = read_dataset(str(kinetics)).missing_hint
    assert hint.startswith(f"'gone_000005_000015.*' was looked for below '{kinetics}/val'; '")
    assert hint.endswith(".mkv' is there")
