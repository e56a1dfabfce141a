"""What delivery knows of live streams: read once, forgotten when they change."""

from dataclasses import dataclass
from uuid import UUID

from telecine.db.engine import Database
from telecine.domains.accounts.access import Access
from telecine.domains.live_streams import queries
from telecine.domains.players import queries as players
from telecine.domains.players.queries import ShownTheme

_MOST = 10_000


@dataclass(frozen=True, slots=True)
class LiveView:
    """What viewers' requests depend on."""

    project_id: UUID
    public_id: str
    name: str
    public: bool
    broadcasting: bool
    thumbnail_key: str | None
    access: Access | None = None
    transport: bool = False  # the project wants segments of MPEG-TS
    player_id: str | None = None
    theme: ShownTheme | None = None


class LiveCache:
    """Live streams by public id. Keeps nothing while changes may be missed."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._known: dict[str, LiveView | None] = {}
        self._changes = 0
        self.keeps = False

    async def get(self, public_id: str) -> LiveView | None:
        """Return a live stream, None if there is none."""
        if public_id in self._known:
            return self._known[public_id]
        changes = self._changes
        view = None
        async with self._db.transaction() as tx:
            found = await queries.watched(tx, public_id)
            theme = None
            if found is not None and found[0].player_id is not None:
                theme = await players.shown(tx, found[0].project_id, found[0].player_id)
        if found is not None:
            row, settings = found
            view = LiveView(
                row.project_id,
                row.public_id,
                row.name,
                row.public,
                row.broadcasting,
                row.thumbnail_key,
                Access.of(settings),
                transport=settings.get("hls_format") == "ts",
                player_id=row.player_id,
                theme=theme,
            )
        if self.keeps and changes == self._changes:
            if len(self._known) >= _MOST:
                self._known.clear()
            self._known[public_id] = view
        return view

    def kept(self, public_id: str) -> LiveView | None:
        """Return what is known of a live stream already; None: nothing."""
        return self._known.get(public_id)

    def forget(self, public_id: str) -> None:
        """Read a live stream anew."""
        self._changes += 1
        self._known.pop(public_id, None)

    def forget_player(self, player_id: str) -> None:
        """Read the live streams that name a theme anew: that has changed."""
        self._changes += 1
        shown = [key for key, view in self._known.items() if view and view.player_id == player_id]
        for public_id in shown:
            del self._known[public_id]

    def forget_all(self) -> None:
        """Read all live streams anew."""
        self._changes += 1
        self._known.clear()
