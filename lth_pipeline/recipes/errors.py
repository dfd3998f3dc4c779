"""What can be wrong with the store and the device."""


class StoreError(Exception):
    """The store cannot be written, or holds something damaged; the message names the file and the remedy."""


class DeviceError(Exception):
    """There is no such device here."""
