"""What `lth status` says."""

import re

from lth_pipeline_tests.places import Place


def is_complete(place: Place, card: str) -> bool:
    """Whether there is something of `card`, an experiment or a sweep, and all of it is fresh."""
    said = place.lth("status", card).stdout
    counts = re.findall(rf"^ *{card}\S* +\S+ +\S+ +(\d+) +(\d+) +(\d+) ", said, re.MULTILINE)
    return bool(counts) and all(int(fresh) and (stale, missing) == ("0", "0") for fresh, stale, missing in counts)
