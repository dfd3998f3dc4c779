"""Find, test and explain winning lottery tickets."""

__version__ = "0.8.0"
