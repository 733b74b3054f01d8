"""Suites: whole tables in one command, row by row, that survive a failing row and go on later."""
