import os
from pathlib import Path

import pytest

from hiera_cli.datasets.annotations import (
    ClipKey,
    ListedPath,
    clean_label,
    clip_key,
    is_kinetics_csv,
    open_lines,
    read_kinetics,
    read_list,
)
from hiera_cli.errors import UsageError

K400 = """label,youtube_id,time_start,time_end,split,is_cc
abseiling,--07WQ2iBlw,1,11,validate,0
"massaging person's head",ab_cd_E_f,10,20,validate,1
\"\"\"quoted, label\"\"\",0wR5jVB-WPk,417,427,val,0
"""


def rows(text: str) -> list[tuple[str, str, str]]:
    read = read_kinetics(text.splitlines(keepends=True), source="x.csv")
    return [(row.label, row.key.stem, row.split) for row in read]


def listed(text: str) -> list[ListedPath]:
    return list(read_list(text.splitlines(keepends=True), source="x.txt"))


def test_kinetics_rows_with_quotes_dashes_and_underscores() -> None:
    assert rows(K400) == [
        ("abseiling", "--07WQ2iBlw_000001_000011", "validate"),
        ("massaging person's head", "ab_cd_E_f_000010_000020", "validate"),
        ("quoted, label", "0wR5jVB-WPk_000417_000427", "val"),
    ]


def test_kinetics_columns_are_found_by_header_in_any_order() -> None:
    text = "youtube_id,time_end,time_start,label\r\nabc,12.0,2.0,pull ups\r\n\r\n"
    assert rows(text) == [("pull ups", "abc_000002_000012", "")]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("youtube_id,time_start,time_end,split\nabc,1,2,test\n", "no column label"),
        ("", "no column label, time_end, time_start, youtube_id"),
        ("label,youtube_id,time_start,time_end\nx,abc,1\n", "line 2"),
        ("label,youtube_id,time_start,time_end\nx\n", "line 2"),
        ("label,youtube_id,time_start,time_end\nx,abc,1,2\nx,abc,one,2\n", "line 3"),
        ("label,youtube_id,time_start,time_end\nx,abc,nan,2\n", "line 2"),
        ("label,youtube_id,time_start,time_end\nx,abc,inf,2\n", "line 2"),
        ("label,youtube_id,time_start,time_end\nx,abc,-3,2\n", "line 2"),
        ("label,youtube_id,time_start,time_end\nx,abc,1e300,2\n", "line 2"),
        ("label,youtube_id,time_start,time_end\n,abc,1,2\n", "line 2"),
        (f'label,youtube_id,time_start,time_end\n"{"x" * 200_000}\n', "line 2"),
    ],
)
def test_bad_kinetics_files_name_the_line(text: str, problem: str) -> None:
    with pytest.raises(UsageError, match=problem):
        rows(text)


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("ab-cd_E_f_000010_000020.mp4", ClipKey("ab-cd_E_f", 10, 20)),
        ("class x/abc_7_17.webm", ClipKey("abc", 7, 17)),
        ("--07WQ2iBlw_000001_000011.tar.mkv", None),
        ("abc.mp4", None),
        ("_000001_000002.mp4", None),
        ("abc_000001_99999999999999999999.mp4", None),
    ],
)
def test_clip_key_of_a_file_name(name: str, key: ClipKey | None) -> None:
    assert clip_key(name) == key


@pytest.mark.parametrize(
    ("line", "path", "label"),
    [
        ("a.mp4 3", "a.mp4", "3"),
        ("/data/my videos/a b.mp4 12", "/data/my videos/a b.mp4", "12"),
        ("a, b.mp4,7", "a, b.mp4", "7"),
        ("a.mp4\t0", "a.mp4", "0"),
        ("a.mp4 playing guitar", "a.mp4", "playing guitar"),
        ("dir.mp4/a b.MKV,tai chi", "dir.mp4/a b.MKV", "tai chi"),
        ("a.mp4 , 'quoted'", "a.mp4", "'quoted'"),
        ('"a ""b"".mp4","pull ups"', 'a "b".mp4', "pull ups"),
        ('"my video.mp4" 5', "my video.mp4", "5"),
        ("no suffix 9", "no suffix", "9"),
        ("no_suffix walking", "no_suffix", "walking"),
        ("photo.JPEG n01440764", "photo.JPEG", "n01440764"),
    ],
)
def test_lines_are_split_from_the_right(line: str, path: str, label: str) -> None:
    assert listed(line + "\r\n") == [ListedPath(path, label)]


@pytest.mark.parametrize("line", ["alone.mp4", "alone", ",", '"" 3', 'a.mp4 ""'])
def test_a_line_without_path_and_label_is_refused(line: str) -> None:
    with pytest.raises(UsageError, match="line 2"):
        listed(f"a.mp4 1\n{line}\n")


def test_blank_lines_and_byte_order_mark_do_not_count(tmp_path: Path) -> None:
    file = tmp_path / "list.txt"
    file.write_bytes(b"\xef\xbb\xbfa.mp4 1\r\n\r\n  \nb.mp4 2")
    assert list(read_list(open_lines(str(file)), source="list")) == [
        ListedPath("a.mp4", "1"),
        ListedPath("b.mp4", "2"),
    ]


def test_bytes_that_are_not_utf8_stay_the_same_file_name(tmp_path: Path) -> None:
    file = tmp_path / "list.txt"
    file.write_bytes(b"caf\xe9.mp4 1\n")
    (entry,) = read_list(open_lines(str(file)), source="list")
    assert os.fsencode(entry.path) == b"caf\xe9.mp4"


def test_labels_are_safe_to_print() -> None:
    assert clean_label(' "\x1b[31mred\u202e"\udce9 ') == '\\x1b[31mred\\u202e"\\xe9'


@pytest.mark.parametrize("content", [b"\0\0\0\x18ftypmp42 1\n", b"x" * 100_000])
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


def test_kinetics_header_is_recognised(tmp_path: Path) -> None:
    table, plain = tmp_path / "a.csv", tmp_path / "b.csv"
    table.write_text('"label","youtube_id","time_start","time_end","split"\n', encoding="utf-8-sig")
    plain.write_text("a.mp4 1\n")
    assert is_kinetics_csv(str(table))
    assert not is_kinetics_csv(str(plain))
