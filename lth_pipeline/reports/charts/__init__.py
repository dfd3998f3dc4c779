"""Charts as data (chart.py), drawn as pictures (picture.py) and for a page to play with (interactive.py)."""
