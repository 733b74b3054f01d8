import pytest
from hypothesis import given
from hypothesis import strategies as st

from hiera_cli.datasets.class_names import match_labels, normalise_label

LABELS = ("playing guitar", "massaging person's head", "crane", "Crane", "crane bird", "crane")


@pytest.mark.parametrize(
    "name",
    ["playing guitar", "playing_guitar", "Playing  Guitar", '"playing guitar"', " PLAYING_guitar_"],
)
def test_spellings_of_one_class_are_equal(name: str) -> None:
    assert normalise_label(name) == "playing guitar"


def test_quotes_inside_do_not_count_but_letters_do() -> None:
    assert normalise_label("massaging_person’s_head") == normalise_label("massaging person's head")
    assert normalise_label("cafe\u0301") == normalise_label("CAF\u00c9")
    assert normalise_label("pull-ups") != normalise_label("pull ups")


@given(st.text())
def test_normalising_twice_changes_nothing(name: str) -> None:
    assert normalise_label(normalise_label(name)) == normalise_label(name)


def test_names_match_whatever_their_spelling_and_unknown_ones_are_listed() -> None:
    match = match_labels(["Playing_Guitar", "massaging persons head", "zorbing"], LABELS)
    assert match.index_of == {"Playing_Guitar": 0, "massaging persons head": 1}
    assert match.unknown == ("zorbing",)
    assert match.how == "labels matched by name"


def test_a_name_of_two_model_classes_is_matched_only_when_spelled_like_one() -> None:
    match = match_labels(["Crane", "crane", "CRANE", "crane_bird"], LABELS)
    assert match.index_of == {"Crane": 3, "crane_bird": 4}
    assert match.unknown == ("CRANE", "crane")


def test_numbers_are_class_indices_unless_a_class_is_called_so() -> None:
    assert match_labels(["0", "5", "6"], LABELS).index_of == {"0": 0, "5": 5}
    assert match_labels(["0", "5", "6"], LABELS).unknown == ("6",)
    assert match_labels(["0", "1"], ["1", "0"]).index_of == {"0": 1, "1": 0}


def test_a_number_of_five_thousand_digits_is_a_name() -> None:
    assert match_labels(["9" * 5000], LABELS).unknown == ("9" * 5000,)


def test_imagenet_folders_count_in_sorted_order_only_when_complete() -> None:
    folders = ["n02000002", "n01000001"]
    assert match_labels(folders, ["tench", "hen"]).index_of == {"n01000001": 0, "n02000002": 1}
    assert match_labels(folders, ["tench", "hen", "owl"]).index_of == {}


def test_nothing_in_common() -> None:
    assert match_labels(["dog"], ["cat"]).unknown == ("dog",)
    assert match_labels([], ["cat"]).unknown == ()
