"""A publisher on this machine: serves small sets from where torchvision is made to look for them."""

import io
import tarfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from lth_pipeline.lottery.data import catalog, checksums, cifar, mnist, svhn
from lth_pipeline.lottery.digest import digest
from lth_pipeline_tests.lottery.idx_files import write_mnist_like
from lth_pipeline_tests.lottery.published_files import PLACES, PUT, TABLES, md5
from lth_pipeline_tests.lottery.python2_pickles import dumps
from lth_pipeline_tests.torchvision_here import torchvision_here

CIFAR = {"cifar10": ("CIFAR10", "batches.meta"), "cifar100": ("CIFAR100", "meta")}
MNIST_LIKE = {"mnist": "MNIST", "fashion_mnist": "FashionMNIST", "kmnist": "KMNIST"}
READERS = {
    "mnist": mnist.mnist,
    "fashion_mnist": mnist.fashion_mnist,
    "kmnist": mnist.kmnist,
    "cifar10": cifar.cifar10,
    "cifar100": cifar.cifar100,
    "svhn": svhn.svhn,
}


@dataclass
class Publisher:
    """files: what is served, by name. asked: names in the order of requests. fault: what is wrong with the server."""

    files: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    fault: str = ""
    address: str = ""


@contextmanager
def serving() -> Iterator[Publisher]:
    """fault: "404", "cut" (half of each file comes), "wrong" (other bytes), "silent" (headers, then nothing)."""
    publisher, over = Publisher(), threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = self.path.rpartition("/")[2]
            publisher.asked.append(name)
            if publisher.fault == "404" or name not in publisher.files:
                self.send_error(404)
                return
            content = publisher.files[name]
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if publisher.fault == "silent":
                over.wait(10)
            elif publisher.fault == "cut":
                self.wfile.write(content[: len(content) // 2])
            else:
                self.wfile.write(bytes(len(content)) if publisher.fault == "wrong" else content)

        def log_message(self, *_) -> None:
            pass

        def finish(self) -> None:
            with suppress(OSError):  # who asked has gone
                super().finish()

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_) -> None:
            pass

    server = Server(("127.0.0.1", 0), Handler)
    publisher.address = f"http://127.0.0.1:{server.server_port}/"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield publisher
    finally:
        over.set()
        server.shutdown()
        server.server_close()
        thread.join()


def publish(publisher: Publisher, monkeypatch, name: str, folder: Path) -> str:
    """Make a small set `name` in `folder`, serve it, and have torchvision and us know its checksums; its SHA-256."""
    datasets = torchvision_here().datasets
    if name in MNIST_LIKE:
        kind = getattr(datasets, MNIST_LIKE[name])
        place = folder / kind.__name__ / "raw"
        write_mnist_like(place, ".gz")
        files = {path.name: path.read_bytes() for path in place.iterdir()}
        if name == "kmnist":
            for file in checksums.KMNIST:
                monkeypatch.setitem(checksums.KMNIST, file, md5(files[file]))
        monkeypatch.setattr(kind, "mirrors", [publisher.address])
        monkeypatch.setattr(kind, "resources", [(file, md5(files[file])) for file, _ in kind.resources])
    else:
        PUT[name](monkeypatch, folder)
        files = {file: (folder / PLACES[name] / file).read_bytes() for file in TABLES[name]}
        if name == "svhn":
            lists = {file.split("_")[0]: [publisher.address + file, file, md5(files[file])] for file in files}
            monkeypatch.setattr(datasets.SVHN, "split_list", lists)
        else:
            files = _publish_cifar(publisher, monkeypatch, getattr(datasets, CIFAR[name][0]), name, files)
    publisher.files |= files
    raw = READERS[name](folder)
    sha256 = digest(raw.tensors())
    if name in ("mnist", "fashion_mnist"):
        monkeypatch.setitem(catalog.DATASETS, name, replace(catalog.DATASETS[name], digest=sha256))
    return sha256


def _publish_cifar(publisher: Publisher, monkeypatch, kind: type, name: str, files: dict) -> dict[str, bytes]:
    key = kind.meta["key"]
    meta = {**files, CIFAR[name][1]: dumps({key.encode(): [b"one", b"two"]})}
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        for file, content in meta.items():
            info = tarfile.TarInfo(f"{PLACES[name]}/{file}")
            info.size, info.mtime = len(content), int(time.time())
            tar.addfile(info, io.BytesIO(content))
    content = archive.getvalue()
    monkeypatch.setattr(kind, "url", publisher.address + kind.filename)
    monkeypatch.setattr(kind, "tgz_md5", md5(content))
    monkeypatch.setattr(kind, "meta", {"filename": CIFAR[name][1], "key": key, "md5": md5(meta[CIFAR[name][1]])})
    for part in ("train_list", "test_list"):
        monkeypatch.setattr(kind, part, [[file, md5(files[file])] for file, _ in getattr(kind, part)])
    return {kind.filename: content}
