"""Find, test and explain winning lottery tickets."""

__version__ = "0.7.0"
