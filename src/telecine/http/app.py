"""The application: routers and delivery routes under one roof."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

from fastapi import APIRouter, FastAPI, Request, Response
from starlette.routing import BaseRoute, Match, Route
from starlette.types import Receive, Scope, Send

from telecine import __version__
from telecine.http import openapi, problems
from telecine.http.edge import Edge
from telecine.http.idempotency import Replay
from telecine.http.services import Services

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]

_DESCRIPTION = """\
The API of a self-hosted video platform: the operations of api.video at the root, and
those of the installation's operator below `/_/` (tag `telecine`).
"""


class Api(FastAPI):
    """FastAPI inside our outermost layer, with our OpenAPI document."""

    def __init__(self, routes: Sequence[BaseRoute], lifespan: Lifespan | None) -> None:
        super().__init__(
            title="Telecine",
            version=__version__,
            description=_DESCRIPTION,
            docs_url=None,
            redoc_url=None,
            redirect_slashes=False,
            lifespan=lifespan,
        )
        # Bare routes: FastAPI's included routers would match every request twice.
        self.router.routes[:0] = routes
        problems.install(self, self.allowed_methods)
        self.add_exception_handler(Replay, _send_again)
        self._edge = Edge(super().__call__, self._handles)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a connection."""
        await self._edge(scope, receive, send)

    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI document, made once."""
        if self.openapi_schema is None:
            openapi.finish(super().openapi())
        return super().openapi()

    def allowed_methods(self, path: str) -> frozenset[str]:
        """Return what can be done with a path: the methods of all its routes."""
        methods = {"OPTIONS"}
        for route in self.router.routes:
            if isinstance(route, Route) and route.path_regex.match(path):
                methods |= route.methods or set()
        return frozenset(methods | {"HEAD"} if "GET" in methods else methods)

    def _handles(self, scope: Scope) -> bool:
        return any(route.matches(dict(scope))[0] is Match.FULL for route in self.router.routes)


async def _send_again(_: Request, replay: Exception) -> Response:
    assert isinstance(replay, Replay)  # noqa: S101  (registered for this type)
    return replay.answer.response()


def create_app(
    routers: Sequence[APIRouter],
    routes: Sequence[BaseRoute],
    services: Services,
    *,
    lifespan: Lifespan | None = None,
) -> Api:
    """Join the routers of the domains and the routes of delivery to one application.

    `routes` come first and are plain Starlette routes: they get CORS and a request id,
    but no rate-limit headers. The callable that is returned is the ASGI application.
    """
    operations = [route for router in routers for route in router.routes]
    app = Api([*routes, *operations], lifespan)
    app.state.services = services
    return app
