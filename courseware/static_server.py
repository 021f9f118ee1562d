"""A web server for the built site that behaves like GitHub Pages: compression, cache headers, the 404 page.

The browser tests and the benchmark read the site through it, so what they measure is what a reader downloads.

    python -m courseware.static_server site    # preview at http://127.0.0.1:8000/
"""

from __future__ import annotations

import argparse
import gzip
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache, partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

# Named here and not taken from `mimetypes`, which reads the machine's own tables: on Windows a registry entry
# can turn .js into text/plain, and a browser then refuses the module.
TYPES = {
    ".css": "text/css; charset=utf-8",
    ".csv": "text/csv; charset=utf-8",
    ".gz": "application/gzip",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/vnd.microsoft.icon",
    ".inv": "application/octet-stream",
    ".ipynb": "application/x-ipynb+json",
    ".jpg": "image/jpeg",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json; charset=utf-8",
    ".map": "application/json; charset=utf-8",
    ".md": "text/markdown; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".mp4": "video/mp4",
    ".png": "image/png",
    ".py": "text/x-python; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".wasm": "application/wasm",
    ".webp": "image/webp",
    ".woff2": "font/woff2",
    ".xml": "application/xml",
}
COMPRESSED = {".css", ".html", ".js", ".json", ".map", ".mjs", ".svg", ".txt", ".xml"}
MAX_AGE = 600  # seconds, as GitHub Pages sends


@lru_cache(maxsize=512)
def _gzipped(path: Path, modified_ns: int) -> bytes:
    return gzip.compress(path.read_bytes(), compresslevel=6, mtime=0)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, root: Path, prefix: str, *args: object) -> None:
        self.root, self.prefix = root, prefix
        super().__init__(*args)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def _answer(self, *, with_body: bool) -> None:
        path = unquote(urlsplit(self.path).path)
        file = self._file(path)
        if file is not None and file.is_dir():
            # Without the slash, the page's relative links would resolve one level too high.
            self.send_response(HTTPStatus.MOVED_PERMANENTLY)
            self.send_header("Location", urlsplit(self.path).path + "/")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        status = HTTPStatus.OK
        if file is None:
            status, file = HTTPStatus.NOT_FOUND, self.root / "404.html"
        body = file.read_bytes() if file.is_file() else b"404: no such file, and the site has no 404.html\n"
        content_type = TYPES.get(file.suffix, "application/octet-stream")

        self.send_response(status)
        if file.is_file() and file.suffix in COMPRESSED:
            self.send_header("Vary", "Accept-Encoding")
            if "gzip" in self.headers.get("Accept-Encoding", ""):
                body = _gzipped(file, file.stat().st_mtime_ns)
                self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", f"max-age={MAX_AGE}")
        self.end_headers()
        if with_body:
            self.wfile.write(body)

    def _file(self, path: str) -> Path | None:
        """Return the file for a URL path, a directory if it has an index but the URL no slash, or None."""
        if path + "/" == self.prefix:
            return self.root
        if not path.startswith(self.prefix):
            return None
        file = (self.root / path.removeprefix(self.prefix)).resolve()
        if not file.is_relative_to(self.root):
            return None
        if file.is_dir():
            index = file / "index.html"
            return None if not index.is_file() else index if path.endswith("/") else file
        return file if file.is_file() and not path.endswith("/") else None

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the tests' output would drown in requests."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing when a browser closes a connection early; report all else as usual."""
        if not isinstance(sys.exc_info()[1], (BrokenPipeError, ConnectionResetError)):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


@contextmanager
def serve(directory: Path, *, prefix: str = "/", port: int = 0) -> Iterator[str]:
    """Serve a directory on this machine alone, and yield its URL.

    Args:
        directory: the built site.
        prefix: the path it is served under. A GitHub project site lives under ``/<repository>/``, and its 404
            page, which can be shown at any depth, names its files by that path.
        port: 0 takes a free one.
    """
    if not prefix.startswith("/") or not prefix.endswith("/"):
        raise ValueError(f"prefix must start and end with a slash, not {prefix!r}")
    root = directory.resolve(strict=True)
    server = _Server(("127.0.0.1", port), partial(_Handler, root, prefix))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}{prefix}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def main() -> None:
    parser = argparse.ArgumentParser(description="Serve a built site on this machine.")
    parser.add_argument("directory", nargs="?", type=Path, default=Path("site"))
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--prefix", default="/")
    arguments = parser.parse_args()
    with serve(arguments.directory, prefix=arguments.prefix, port=arguments.port) as url:
        print(f"{arguments.directory} at {url} – Ctrl+C ends it")
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            print()


if __name__ == "__main__":
    main()
