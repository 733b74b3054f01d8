from pathlib import Path

import pytest

from hiera_cli.datasets.lists.read import is_list_table, read_list
from hiera_cli.datasets.lists.rows import ListedPath, ListFile, clean_label
from hiera_cli.errors import UsageError


def read(text: str, *there: str, group: str | None = None) -> ListFile:
    lines = text.splitlines(keepends=True)
    return read_list(lines, source="x.txt", group=group, exists=lambda path: path in there)


def pairs(text: str, *there: str) -> list[tuple[str, str]]:
    return [(row.path, row.label) for row in read(text, *there).rows]


@pytest.mark.parametrize(
    ("line", "path", "label"),
    [
        ("a.mp4 3", "a.mp4", "3"),
        ("/data/my videos/a b.mp4 12", "/data/my videos/a b.mp4", "12"),
        ("a, b.mp4,7", "a, b.mp4", "7"),
        ("a; b.mp4;7", "a; b.mp4", "7"),
        ("a.mp4\t0", "a.mp4", "0"),
        ("a.mp4 playing guitar", "a.mp4", "playing guitar"),
        ("dir.mp4/a b.MKV,tai chi", "dir.mp4/a b.MKV", "tai chi"),
        ("dir.mp4/a b.MKV;tai chi", "dir.mp4/a b.MKV", "tai chi"),
        ("a.mp4 , 'quoted'", "a.mp4", "'quoted'"),
        ('"a ""b"".mp4","pull ups"', 'a "b".mp4', "pull ups"),
        ('a.mp4,"put, then take"', "a.mp4", "put, then take"),
        ('"my video.mp4" 5', "my video.mp4", "5"),
        ("no suffix 9", "no suffix", "9"),
        ("no_suffix walking", "no_suffix", "walking"),
        ("photo.JPEG n01440764", "photo.JPEG", "n01440764"),
        ("C:\\clips\\a.mp4 1", "C:\\clips\\a.mp4", "1"),
    ],
)
def test_lines_are_split_from_the_right(line: str, path: str, label: str) -> None:
    assert read(line + "\r\n").rows == (ListedPath(path, label, 1),)


def test_blank_lines_do_not_count_but_keep_their_number() -> None:
    assert read("a.mp4 1\r\n\r\n  \nb.mp4 2").rows == (
        ListedPath("a.mp4", "1", 1),
        ListedPath("b.mp4", "2", 4),
    )


@pytest.mark.parametrize("line", ["alone.mp4", "alone", ",", '"" 3', 'a.mp4 ""'])
def test_a_line_without_path_and_label_is_refused(line: str) -> None:
    with pytest.raises(UsageError, match=r"'x\.txt' line 2: expected `path label`, found "):
        read(f"a.mp4 1\n{line}\n")


@pytest.mark.parametrize("separator", [",", ";", "\t", " "])
def test_columns_are_found_by_header_in_any_order(separator: str) -> None:
    rows = [
        ["Label", "split", '"File Name"', "group"],
        ["walking", "validation", '"my clips/a, b.mp4"', "cam1"],
        ["running", "train", "c.mp4", "cam2"],
    ]
    listed = read("".join(separator.join(row) + "\n" for row in rows))
    assert listed.rows == (
        ListedPath("my clips/a, b.mp4", "walking", 2, "val", "cam1"),
        ListedPath("c.mp4", "running", 3, "train", "cam2"),
    )
    assert listed.columns == ("label", "split", "file_name", "group")
    assert listed.how.startswith("columns label, split, file_name, group, separated by")


@pytest.mark.parametrize("header", ["video,kind", "what,label", "clip;species", "thing\tclass"])
def test_one_known_column_of_two_tells_the_other(header: str) -> None:
    separator = next(s for s in ",;\t" if s in header)
    row = ["a.mp4", "dog"]
    assert pairs(f"{header}\n{separator.join(row)}\n") == [("a.mp4", "dog")]


def test_a_header_and_its_columns_of_names_and_numbers() -> None:
    listed = read("path,label,label_name\na.mp4,1,dog\nb.mp4,0,cat\nc.mp4,1,dog\n")
    assert [row.label for row in listed.rows] == ["dog", "cat", "dog"]
    assert listed.names == ((0, "cat"), (1, "dog"))
    with pytest.raises(UsageError, match="line 3: class 1 is 'cat' here and 'dog' before"):
        read("path,label,class_name\na.mp4,1,dog\nb.mp4,1,cat\n")


def test_a_comment_names_the_classes() -> None:
    listed = read("# classes: walking, running\na.mp4 1\n")
    assert listed.names == ((0, "walking"), (1, "running"))
    assert [row.label for row in listed.rows] == ["1"]


def test_any_column_can_be_the_group() -> None:
    text = "path,label,Camera No\na.mp4,x,north\n"
    assert read(text, group="camera no").rows[0].group == "north"
    assert not read(text).rows[0].group


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("path,label\na.mp4,1\nb, c.mp4,1\n", "line 3: 3 columns, the header has 2: b, c.mp4,1"),
        ("path,label,split\na.mp4,1\n", "line 2: 2 columns, the header has 3: a.mp4,1"),
        ("path label\nmy clip.mp4 1\n", "line 2: 3 columns, the header has 2: my clip.mp4 1"),
        ("path,label\n,1\n", "line 2: no path: ,1"),
        ("path,label\na.mp4,\n", "line 2: no label: a.mp4,"),
        ("path,frames,fps\na.mp4,1,2\n", "line 1: a header without a column 'label'"),
        ("where,label,fps\na.mp4,1,2\n", "line 1: a header without a column 'path'"),
        ("a.mp4,1\nb.mp4,1,2\n", "line 2: 3 columns, the other lines have 2: b.mp4,1,2"),
        ("a.mp4,1\nb.mp4,2\nc.mp4,x,y\n", "line 3: 3 columns, the other lines have 2"),
        ("a.mp4,dog,brown\n", "line 1: 3 columns, without a header `path label` is expected"),
        ("a.mp4 300 1 2\n", "line 1: 4 columns, without a header"),
        ("recording,kind\na.mp4,dog\nb.mp4,cat\n", "line 1: neither a video nor a known header"),
    ],
)
def test_a_line_that_does_not_fit_is_shown(text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        read(text)
    assert message in caught.value.message
    assert caught.value.hint


def test_mmaction2_lists_with_three_columns() -> None:
    text = "pan_left/mountains.mp4 300 1\npan right/city.mp4 300 2\n"
    listed = read(text)
    assert pairs(text) == [("pan_left/mountains.mp4", "1"), ("pan right/city.mp4", "2")]
    assert listed.how == "no header, `path frames label` separated by blanks"


def test_frame_folders_have_three_columns_unless_the_name_ends_in_a_number() -> None:
    text = "walk/clip 1 300 0\nrun/clip 2 250 1\n"
    assert pairs(text) == [("walk/clip 1", "0"), ("run/clip 2", "1")]
    assert pairs("clip 1 0\nclip 2 1\n", "clip 1") == [("clip 1", "0"), ("clip 2", "1")]


def test_a_third_column_of_splits_needs_no_header() -> None:
    rows = read("a.mp4,dog,train\nb.mp4,cat,validate\n").rows
    assert [(row.label, row.split) for row in rows] == [("dog", "train"), ("cat", "val")]


def test_a_file_called_like_a_column_is_a_file() -> None:
    assert pairs("video,label\nclip,dog\n", "video") == [("video", "label"), ("clip", "dog")]
    assert pairs("video,label\nclip,dog\n") == [("clip", "dog")]


def test_tables_are_recognised(tmp_path: Path) -> None:
    table, plain = tmp_path / "a.csv", tmp_path / "b.csv"
    table.write_text("label;path\n", encoding="utf-16")
    plain.write_text("a.mp4 1\n")
    assert is_list_table(str(table))
    assert not is_list_table(str(plain))
    assert not is_list_table(str(tmp_path / "absent.csv"))


def test_labels_are_safe_to_print() -> None:
    assert clean_label(' "\x1b[31mred\u202e"\udce9 ') == '\\x1b[31mred\\u202e"\\xe9'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("dog,a.mp4\ncat,b c.mp4\n", [("a.mp4", "dog"), ("b c.mp4", "cat")]),
        ("mountain goat;a.mp4\n", [("a.mp4", "mountain goat")]),
        ("3 my clip.mp4\n1 b.mp4\n", [("my clip.mp4", "3"), ("b.mp4", "1")]),
        ('"dog","a.mp4"\n', [("a.mp4", "dog")]),
    ],
)
def test_the_label_may_come_first(text: str, expected: list[tuple[str, str]]) -> None:
    assert pairs(text) == expected
    assert read(text).how == "no header, `label path`"


def test_paths_with_blanks_and_no_labels_are_no_labels_first() -> None:
    with pytest.raises(UsageError, match="line 2"):
        read("walk/a.mp4 walk\nmy clip.mp4\nb.mp4\n")
    assert pairs("dog my.mp4\n", "my.mp4") == [("my.mp4", "dog")]


def test_the_line_that_tells_excel_the_separator() -> None:
    assert pairs("sep=;\npath;label\na.mp4;dog\n") == [("a.mp4", "dog")]
