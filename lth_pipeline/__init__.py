"""Find, test and explain winning lottery tickets."""

__version__ = "0.6.0"
