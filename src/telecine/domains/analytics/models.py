"""Who watched what: one row for each playback, its events, and plays of all time.

`playback` and `play_event` have partitions, one for each week (see `partitions`). Playbacks
that may still go on are apart, in `playback_open`: there they are found by their key.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, DateTime, ForeignKey, Index, Integer, SmallInteger, String, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TSTZMULTIRANGE
from sqlalchemy.orm import Mapped, mapped_column

from telecine import ids
from telecine.db.engine import Base

OPEN = "TIMESTAMPTZ '9999-12-31 UTC'"
"""When playbacks that may go on were closed; the partition `playback_open` begins here."""


class Playback(Base):
    """One media loaded once by one player; several make up a session (tab and media).

    `key` is the digest of session, playback and media as the player named them. Times are
    the server's: the player's own plus `skew_ms`, taken from the first ping. `spans` holds
    what `timeline` needs to go on, `watched` and `watched_ms` are made from it. `viewer` is
    a keyed hash of address and user agent, another one each day.

    `opened_at` is when the row was made and `closed_at` when nothing had been heard for long
    enough, both by our clock. What is told of the quality: how long the first picture took
    after play was asked for (`startup_ms`; -1: there was none, NULL: not told), how often and
    how long it waited for data (`stall_count`, `stall_ms`), how often the rendition changed,
    errors, the rates of the media and of the network, and the rendition that was shown last.
    Of the start, -2: it played, nobody knows since when.

    `generation` is that of the pings, or 3: its player told nothing but what goes with the
    requests for media (`heard`, see `requests`). That is how well it played, not what its
    viewer did, so all other numbers leave these rows out. Of one that is closed, `told_twice`:
    its player had sent pings as well, which count instead.
    """

    __tablename__ = "playback"
    __table_args__ = (
        Index("ix_playback_media", "project_id", "media_id", "loaded_at"),
        Index("ix_playback_session_id", "project_id", "session_id"),
        # Of this kind, an index does not keep updates of a row from staying in its page.
        Index("ix_playback_times", "last_at", "loaded_at", postgresql_using="brin"),
        Index("ix_playback_viewer", "viewer"),
        # A partition is filled in the order in which playbacks are closed.
        Index("ix_playback_closed_at", "closed_at", postgresql_using="brin"),
        {"postgresql_partition_by": "RANGE (closed_at)"},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=ids.row_key)
    # No foreign key: to drop a partition would lock all projects, and rows go by themselves.
    project_id: Mapped[UUID]
    key: Mapped[bytes]  # of one row of `playback_open`
    opened_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    closed_at: Mapped[datetime] = mapped_column(
        DateTime(timezone=True),
        primary_key=True,
        server_default=text(OPEN),
    )
    session_id: Mapped[str]
    generation: Mapped[int] = mapped_column(SmallInteger)
    media_id: Mapped[str]
    media_type: Mapped[str]
    loaded_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    last_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    impression_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    started_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    ended_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    load_ms: Mapped[int | None] = mapped_column(Integer)
    watched: Mapped[Any] = mapped_column(TSTZMULTIRANGE, server_default=text("'{}'"))
    watched_ms: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    spans: Mapped[list[list[int]]] = mapped_column(JSONB, server_default=text("'[]'"))
    skew_ms: Mapped[int] = mapped_column(BigInteger)
    position_s: Mapped[float | None]
    event_count: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    startup_ms: Mapped[int | None] = mapped_column(Integer)
    stall_count: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    stall_ms: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    switch_count: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    error_count: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    bitrate_kbps: Mapped[int | None] = mapped_column(Integer)
    throughput_kbps: Mapped[int | None] = mapped_column(Integer)
    rendition: Mapped[str | None]
    heard: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    told_twice: Mapped[bool] = mapped_column(server_default=text("false"))
    viewer: Mapped[bytes]
    referrer: Mapped[str]
    # The session's own `metadata`; that name is taken in a declarative class.
    labels: Mapped[dict[str, str]] = mapped_column(JSONB, server_default=text("'{}'"))
    country: Mapped[str | None]
    continent: Mapped[str | None]
    city: Mapped[str | None]
    device_type: Mapped[str]
    device_vendor: Mapped[str | None]
    device_model: Mapped[str | None]
    os: Mapped[str]
    os_version: Mapped[str | None]
    browser: Mapped[str]
    browser_version: Mapped[str | None]


class PlayEvent(Base):
    """What the viewer of a playback did. Its key is all of it: told twice, it is one.

    `opened_at` is that of its playback, so that all events of one are in one partition.
    """

    __tablename__ = "play_event"
    __table_args__ = ({"postgresql_partition_by": "RANGE (opened_at)"},)

    playback_id: Mapped[UUID] = mapped_column(primary_key=True)
    opened_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), primary_key=True)
    # By the player's clock: that is what it repeats.
    emitted_ms: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    type: Mapped[str] = mapped_column(primary_key=True)
    at_s: Mapped[float] = mapped_column(primary_key=True)  # where a seek leads, for seeks
    from_s: Mapped[float | None]
    # Among those of its ping, which may be of the same millisecond.
    place: Mapped[int] = mapped_column(SmallInteger)


class PlayTotal(Base):
    """How often a media was played since it exists, whatever is kept of it."""

    __tablename__ = "play_total"

    project_id: Mapped[UUID] = mapped_column(
        ForeignKey("project.id", ondelete="CASCADE"), primary_key=True
    )
    media_id: Mapped[str] = mapped_column(primary_key=True)
    media_type: Mapped[str]
    plays: Mapped[int] = mapped_column(BigInteger)


class PlayRollup(Base):
    """What was watched within an hour, or a day, by playbacks of one value of a dimension.

    `dimension` is a number of `rollups.ROLLED`, which says whether it is an hour. The
    sums can be added up over time; `_us` are microseconds within it. `peak` is how many
    watched at once at most, `viewers_` counts viewers instead of playbacks.
    """

    __tablename__ = "play_rollup"

    project_id: Mapped[UUID] = mapped_column(primary_key=True)
    dimension: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    start_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), primary_key=True)
    value: Mapped[str] = mapped_column(primary_key=True)
    plays: Mapped[int] = mapped_column(BigInteger)
    ends: Mapped[int] = mapped_column(BigInteger)
    impressions: Mapped[int] = mapped_column(BigInteger)
    loads: Mapped[int] = mapped_column(BigInteger)
    load_ms: Mapped[int] = mapped_column(BigInteger)
    watched_us: Mapped[int] = mapped_column(BigInteger)
    present_us: Mapped[int] = mapped_column(BigInteger)
    viewers_us: Mapped[int] = mapped_column(BigInteger)
    peak: Mapped[int] = mapped_column(Integer)
    viewers_peak: Mapped[int] = mapped_column(Integer)


class PlayChange(Base):
    """When the number of viewers of a value changed within an hour or a day.

    `moments` are microseconds since 1970, doubled: odd, one more watches from then on, even, one
    less. They are in order, so whoever goes does so before another one comes at the same moment.
    Who watches in two hours goes at the end of the first one and comes again.
    """

    __tablename__ = "play_change"

    project_id: Mapped[UUID] = mapped_column(primary_key=True)
    dimension: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    start_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), primary_key=True)
    value: Mapped[str] = mapped_column(primary_key=True)
    moments: Mapped[list[int]] = mapped_column(ARRAY(BigInteger))


class PlayPair(Base):
    """What was watched on a day by the viewers of one value of `rollups.AUDIENCE`.

    `dimension` is the number of what `others` are: media or pages. What they sum up to is in the
    other arrays, in the same order.
    """

    __tablename__ = "play_pair"

    project_id: Mapped[UUID] = mapped_column(primary_key=True)
    dimension: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    start_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), primary_key=True)
    value: Mapped[str] = mapped_column(primary_key=True)
    others: Mapped[list[str]] = mapped_column(ARRAY(String))
    plays: Mapped[list[int]] = mapped_column(ARRAY(BigInteger))
    ends: Mapped[list[int]] = mapped_column(ARRAY(BigInteger))
    impressions: Mapped[list[int]] = mapped_column(ARRAY(BigInteger))
    loads: Mapped[list[int]] = mapped_column(ARRAY(BigInteger))
    load_ms: Mapped[list[int]] = mapped_column(ARRAY(BigInteger))


class PlayPresence(Base):
    """How many playbacks and viewers watched within an hour or a day, by when they did before.

    `since_at` is the hour in which they were last watched before it, the year 1 if never: so
    whoever is counted in an earlier part of a time is not counted again.
    """

    __tablename__ = "play_presence"

    project_id: Mapped[UUID] = mapped_column(primary_key=True)
    dimension: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    start_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), primary_key=True)
    since_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), primary_key=True)
    value: Mapped[str] = mapped_column(primary_key=True)
    watched: Mapped[int] = mapped_column(BigInteger)
    view_3: Mapped[int] = mapped_column(BigInteger)
    view_5: Mapped[int] = mapped_column(BigInteger)
    view_10: Mapped[int] = mapped_column(BigInteger)
    view_30: Mapped[int] = mapped_column(BigInteger)
    viewers_3: Mapped[int] = mapped_column(BigInteger)
    viewers_5: Mapped[int] = mapped_column(BigInteger)
    viewers_10: Mapped[int] = mapped_column(BigInteger)
    viewers_30: Mapped[int] = mapped_column(BigInteger)


class PlayRolled(Base):
    """The hours and days for which there are rollups, and nothing has changed since."""

    __tablename__ = "play_rolled"

    daily: Mapped[bool] = mapped_column(primary_key=True)
    start_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), primary_key=True)


class PlayQuality(Base):
    """How well it played: sums over closed playbacks that were begun within an hour, or a day.

    `dimension` is a number of `quality.ROLLED`, which says whether it is an hour; what is
    summed up says `quality.SUMS`.
    """

    __tablename__ = "play_quality"

    project_id: Mapped[UUID] = mapped_column(primary_key=True)
    dimension: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    start_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), primary_key=True)
    value: Mapped[str] = mapped_column(primary_key=True)
    playbacks: Mapped[int] = mapped_column(BigInteger)
    starts: Mapped[int] = mapped_column(BigInteger)
    startup_ms: Mapped[int] = mapped_column(BigInteger)
    stall_count: Mapped[int] = mapped_column(BigInteger)
    stall_ms: Mapped[int] = mapped_column(BigInteger)
    watched_ms: Mapped[int] = mapped_column(BigInteger)
    switch_count: Mapped[int] = mapped_column(BigInteger)
    rated: Mapped[int] = mapped_column(BigInteger)
    bitrate_kbps: Mapped[int] = mapped_column(BigInteger)
    measured: Mapped[int] = mapped_column(BigInteger)
    throughput_kbps: Mapped[int] = mapped_column(BigInteger)
    failed: Mapped[int] = mapped_column(BigInteger)
    exits: Mapped[int] = mapped_column(BigInteger)
    score: Mapped[float]


class PlayQualityRolled(Base):
    """Until when playbacks that were closed are in `play_quality`: one row, or none yet."""

    __tablename__ = "play_quality_rolled"

    is_one: Mapped[bool] = mapped_column(primary_key=True)
    until_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
