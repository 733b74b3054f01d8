"""Archives read in place: zip, tar, and Parquet tables with a column of videos or pictures.

The files, each importing only those before it: `packed` (zip and tar), `parquet`,
`members` (paths through archives).
"""

from hiera_cli.archives.members import (
    in_reading_order,
    media_table,
    members_below,
    open_member,
    read_member,
    split_archive,
    subfolders,
)
from hiera_cli.archives.parquet import MediaTable

__all__ = [
    "MediaTable",
    "in_reading_order",
    "media_table",
    "members_below",
    "open_member",
    "read_member",
    "split_archive",
    "subfolders",
]
