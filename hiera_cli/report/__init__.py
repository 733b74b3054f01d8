"""Plots and the HTML page, drawn from records."""
