"""The logos of player themes."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from telecine.db.engine import Database
from telecine.domains.players import queries
from telecine.http.problems import render
from telecine.problems import not_found

_FOR_EVER = "public, max-age=31536000, immutable"
_ASK_AGAIN = "public, no-cache"


def path(player_id: str, tag: str) -> str:
    """Return the path of one version of a logo, which browsers may keep for ever."""
    return f"/player/{player_id}/logo.png?v={tag}"


class Logos:
    """Serves `/player/{playerId}/logo.png`."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [Route("/player/{player_id}/logo.png", self._respond)]

    async def _respond(self, request: Request) -> Response:
        player_id = request.path_params["player_id"]
        async with self._db.transaction() as tx:
            found = await queries.logo(tx, player_id)
        if found is None:
            return render(not_found("playerId"))
        tag, png = found
        lasts = request.query_params.get("v") == tag
        headers = {"etag": f'"{tag}"', "cache-control": _FOR_EVER if lasts else _ASK_AGAIN}
        if headers["etag"] in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return Response(png, headers=headers, media_type="image/png")
