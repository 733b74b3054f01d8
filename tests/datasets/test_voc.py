import pytest

from hiera_cli.datasets.boxes import find_boxes, name_of, read_boxes
from hiera_cli.datasets.coco import LabelledBox
from hiera_cli.errors import NoInputError, UsageError

OBJECT = (
    "<object><name>{name}</name><difficult>{difficult}</difficult><bndbox>"
    "<xmin>{0}</xmin><ymin>{1}</ymin><xmax>{2}</xmax><ymax>{3}</ymax></bndbox>"
    "<part><name>head</name></part></object>"
)


def thing(*corners, name="dog", difficult=0):
    return OBJECT.format(*corners, name=name, difficult=difficult)


def page(*things, size="<width>40</width><height>30</height><depth>3</depth>", file_name="a.jpg"):
    return (
        f"<annotation><filename>{file_name}</filename><size>{size}</size>"
        f"{''.join(things)}</annotation>"
    )


def write(root, pages, **lists):
    (root / "Annotations").mkdir(parents=True)
    (root / "ImageSets" / "Main").mkdir(parents=True)
    for name, text in pages.items():
        (root / "Annotations" / f"{name}.xml").write_text(text)
    for split, text in lists.items():
        (root / "ImageSets" / "Main" / f"{split}.txt").write_text(text)
    return root


def read(root, split="train"):
    return read_boxes(find_boxes(root, split=split))


def test_pixels_count_from_one_and_the_last_belongs_to_the_box(tmp_path):
    pages = {"a": page(thing(1, 1, 40, 30), thing(5, 7, 14, 14, name="cat", difficult=1)),
             "b": page(thing(3, 3, 4, 4, name="emu"))}  # fmt: skip
    root = write(tmp_path / "VOC2012", pages, train="a 1\n\n", val="b -1\n")
    data = read(root)
    assert data.classes == ("cat", "dog", "emu")
    assert data.category_ids == (1, 2, 3)
    (picture,) = data.pictures
    assert (picture.image_id, picture.width, picture.height) == (1, 40, 30)
    assert picture.path == str(root / "JPEGImages" / "a.jpg")
    assert picture.boxes == (
        LabelledBox(0, 0, 40, 30, 1, 1200),
        LabelledBox(4, 6, 14, 14, 0, 80, is_crowd=True),
    )
    val = read(root, "val")
    assert val.classes == data.classes
    assert val.pictures[0].boxes[0] == LabelledBox(2, 2, 4, 4, 2, 4)
    assert name_of(data.path) == "VOC2012"


def test_pictures_have_the_lists_name_or_the_files(tmp_path):
    root = write(tmp_path, {"a": page(thing(1, 1, 2, 2), file_name="sub/x.png"),
                            "b": page(file_name="")}, train="a\nb\n")  # fmt: skip
    (root / "JPEGImages").mkdir()
    for name in ("x.png", "b.jpeg"):
        (root / "JPEGImages" / name).touch()
    found = [picture.path for picture in read(root).pictures]
    assert found == [str(root / "JPEGImages" / name) for name in ("x.png", "b.jpeg")]


def test_boxes_beyond_the_picture_are_counted(tmp_path):
    things = (thing(0, 1, 40, 30), thing(41, 1, 50, 9), thing(9, 9, 5, 5), thing(2, 2, 2, 2))
    data = read(write(tmp_path, {"a": page(*things)}, train="a\n"))
    assert (data.num_boxes, data.num_clipped, data.num_outside) == (2, 1, 2)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty"),
        ("<annotation>", "no XML"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><annotation/>', "declarations"),
        ("<annotation/>", "size.width is None"),
        (page(size="<width>0</width><height>30</height>"), "a picture of 0 x 30"),
        (page(thing("nan", 1, 2, 2)), "dog: bndbox.xmin is 'nan', not a number"),
        (page(thing(1, 1, "two", 2)), "dog: bndbox.xmax is 'two'"),
        (page(thing(1, 1, 2, 2, name="")), "an object without a name"),
        (page(), "no object"),
    ],
)
def test_odd_files(tmp_path, text, message):
    with pytest.raises(UsageError, match=message):
        read(write(tmp_path, {"a": text}, train="a\n"))


def test_what_is_missing(tmp_path):
    root = write(tmp_path, {"a": page(thing(1, 1, 2, 2))}, train="a\nb\n", val="")
    with pytest.raises(UsageError, match=r"no '.*b\.xml', which .*train\.txt lists"):
        read(root)
    with pytest.raises(NoInputError, match="lists no picture"):
        read(root, "val")
    with pytest.raises(UsageError, match=r"no list '.*test\.txt'"):
        find_boxes(root, split="test")
    with pytest.raises(UsageError, match="boxes without masks"):
        read_boxes(find_boxes(root, split="train"), masks=True)
