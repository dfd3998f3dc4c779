"""The commands of `lth`, a file each. What is slow to import is imported inside."""
