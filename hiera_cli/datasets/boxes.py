"""Data sets of pictures with boxes, in whichever format: COCO JSON or PASCAL VOC."""

from pathlib import Path

from hiera_cli.datasets.coco import CocoDataset, find_coco, read_coco
from hiera_cli.datasets.voc import LISTS, find_voc, is_voc, read_voc
from hiera_cli.errors import UsageError


def find_boxes(dataset: str | Path, *, split: str | None = None) -> Path:
    """The file that a data set's name means: a COCO file, or a VOC list of pictures.

    Raises:
        UsageError: nothing is there, or no such file.
    """
    place = Path(dataset)
    return find_voc(place, split=split) if is_voc(place) else find_coco(place, split=split)


def read_boxes(path: Path, *, masks: bool = False) -> CocoDataset:
    """Read and check what `find_boxes` found.

    Args:
        path: the file.
        masks: read the shapes of things, too.

    Raises:
        UsageError: a file is missing, or holds what cannot be meant.
        NoInputError: it lists no picture.
    """
    if path.suffix != ".txt":
        return read_coco(path, masks=masks)
    if masks:
        raise UsageError(
            f"'{path}' lists boxes without masks", hint="masks are read from COCO JSON"
        )
    return read_voc(path)


def name_of(path: Path) -> str:
    """What to call the data set of a file: its folder, of a VOC list the folder of everything."""
    is_list = path.suffix == ".txt" and path.resolve().parent.parts[-2:] == LISTS.parts
    return path.resolve().parents[2 if is_list else 0].name
