import unicodedata
from pathlib import Path

import pytest

from hiera_cli.datasets.dataset import Dataset, read_dataset, splits_of
from hiera_cli.datasets.sample import check_learnable
from hiera_cli.errors import HieraError, NoInputError, UsageError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Four clips in two folders."""
    for name in ("walk/a b.mp4", "walk/c.mp4", "run/d.webm", "run/e.mp4"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"clip")
    return tmp_path


def write(root: Path, text: str, name: str = "list.txt", encoding: str = "utf-8") -> str:
    (root / name).write_bytes(text.encode(encoding))
    return str(root / name)


def labels(dataset: Dataset) -> list[tuple[str, str]]:
    return [(sample.name, sample.label) for sample in dataset.samples]


PLAIN = [("walk/a b.mp4", "walk"), ("walk/c.mp4", "walk"), ("run/d.webm", "run")]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("end", ["\n", "\r\n", " \t\r\n"])
@pytest.mark.parametrize("separator", [",", ";", "\t", " "])
def test_names_with_every_separator_encoding_and_line_end(
    root: Path, separator: str, end: str, encoding: str
) -> None:
    text = "".join(f'"{path}"{separator}{label}{end}' for path, label in PLAIN)
    header = f"path{separator}label{end}"
    for written in (text, header + text):
        dataset = read_dataset(write(root, written, encoding=encoding))
        assert labels(dataset) == PLAIN
        assert dataset.classes == ("run", "walk")
        assert dataset.num_missing == 0
        assert not dataset.warnings


def test_nul_separators(root: Path) -> None:
    text = "".join(f"{path} {label}\0" for path, label in PLAIN)
    assert labels(read_dataset(write(root, text))) == PLAIN


NUMBERED = "walk/a b.mp4 0\nwalk/c.mp4 0\nrun/d.webm 1\n"


@pytest.mark.parametrize(
    ("name", "names"),
    [
        ("classes.txt", "walk\nrun\n"),
        ("labels.txt", "walk\nrun\n"),
        ("label_map_mine.txt", "walk\nrun\n"),
        ("classes.csv", "id,name\n0,walk\n1,run\n"),
        ("labels.json", '{"walk": 0, "run": 1}'),
    ],
)
def test_numbers_have_the_names_beside_the_list(root: Path, name: str, names: str) -> None:
    write(root, names, name)
    dataset = read_dataset(write(root, NUMBERED))
    assert labels(dataset) == PLAIN
    assert dataset.classes == ("walk", "run")  # in the order of their numbers
    assert not dataset.indexed
    assert f"2 class names from '{root / name}'" in dataset.layout


def test_names_that_are_given_count_before_those_beside(root: Path) -> None:
    write(root, "x\ny\n", "classes.txt")
    given = write(root, "1 walk\n2 run\n", "mine.txt")
    dataset = read_dataset(
        write(root, NUMBERED.replace(" 1", " 2").replace(" 0", " 1")), class_names=given
    )
    assert labels(dataset) == PLAIN
    named = "".join(f"{path} {label}\n" for path, label in PLAIN)
    assert read_dataset(write(root, named), class_names=given).classes == ("walk", "run")
    assert read_dataset(write(root, named)).classes == ("run", "walk")


def test_numbers_from_one(root: Path) -> None:
    text = "walk/a b.mp4 1\nwalk/c.mp4 1\nrun/d.webm 2\n"
    names = write(root, "walk\nrun\n", "names.txt")
    assert labels(read_dataset(write(root, text), class_names=names, labels_from=1)) == PLAIN
    assert read_dataset(write(root, text), labels_from=1).classes == ("0", "1")
    with pytest.raises(UsageError, match="line 1: class 0 with --labels-from 1"):
        read_dataset(write(root, NUMBERED), labels_from=1)
    with pytest.raises(UsageError, match="--labels-from is 2"):
        read_dataset(write(root, text), labels_from=2)


MISTAKES = {
    "wrong column count": (
        "path,label\nwalk/c.mp4,0\nwalk/a, b.mp4,0\n",
        "line 3: 3 columns, the header has 2: walk/a, b.mp4,0",
        "put quotes around",
    ),
    "unknown class number": (
        "walk/c.mp4 0\nrun/e.mp4 7\n",
        "line 2: class 7 is unknown: '{names}' names 0 to 1",
        "choose the right names with --class-names FILE",
    ),
    "counted from 1": (
        "walk/c.mp4 1\nrun/e.mp4 2\n",
        "line 2: class 2 is unknown: '{names}' names 0 to 1",
        "--labels-from 1",
    ),
    "unknown class name": (
        "walk/c.mp4 walk\nrun/e.mp4 runn\n",
        "line 2: 'runn' is none of the 2 classes in '{names}'",
        "did you mean 'run'?",
    ),
    "mixed names and numbers": (
        "walk/c.mp4 0\nrun/e.mp4 run\nrun/d.webm 1\n",
        "line 2: 'run' is a name, but 2 of 3 labels are numbers",
        "--class-names",
    ),
    "mixed numbers and names": (
        "path,label\nwalk/c.mp4,walk\nrun/e.mp4,1\nrun/d.webm,run\n",
        "line 3: '1' is a number, but 2 of 3 labels are names",
        "--class-names",
    ),
    "path with spaces": (
        "path label\nwalk/c.mp4 walk\nwalk/a b.mp4 walk\n",
        "line 3: 3 columns, the header has 2: walk/a b.mp4 walk",
        "put quotes around",
    ),
    "no split in a row": (
        "path,label,split\nwalk/c.mp4,walk,train\nrun/e.mp4,run,\n",
        "line 3: no split for 'run/e.mp4'",
        "",
    ),
    "unknown header": (
        "recording,kind\nwalk/c.mp4,walk\nrun/e.mp4,run\n",
        "line 1: neither a video nor a known header: recording,kind",
        "call its columns path and label",
    ),
    "empty list": ("\n\n", "nothing is listed there", ""),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_every_mistake_has_its_message(root: Path, mistake: str) -> None:
    text, message, hint = MISTAKES[mistake]
    names = write(root, "walk\nrun\n", "names.txt")
    with pytest.raises(HieraError) as caught:
        read_dataset(write(root, text), class_names=names)
    assert message.format(names=names) in caught.value.message
    assert hint in caught.value.hint


def test_a_missing_file_is_shown_with_the_nearest(root: Path) -> None:
    dataset = read_dataset(write(root, "walk/d.mp4 walk\nwalk/c.mp4 walk\nrun/e.mp4 run\n"))
    assert dataset.num_missing == 1
    hint = f"line 1: '{root}/walk/d.mp4' was looked for; the nearest that exists is "
    assert dataset.missing_hint.startswith(hint)
    assert dataset.warnings == (f"1 of 3 videos are missing: {dataset.missing_hint}",)
    none = read_dataset(write(root, "Walk/c.mp4 walk\nrun/c.mp4 run\n"))
    assert none.num_missing == 2
    assert none.missing_hint.endswith(f"the nearest that exists is '{root}/walk/c.mp4'")
    assert not none.warnings  # the commands say it: nothing is left to do


def test_an_empty_class_is_said(root: Path) -> None:
    names = write(root, "walk\nhop\nrun\n", "names.txt")
    named = "".join(f"{path} {label}\n" for path, label in PLAIN)
    dataset = read_dataset(write(root, named), class_names=names)
    assert dataset.warnings == ("1 of 3 classes has no video: 'hop'",)
    assert dataset.classes == ("walk", "run")


def test_a_single_class_and_one_clip_a_class(root: Path) -> None:
    single = read_dataset(write(root, "walk/c.mp4 walk\nwalk/a b.mp4 walk\n"))
    with pytest.raises(UsageError, match="all 2 videos are of one class, 'walk'"):
        check_learnable(single)
    one_each = read_dataset(write(root, "walk/c.mp4 walk\nrun/e.mp4 run\n"))
    (problem,) = check_learnable(one_each)
    assert problem == "every class has a single video: nothing is left to validate on"
    (problem,) = check_learnable(
        read_dataset(str(write(root, "".join(f"{p} {n}\n" for p, n in PLAIN))))
    )
    assert problem == "a single video of 'run': such classes cannot be validated"
    (problem, _) = check_learnable(read_dataset(write(root, "walk/c.mp4 walk\ngone.mp4 run\n")))
    assert problem == "none of the videos of 'run' exists"


def test_one_file_with_a_column_of_splits(root: Path) -> None:
    text = "group,split,label,path\n" + "".join(
        f"day {n},{split},{label},{path}\n"
        for n, (split, (path, label)) in enumerate(
            zip(["train", "Training", "validation"], PLAIN, strict=True)
        )
    )
    file = write(root, text, "dataset.csv")
    for place in (file, str(root)):
        assert splits_of(place) == ("train", "val")
        assert labels(read_dataset(place)) == PLAIN[2:]
        training = read_dataset(place, split="train")
        assert labels(training) == PLAIN[:2]
        assert [sample.group for sample in training.samples] == ["day 0", "day 1"]
        assert {sample.split for sample in training.samples} == {"train"}
    with pytest.raises(UsageError, match="has no split 'test'") as caught:
        read_dataset(file, split="test")
    assert caught.value.hint == "choose with --split: train, val"


def test_two_lists_in_a_folder_are_its_splits(root: Path) -> None:
    write(root, "walk/c.mp4,walk\nrun/e.mp4,run\n", "train.csv")
    write(root, "run/d.webm,run\n", "val.csv")
    assert splits_of(str(root)) == ("train", "val")
    assert len(read_dataset(str(root), split="train").samples) == 2
    assert len(read_dataset(str(root)).samples) == 1


def test_groups_by_column_and_by_expression(root: Path) -> None:
    file = write(root, "path,label,camera\nwalk/c.mp4,walk,n\nrun/e.mp4,run,s\n")
    assert [s.group for s in read_dataset(file, group="camera").samples] == ["n", "s"]
    assert [s.group for s in read_dataset(file, group=r"(\w)\.mp4").samples] == ["c", "e"]
    assert [s.group for s in read_dataset(file, group="walk").samples] == ["walk", ""]
    with pytest.raises(UsageError, match="found in no name") as caught:
        read_dataset(file, group="kamera")
    assert "its columns are path, label, camera" in caught.value.message
    with pytest.raises(UsageError, match="--group"):
        read_dataset(file, group="(")


def test_windows_paths_and_composed_accents_mean_the_file_that_exists(root: Path) -> None:
    composed = unicodedata.normalize("NFC", "walk/é.mp4")
    decomposed = unicodedata.normalize("NFD", "run/ü.mp4")
    for name in (composed, decomposed):
        (root / name).write_bytes(b"clip")
    text = "walk\\c.mp4 walk\n" + unicodedata.normalize("NFD", composed) + " walk\n"
    text += unicodedata.normalize("NFC", decomposed).replace("/", "\\") + " run\nrun/e run\n"
    dataset = read_dataset(write(root, text))
    assert [s.path for s in dataset.samples] == [
        str(root / name) for name in ("walk/c.mp4", composed, decomposed, "run/e.mp4")
    ]
    assert dataset.warnings == (
        "1 path was found with / instead of \\",
        "2 paths were found with accents composed in another way",
        "1 path was found with the suffix .mp4",
    )


def test_an_empty_file_gives_way_to_the_same_clip_that_is_whole(root: Path) -> None:
    (root / "run/d.mp4").touch()
    (root / "walk/f.mp4").touch()
    dataset = read_dataset(write(root, "run/d.mp4 run\nwalk/f.mp4 walk\n"))
    assert [s.path for s in dataset.samples] == [str(root / "run/d.webm"), str(root / "walk/f.mp4")]
    assert dataset.warnings == (
        "1 path was found with another suffix, because the file that is listed is empty",
    )


def test_a_list_of_nothing_but_a_header(root: Path) -> None:
    with pytest.raises(NoInputError, match="nothing is listed"):
        read_dataset(write(root, "path,label\n"))


NUMBERS = "path,label\nwalk/a b.mp4,1;0\nwalk/c.mp4,0\nrun/d.webm,1;1\n"


def test_several_numbers_are_several_classes(root: Path) -> None:
    data = read_dataset(write(root, NUMBERS), multi_label=True)
    assert data.classes == ("0", "1")
    assert [data.labels_of(sample) for sample in data.samples] == [("1", "0"), ("0",), ("1",)]
    assert data.indexed


def test_several_numbers_have_names(root: Path) -> None:
    names = write(root, "walk\nrun\nswim\n", "names.txt")
    data = read_dataset(write(root, NUMBERS), class_names=names, multi_label=True)
    assert data.classes == ("walk", "run")
    assert [data.labels_of(sample) for sample in data.samples] == [
        ("run", "walk"),
        ("walk",),
        ("run",),
    ]
    assert data.warnings == ("1 of 3 classes has no video: 'swim'",)


def test_several_numbers_from_1(root: Path) -> None:
    text = NUMBERS.replace("1", "2").replace("0", "1")
    assert read_dataset(write(root, text), labels_from=1, multi_label=True).classes == ("0", "1")
    with pytest.raises(UsageError, match="class 0 with --labels-from 1"):
        read_dataset(write(root, NUMBERS), labels_from=1, multi_label=True)


@pytest.mark.parametrize(
    ("cell", "multi_label", "problem", "hint"),
    [
        ("1;0", False, "'1;0' is a name, but 2 of 3 labels are numbers", "--multi-label"),
        ("1 0", True, "line 2: the label '1 0' is several numbers", "3;7"),
        (";", True, "line 2: no class in the label ';'", ""),
    ],
)
def test_several_numbers_that_cannot_be_read(
    root: Path, cell: str, multi_label: bool, problem: str, hint: str
) -> None:
    text = f"path,label\nwalk/a b.mp4,{cell}\nwalk/c.mp4,0\nrun/d.webm,1\n"
    with pytest.raises(UsageError, match=problem) as caught:
        read_dataset(write(root, text), multi_label=multi_label)
    assert hint in caught.value.hint


def test_labels_of_another_encoding_are_told(root: Path) -> None:
    """The list is read, as its paths may be any bytes."""
    text = "path,label\nwalk/c.mp4,café\nrun/d.webm,thé\n"
    data = read_dataset(write(root, text, "list.csv", encoding="latin-1"))
    assert (data.classes, data.num_missing) == (("caf\\xe9", "th\\xe9"), 0)
    assert data.warnings[0].startswith("line 2: the label 'caf\\xe9' is no UTF-8")
