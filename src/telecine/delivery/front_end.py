"""The built front end (`web/`): which files a page needs, and the files themselves."""

import json
import mimetypes
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from telecine.delivery.packing import acceptable

DIST = Path(__file__).parents[1] / "static" / "dist"
MOUNT = "/static"
_SUFFIXES = {"br": ".br", "gzip": ".gz"}  # best first
_CODINGS = tuple(_SUFFIXES)
ICONS = {"/favicon.ico": "favicon.ico", f"{MOUNT}/favicon.svg": "favicon.svg"}
"""Files that browsers ask for by names of their own choice, or keep with a bookmark."""

_FOR_EVER = "public, max-age=31536000, immutable"  # names carry a hash of the contents
_FOR_A_DAY = "public, max-age=86400"
_HEADERS = {
    "access-control-allow-origin": "*",
    "x-content-type-options": "nosniff",
    "vary": "accept-encoding",
}


class NotBuilt(Exception):
    """The front end was left out of this installation."""


@dataclass(frozen=True)
class FrontEnd:
    """What Vite wrote into `folder`: entries by name, chunks with hashed names."""

    folder: Path = DIST

    @cached_property
    def _manifest(self) -> dict[str, dict[str, object]]:
        try:
            manifest = json.loads((self.folder / "manifest.json").read_bytes())
        except FileNotFoundError as error:
            msg = f"no front end in {self.folder}; it is built by installing the package"
            raise NotBuilt(msg) from error
        return {chunk["name"]: chunk for chunk in manifest.values() if chunk.get("isEntry")}

    def script(self, entry: str) -> str:
        """Return the URL path of an entry's script. Raises NotBuilt."""
        return f"{MOUNT}/{self._manifest[entry]['file']}"

    def sheets(self, entry: str) -> list[str]:
        """Return the URL paths of an entry's style sheets. Raises NotBuilt."""
        sheets = self._manifest[entry].get("css", [])
        return [f"{MOUNT}/{name}" for name in sheets] if isinstance(sheets, list) else []

    def routes(self) -> list[Route]:
        """Return one route per built file; files are read once, they are small."""
        assets = [
            Route(f"{MOUNT}/{path.relative_to(self.folder)}", _StaticFile(path, _FOR_EVER).respond)
            for path in self._files()
        ]
        icons = [
            Route(url, _StaticFile(self.folder / name, _FOR_A_DAY).respond)
            for url, name in ICONS.items()
            if (self.folder / name).is_file()
        ]
        return assets + icons

    def _files(self) -> Iterator[Path]:
        for path in sorted(self.folder.glob("assets/**/*")):
            if path.is_file() and path.suffix not in {".br", ".gz"}:
                yield path


class _StaticFile:
    """One file with its compressed forms, in memory."""

    def __init__(self, path: Path, cache_control: str) -> None:
        self._headers = {**_HEADERS, "cache-control": cache_control}
        self._type = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        self._plain = path.read_bytes()
        self._encoded = {
            name: packed.read_bytes()
            for name, suffix in _SUFFIXES.items()
            if (packed := path.with_name(path.name + suffix)).is_file()
        }

    async def respond(self, request: Request) -> Response:
        """Answer with the smallest form that the client takes."""
        accepted = acceptable(request.headers.get("accept-encoding", ""), _CODINGS)
        headers = dict(self._headers)
        body = self._plain
        for name, packed in self._encoded.items():
            if name in accepted:
                headers["content-encoding"], body = name, packed
                break
        return Response(body, media_type=self._type, headers=headers)
