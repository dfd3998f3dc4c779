"""What can be wrong with the store, the device and published tickets."""

from lth_pipeline.lottery.errors import DataError


class StoreError(Exception):
    """The store cannot be written, or holds something damaged; the message names the file and the remedy."""


class DamagedError(StoreError):
    """A file was damaged and has been put aside, or is gone: the same once more, and what it held is made anew."""


class DeviceError(Exception):
    """There is no such device here."""


class ProcessesError(DeviceError):
    """Several processes cannot make one training together, or one of them came to an end."""


class Elsewhere(Exception):
    """Another process goes on with what a killed one trained together, under this claim. It is to be waited for without
    a claim on one of those, which it needs."""

    def __init__(self, claim: str) -> None:
        super().__init__(claim)
        self.claim = claim


class PublishedError(DataError):
    """A published ticket cannot be used; the message names the file, or the registry's entry, and the remedy."""


class NotPublishedError(PublishedError):
    """The registry has no such ticket: no such model, version or alias, or no file that is one."""


class RegistryAwayError(PublishedError):
    """The registry cannot be asked; it may be again."""
