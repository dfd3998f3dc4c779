"""A tracking store that is away for a while: its client asks again, in growing pauses."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

T = TypeVar("T")
LONGEST_PAUSE = 30.0  # seconds


class TrackingError(Exception):
    """The tracking store cannot be used; the message names it and the remedy."""


class Away(TrackingError):
    """The tracking store does not answer; it may again."""


class Patience:
    """How long a store that is away is asked again, and who is told.

    seconds: at most, from the first failure of a call on; a restart of a server takes some, an upgrade some hundred.
    """

    def __init__(self, uri: str, seconds: float):
        self.uri, self.seconds = uri, seconds
        self.on_trouble: Callable[[str], None] | None = None

    @contextmanager
    def none(self) -> Iterator[None]:
        """In here a store that is away is Away at once."""
        before, self.seconds = self.seconds, 0.0
        try:
            yield
        finally:
            self.seconds = before

    def insist(self, act: Callable[[], T]) -> T:
        """What `act` gives; it is called again while it raises Away. What else MLflow answers, to a wrong question say,
        goes through."""
        began, pause = time.monotonic(), 1.0
        while True:
            try:
                with plain_errors(self.uri):
                    return act()
            except Away as error:
                left = began + self.seconds - time.monotonic()
                if left <= 0:
                    raise
                if pause == 1.0 and self.on_trouble:
                    self.on_trouble(f"{error}; it is asked again for {self.seconds:.0f} s")
                time.sleep(min(pause, left))
                pause = min(2 * pause, LONGEST_PAUSE)


class PatientClient:
    """An MlflowClient each of whose calls is insisted on."""

    def __init__(self, client: Any, patience: Patience):
        self._client, self._patience = client, patience

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._client, name)
        if name.startswith("_") or not callable(found):
            return found
        return lambda *args, **options: self._patience.insist(lambda: found(*args, **options))


@contextmanager
def plain_errors(uri: str) -> Iterator[None]:
    """What a store raises, as Away or TrackingError with a message for people."""
    from mlflow.exceptions import MlflowException
    from requests.exceptions import ConnectionError, HTTPError, Timeout

    try:
        yield
    except MlflowException as error:
        first = str(error).split("\n")[0]
        if error.error_code in ("UNAUTHENTICATED", "PERMISSION_DENIED"):
            raise TrackingError(_shut_out(uri, login=error.error_code == "UNAUTHENTICATED")) from error
        if not _is_away(error, first):
            raise
        if uri.startswith("http"):
            raise Away(f"the MLflow server {uri} does not answer ({_cause(first)})") from error
        kind = Away if "locked" in first else TrackingError
        raise kind(f"the MLflow store {uri} cannot be used ({first[:300]})") from error
    except (ConnectionError, Timeout) as error:
        raise Away(f"the MLflow server {uri} does not answer ({_cause(str(error))})") from error
    except HTTPError as error:
        if error.response is not None and error.response.status_code in (401, 403):
            raise TrackingError(_shut_out(uri, login=error.response.status_code == 401)) from error
        kind = Away if error.response is not None and error.response.status_code >= 500 else TrackingError
        raise kind(f"the MLflow server {uri} refuses ({str(error)[:300]})") from error
    except OSError as error:
        raise TrackingError(f"artifacts of the MLflow store {uri} cannot be written ({error})") from error


def _shut_out(uri: str, *, login: bool) -> str:
    """Why a server does not do what it is asked; never the password. login: whether one would help."""
    from mlflow.utils.credentials import read_mlflow_creds

    user = read_mlflow_creds().username
    if not login:
        return f"the MLflow server {uri} does not allow this to the user {user!r}; its administrator can"
    if not user:
        return (
            f"the MLflow server {uri} asks for a login: set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or "
            f"write them into ~/.mlflow/credentials"
        )
    return f"the MLflow server {uri} knows no user {user!r} with the password that MLFLOW_TRACKING_PASSWORD gives"


def _cause(said: str) -> str:
    """The last words of what urllib3 and requests wrap in one another: "[Errno 111] Connection refused"."""
    return said.rpartition(": ")[2].strip(" ')\"")[:200] or said[:200]


def _is_away(error: Any, first: str) -> bool:
    """A database that cannot be read or written, or a server that does not answer, rather than a wrong question."""
    if error.error_code == "TEMPORARILY_UNAVAILABLE":
        return True
    return error.error_code == "INTERNAL_ERROR" and ("API request to" in first or "OperationalError" in first)
