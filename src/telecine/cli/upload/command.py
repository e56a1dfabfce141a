"""`telecine upload`: what is asked for, one file after the other, and how it ended."""

import asyncio
import json
import webbrowser
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

import typer

from telecine import clock, ids, settings
from telecine.cli import operating
from telecine.cli.upload import display as displays
from telecine.cli.upload import files
from telecine.cli.upload.api import Api, Refused, Video
from telecine.cli.upload.display import Display
from telecine.cli.upload.files import Found
from telecine.cli.upload.patience import Patience
from telecine.cli.upload.records import Records, default_folder
from telecine.cli.upload.sending import Sender
from telecine.cli.upload.watching import Watcher
from telecine.cli.upload.wishes import Access, Wait, Wishes
from telecine.processes.exits import CannotGoOn, Exit

_HOPELESS = {401, 403}
"""Refusals that every other file would get as well."""


@dataclass(slots=True)
class Outcome:
    """A file or URL, and how far it has come."""

    name: str
    place: Path | str
    begun_s: float = 0.0
    video: Video | None = None
    status: str = "waiting"
    error: CannotGoOn | None = None

    def to_line(self) -> str:
        """Return it as a line of JSON."""
        video = self.video
        return json.dumps(
            {
                "file": str(self.place),
                "status": self.status,
                "videoId": video and video.video_id,
                "title": video and video.title,
                "player": video and video.player,
                "hls": video and video.hls,
                "mp4": video and video.mp4,
                "error": None if self.error is None else str(self.error),
            }
        )


def access(server: str | None, key: str | None, token: str | None) -> Access:
    """Return how to reach the API, completed from the settings.

    Raises:
        CannotGoOn: neither key nor token is given.
    """
    effective = settings.load()
    base_url = server or effective.api_url
    if token is not None:
        return Access(base_url=base_url, token=token)
    operator_key = operating.known_key(effective) if server is None else None
    if key is None and effective.api_key is not None:
        key = effective.api_key.get_secret_value()
    if key is None:
        msg = "No API key: give --key or set TELECINE_API_KEY (`telecine keys create` makes one)."
        raise CannotGoOn(Exit.USAGE, msg)
    return Access(base_url=base_url, key=key, operator_key=operator_key)


def run(
    access: Access,
    paths: Sequence[Path],
    wishes: Wishes,
    *,
    sources: Sequence[str] = (),
    include: Sequence[str] = (),
) -> None:
    """Upload files, folders and what is behind URLs.

    Raises:
        CannotGoOn: the command line contradicts itself, or not all succeeded.
    """
    found = files.find(paths, include)
    outcomes = [Outcome(each.name, each.path) for each in found]
    outcomes += [Outcome(source, source) for source in sources]
    _check(access, wishes, outcomes, has_sources=bool(sources))
    try:
        with displays.fitting(json=wishes.json) as display:
            asyncio.run(_Command(access, wishes, display).run(outcomes))
    except KeyboardInterrupt:
        msg = "Stopped. The same command goes on where this one ended."
        raise CannotGoOn(Exit.FAILED, msg) from None
    _sum_up(outcomes)


def _check(
    access: Access, wishes: Wishes, outcomes: Sequence[Outcome], *, has_sources: bool
) -> None:
    """Raise CannotGoOn where wishes do not go together."""
    options = wishes.options
    wrong = None
    if not outcomes:
        wrong = "There is nothing to upload: name files, folders with media, or a --source."
    elif options.title is not None and len(outcomes) > 1:
        wrong = "--title is for one video: several are named after their files."
    elif access.token is not None and (options.tags or options.tag_folder or has_sources):
        wrong = "An upload token allows neither --tag and --folder nor --source: these need a key."
    elif access.token is not None and wishes.wait is Wait.ENCODED:
        wrong = "An upload token does not show what is encoded: --wait playable, or use a key."
    if wrong is not None:
        raise CannotGoOn(Exit.USAGE, wrong)


class _Command:
    """One run of the command."""

    def __init__(self, access: Access, wishes: Wishes, display: Display) -> None:
        self._access = access
        self._wishes = wishes
        self._display = display
        default = Wait.ENCODED if access.token is None else Wait.PLAYABLE
        self._wait = wishes.wait or default
        self._patience = Patience(wishes.retry_for_s, display.note)
        self._records = Records(default_folder(), display.note)

    async def run(self, outcomes: Sequence[Outcome]) -> None:
        """Send one after the other; what becomes of each is watched at the same time."""
        access = self._access
        api = Api(
            access.base_url,
            key=access.key,
            token=access.token,
            operator_key=access.operator_key,
            connections=self._wishes.options.parallel,
        )
        async with api, asyncio.TaskGroup() as watches:
            watcher = Watcher(api, self._patience, self._display, self._wait)
            for number, outcome in enumerate(outcomes):
                outcome.begun_s = clock.monotonic_s()
                try:
                    outcome.video = await self._bring(api, outcome)
                except CannotGoOn as error:
                    self._fail(outcome, error)
                    if _is_hopeless(error):
                        self._give_up(outcomes[number + 1 :])
                        break
                else:
                    outcome.status = "uploaded" if isinstance(outcome.place, Path) else "fetching"
                    watches.create_task(self._watch(watcher, outcome))

    async def _bring(self, api: Api, outcome: Outcome) -> Video:
        options = self._wishes.options
        if isinstance(outcome.place, Path):
            sender = Sender(api, self._records, self._patience, self._display, options)
            return await sender.send(Found(outcome.place, outcome.name))
        title = options.title or title_of(outcome.place)
        document = {"title": title, "tags": list(options.tags), "source": outcome.place}
        key = ids.nonce()
        return await self._patience.insist(lambda _: api.create(document, key))

    async def _watch(self, watcher: Watcher, outcome: Outcome) -> None:
        assert outcome.video is not None  # noqa: S101 - it was uploaded
        try:
            await watcher.watch(outcome.name, outcome.video, lambda: self._playable(outcome))
        except CannotGoOn as error:
            self._fail(outcome, error)
            return
        if self._wait is Wait.ENCODED:
            outcome.status = "encoded"
        elif self._wait is Wait.NONE:
            is_file = isinstance(outcome.place, Path)
            self._tell(outcome, "is uploaded" if is_file else "is being fetched")
        self._settled(outcome)

    def _playable(self, outcome: Outcome) -> None:
        outcome.status = "playable"
        seconds = clock.monotonic_s() - outcome.begun_s
        self._tell(outcome, f"can be played after {seconds:.1f} s")

    def _tell(self, outcome: Outcome, what: str) -> None:
        video = outcome.video
        assert video is not None  # noqa: S101 - it was uploaded
        if not self._wishes.json:
            lines = [f"{outcome.name} {what}", f"Player  {video.player}", f"HLS     {video.hls}"]
            self._display.result("\n".join(lines))
        if self._wishes.open_page:
            webbrowser.open(video.player)

    def _fail(self, outcome: Outcome, error: CannotGoOn) -> None:
        outcome.status, outcome.error = "failed", error
        self._settled(outcome)

    def _give_up(self, outcomes: Sequence[Outcome]) -> None:
        for outcome in outcomes:
            self._fail(outcome, CannotGoOn(Exit.FAILED, "It was not tried."))

    def _settled(self, outcome: Outcome) -> None:
        if self._wishes.json:
            self._display.result(outcome.to_line())


def title_of(url: str) -> str:
    """Return the title of a video whose file is behind a URL: the file's name."""
    parts = urlsplit(url)
    return PurePosixPath(unquote(parts.path)).stem or parts.netloc or url


def _is_hopeless(error: CannotGoOn) -> bool:
    if isinstance(error, Refused):
        return error.code in _HOPELESS
    return error.status is Exit.SERVER_UNREACHABLE


def _sum_up(outcomes: Sequence[Outcome]) -> None:
    """Say how it ended. Raises CannotGoOn with what failed and why, if anything did."""
    failed = [outcome for outcome in outcomes if outcome.error is not None]
    if not failed:
        if len(outcomes) > 1:
            typer.echo(f"All {len(outcomes)} are uploaded.", err=True)
        return
    reasons = [f"{outcome.name}: {outcome.error}" for outcome in failed]
    statuses = {outcome.error.status for outcome in failed if outcome.error is not None}
    gone = Exit.SERVER_UNREACHABLE
    status = gone if gone in statuses else Exit.FAILED
    if len(outcomes) == 1:
        raise CannotGoOn(status, reasons[0])
    done = len(outcomes) - len(failed)
    raise CannotGoOn(status, "\n  ".join([f"{done} of {len(outcomes)} are uploaded.", *reasons]))
