"""What delivery knows of live streams: read once, forgotten when they change."""

from dataclasses import dataclass
from uuid import UUID

from telecine.db.engine import Database
from telecine.domains.accounts.access import Access
from telecine.domains.live_streams import queries

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
        async with self._db.transaction() as tx:
            found = await queries.watched(tx, public_id)
        view = None
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
            )
        if self.keeps and changes == self._changes:
            if len(self._known) >= _MOST:
                self._known.clear()
            self._known[public_id] = view
        return view

    def forget(self, public_id: str) -> None:
        """Read a live stream anew."""
        self._changes += 1
        self._known.pop(public_id, None)

    def forget_all(self) -> None:
        """Read all live streams anew."""
        self._changes += 1
        self._known.clear()
