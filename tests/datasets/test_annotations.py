from pathlib import Path

import pytest

from hiera_cli.datasets.annotations import (
    ClipKey,
    clip_key,
    is_kinetics_csv,
    read_kinetics,
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


def test_kinetics_header_is_recognised(tmp_path: Path) -> None:
    table, plain = tmp_path / "a.csv", tmp_path / "b.csv"
    table.write_text('"label","youtube_id","time_start","time_end","split"\n', encoding="utf-8-sig")
    plain.write_text("a.mp4 1\n")
    assert is_kinetics_csv(str(table))
    assert not is_kinetics_csv(str(plain))
