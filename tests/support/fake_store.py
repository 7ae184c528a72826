"""A Google Cloud Storage in memory, for epath through fsspec and for TensorStore over HTTP; no append, no rename."""

import itertools
import json
import os
import sys
import threading
import types
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, unquote, urlsplit

import fsspec
from fsspec.implementations.memory import MemoryFileSystem


class Store(MemoryFileSystem):
    """Objects under gs://, each written whole."""

    protocol = ("gcs", "gs")
    store: dict = {}  # noqa: RUF012
    pseudo_dirs = [""]  # noqa: RUF012
    cachable = False

    @classmethod
    def _strip_protocol(cls, path):
        return super()._strip_protocol(str(path).removeprefix("gs://"))

    def _open(self, path, mode="rb", **options):
        if mode not in ("rb", "wb"):
            raise NotImplementedError(f"a store cannot open {path} with {mode}")
        return super()._open(path, mode=mode, **options)

    def mv(self, *arguments, **options):
        raise NotImplementedError("a store cannot rename")

    rename = cp_file = mv


class Requests(BaseHTTPRequestHandler):
    """What TensorStore asks of storage.googleapis.com, answered from the same objects."""

    protocol_version = "HTTP/1.1"
    generations: dict[str, int] = {}  # noqa: RUF012
    numbers = itertools.count(1)
    lock = threading.Lock()

    def log_message(self, *_):
        pass

    def answer(self, code: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        self.send_response(code)
        for name, value in {**(headers or {}), "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        url, asked = self.parts()
        _, _, _, _, bucket, _, *names = url
        if not names:
            self.answer_list(bucket, asked)
            return
        path = f"gs://{bucket}/{unquote(names[0])}"
        with self.lock:
            generation = self.generation(path)
            data = Store().cat_file(path) if generation else b""
        if not generation:
            self.answer(404)
        elif asked.get("ifGenerationNotMatch") == str(generation):
            self.answer(304)
        elif asked.get("ifGenerationMatch", str(generation)) != str(generation):
            self.answer(412)
        elif asked.get("alt") != "media":
            self.answer(
                200, json.dumps({"name": names[0], "size": str(len(data)), "generation": str(generation)}).encode()
            )
        elif span := self.headers.get("Range"):
            first, _, last = span.removeprefix("bytes=").partition("-")
            start = int(first) if first else max(0, len(data) - int(last))
            stop = min(int(last) + 1, len(data)) if first and last else len(data)
            of = {"Content-Range": f"bytes {start}-{stop - 1}/{len(data)}", "x-goog-generation": str(generation)}
            self.answer(206, data[start:stop], of)
        else:
            self.answer(200, data, {"x-goog-generation": str(generation)})

    def answer_list(self, bucket: str, asked: dict[str, str]) -> None:
        start, end, prefix = (asked.get(key, "") for key in ("startOffset", "endOffset", "prefix"))
        names = sorted(path.removeprefix(f"/{bucket}/") for path in Store.store if path.startswith(f"/{bucket}/"))
        kept = [name for name in names if name.startswith(prefix) and start <= name and (not end or name < end)]
        self.answer(
            200, json.dumps({"items": [{"name": name, "size": "0", "generation": "1"} for name in kept]}).encode()
        )

    def do_POST(self):
        url, asked = self.parts()
        path = f"gs://{url[5]}/{asked['name']}"
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with self.lock:
            before = str(self.generation(path))
            written = asked.get("ifGenerationMatch", before) == before
            if written:
                Store().pipe_file(path, body)
                self.generations[path] = next(self.numbers)
            generation = self.generation(path)
        said = json.dumps({"name": asked["name"], "generation": str(generation), "size": str(len(body))}).encode()
        self.answer(200 if written else 412, said if written else b"")

    def generation(self, path: str) -> int:
        """The number of what stands at a path, 0 for nothing; a file may have come and gone by way of fsspec."""
        if not Store().isfile(path):
            self.generations.pop(path, None)
            return 0
        return self.generations.setdefault(path, next(self.numbers))

    def parts(self) -> tuple[list[str], dict[str, str]]:
        url = urlsplit(self.path)
        return url.path.split("/"), dict(parse_qsl(url.query))


def install() -> None:
    """From now on gs:// in this process means the store. Before anything uses TensorStore."""
    fsspec.register_implementation("gcs", Store, clobber=True)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Requests)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    os.environ["TENSORSTORE_GCS_HTTP_URL"] = f"http://127.0.0.1:{server.server_port}"
    os.environ["GOOGLE_AUTH_TOKEN_FOR_TESTING"] = "none"
    # Orbax asks Google's client, which is no part of the core install, whether a bucket has real folders.
    storage = types.ModuleType("google.cloud.storage")
    bucket = types.SimpleNamespace(hierarchical_namespace_enabled=False)
    storage.Client = lambda: types.SimpleNamespace(get_bucket=lambda name: bucket)  # type: ignore[attr-defined]
    cloud = sys.modules.setdefault("google.cloud", types.ModuleType("google.cloud"))
    cloud.storage = sys.modules["google.cloud.storage"] = storage  # type: ignore[attr-defined]
