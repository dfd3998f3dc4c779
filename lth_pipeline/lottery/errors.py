"""What can be wrong with data, networks and masks; no torch here, so that they can be caught without it."""


class DataError(Exception):
    """A data set is missing or is not what it claims to be; the message names the file and the remedy."""


class ModelError(Exception):
    """A network that cannot be built for these images; the message says what it needs."""


class PruningError(Exception):
    """A mask that cannot be, such as one that would take a whole layer."""


class ModelFileError(Exception):
    """A file that no network can be had from, or whose network does not compute; the message names the file."""


class ImageError(Exception):
    """An image that a network cannot be asked about; the message names it, what is wrong and what would be right."""
