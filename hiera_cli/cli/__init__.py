"""The command line: parse, iterate over records, render."""
