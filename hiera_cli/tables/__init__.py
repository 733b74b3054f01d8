"""Parquet tables that grow for days and survive being killed; pyarrow lives here.

The files, each importing only those before it: `place` (names and lock of an output), `failures`
(`<out>.errors.jsonl`), `journal` (finished work, append-only), `columns` (rows to Arrow), `rows`
(rows on their way in), `reading` (finished tables), `settings` (what may be continued), `shards`
(writing the result), `table` (a table in the making), `completeness` (of the shares of a job
array), `merge`.
"""

from hiera_cli.tables.columns import Column
from hiera_cli.tables.merge import merge_tables
from hiera_cli.tables.place import Output, lock_output, parse_output
from hiera_cli.tables.reading import count_rows, read_metadata, read_rows, table_files, take_rows
from hiera_cli.tables.rows import RowWriter
from hiera_cli.tables.table import Table, TableWriter, begin_table, finished_keys

__all__ = [
    "Column",
    "Output",
    "RowWriter",
    "Table",
    "TableWriter",
    "begin_table",
    "count_rows",
    "finished_keys",
    "lock_output",
    "merge_tables",
    "parse_output",
    "read_metadata",
    "read_rows",
    "table_files",
    "take_rows",
]
