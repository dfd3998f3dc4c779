"""What `lth run` looks at before it begins: better to know before the first training than after it."""

from __future__ import annotations

from pathlib import Path

from lth_pipeline.home import Home


def check_places(home: Home) -> None:
    """Raises StoreError or TrackingError where one cannot be written to. From here on the store is this project's."""
    from lth_pipeline.files import ensure_writable
    from lth_pipeline.recipes import Store, StoreError
    from lth_pipeline.recipes.users import mark_use
    from lth_pipeline.tracking.tracker import TrackingError

    ensure_writable(home.store, StoreError)
    mark_use(Store(home.store), home.dagster)
    ensure_writable(home.reports, StoreError)
    if home.tracking_uri.startswith("sqlite:///"):
        ensure_writable(Path(home.tracking_uri.removeprefix("sqlite:///")).parent, TrackingError)
