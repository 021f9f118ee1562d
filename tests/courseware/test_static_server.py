"""The preview server answers as GitHub Pages would."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from courseware.static_server import serve

PAGE = "<!doctype html><title>Home</title>" + "<p>again</p>" * 200


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("served")
    root = folder / "site"
    (root / "sub").mkdir(parents=True)
    (root / "empty").mkdir()
    (root / "index.html").write_text(PAGE, encoding="utf-8")
    (root / "404.html").write_text("lost", encoding="utf-8")
    (root / "sub/index.html").write_text("sub", encoding="utf-8")
    (root / "a b.js").write_text("export {};", encoding="utf-8")
    (root / "figure.svg").write_text("<svg/>", encoding="utf-8")
    (root / "font.woff2").write_bytes(b"wOF2" * 100)
    (folder / "secret.txt").write_text("not served", encoding="utf-8")
    return root


@pytest.fixture(scope="module", params=["/", "/course/"])
def url(site: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    with serve(site, prefix=request.param) as address:
        assert address.startswith("http://127.0.0.1:")
        assert address.endswith(request.param)
        yield address


def get(url: str, path: str, method: str = "GET", **headers: str) -> tuple[HTTPResponse, bytes]:
    # http.client, because urllib tidies a path before it sends it.
    address = urlsplit(url)
    connection = HTTPConnection(address.netloc, timeout=10)
    connection.request(method, address.path + path, headers=headers)
    response = connection.getresponse()
    body = response.read()
    connection.close()
    return response, body


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("", "text/html; charset=utf-8"),
        ("sub/", "text/html; charset=utf-8"),
        ("sub/index.html?x=1", "text/html; charset=utf-8"),
        ("a%20b.js", "text/javascript; charset=utf-8"),
        ("figure.svg", "image/svg+xml"),
        ("font.woff2", "font/woff2"),
    ],
)
def test_types(url: str, path: str, kind: str) -> None:
    response, body = get(url, path)
    assert response.status == 200
    assert response.headers["Content-Type"] == kind
    assert response.headers["Cache-Control"] == "max-age=600"
    assert len(body) == int(response.headers["Content-Length"])


def test_text_is_compressed_for_those_who_can_read_it(url: str) -> None:
    response, body = get(url, "", **{"Accept-Encoding": "gzip, br"})
    assert response.headers["Content-Encoding"] == "gzip"
    assert response.headers["Vary"] == "Accept-Encoding"
    assert len(body) < len(PAGE) / 5
    assert gzip.decompress(body).decode() == PAGE
    response, body = get(url, "")
    assert response.headers["Content-Encoding"] is None
    assert body.decode() == PAGE


def test_a_changed_page_is_served_as_it_is_now(site: Path, url: str) -> None:
    page = site / "changing.html"
    for text in ("one", "two"):
        page.write_text(text, encoding="utf-8")
        _, body = get(url, "changing.html", **{"Accept-Encoding": "gzip"})
        assert gzip.decompress(body).decode() == text


def test_fonts_are_compressed_already(url: str) -> None:
    response, _ = get(url, "font.woff2", **{"Accept-Encoding": "gzip"})
    assert response.headers["Content-Encoding"] is None


@pytest.mark.parametrize("path", ["nope", "nope/", "sub/nope.html", "empty/", "empty", "figure.svg/"])
def test_not_found(url: str, path: str) -> None:
    response, body = get(url, path)
    assert (response.status, body) == (404, b"lost")


def test_a_folder_without_its_slash_is_redirected(url: str) -> None:
    response, _ = get(url, "sub")
    assert response.status == 301
    assert response.headers["Location"] == urlsplit(url).path + "sub/"


@pytest.mark.parametrize("path", ["../secret.txt", "..%2fsecret.txt", "sub/../../secret.txt", "%2e%2e/secret.txt"])
def test_nothing_outside_the_site_is_served(url: str, path: str) -> None:
    response, body = get(url, path)
    assert (response.status, body) == (404, b"lost")


def test_head_has_no_body(url: str) -> None:
    response, body = get(url, "", method="HEAD")
    assert int(response.headers["Content-Length"]) == len(PAGE)
    assert body == b""


def test_nothing_is_served_beside_the_prefix(site: Path) -> None:
    with serve(site, prefix="/course/") as url:
        root = url.removesuffix("course/")
        assert get(root, "index.html")[0].status == 404
        response, _ = get(root, "course")
        assert (response.status, response.headers["Location"]) == (301, "/course/")


def test_it_stops(site: Path) -> None:
    with serve(site) as url:
        get(url, "")
    with pytest.raises(ConnectionError):
        get(url, "")


def test_a_site_without_404_page(tmp_path: Path) -> None:
    with serve(tmp_path) as url:
        response, body = get(url, "x")
    assert response.status == 404
    assert b"no 404.html" in body


@pytest.mark.parametrize("prefix", ["", "course", "/course", "course/"])
def test_prefix_is_checked(tmp_path: Path, prefix: str) -> None:
    with pytest.raises(ValueError, match="prefix must start and end with a slash"), serve(tmp_path, prefix=prefix):
        pass
