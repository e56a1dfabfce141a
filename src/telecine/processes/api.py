"""An API process: started by the supervisor.

All modules are imported first, then the briefing is awaited: the database comes up
meanwhile.
"""

from collections.abc import Sequence

import uvloop

from telecine.http import server
from telecine.processes import application, control
from telecine.processes.control import Briefing, Child


async def serve(child: Child, briefing: Briefing) -> None:
    """Serve the inherited sockets until a signal."""
    async with application.running(child.settings, briefing) as (app, at_once):
        await server.build(
            app,
            trusted_proxies=child.settings.trusted_proxies,
            on_started=child.announce_ready,
            at_once=at_once,
        ).serve(sockets=list(child.listeners))


def main(arguments: Sequence[str]) -> None:
    """Run this process."""
    child = control.join(arguments)
    uvloop.run(serve(child, child.wait_for_briefing()))
