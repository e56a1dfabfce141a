"""What was encoded because viewers waited, told as one step of each rendition.

A film has thousands of such segments: a step of each would hide all the others.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from telecine import clock
from telecine.db.engine import Transaction
from telecine.domains.encodings import explanations
from telecine.domains.encodings.models import Asset, Step
from telecine.ffmpeg.meter import Meter

STEP = "on demand"

_REASON_CHARACTERS = 2000


@dataclass(slots=True)
class Outcome:
    """What became of one encode, filled in as it goes."""

    attempt: int
    segments: int = 0
    """How many of the pictures it stored."""

    given_up: bool = False
    """Its viewers had left."""

    reason: str | None = None
    """Why it failed."""

    final: bool = False
    """Whether nobody tries again for those who wait."""

    @property
    def state(self) -> str:
        """The state of the step after this encode."""
        if self.reason is None:
            return "done"
        return "failed" if self.final else "retrying"


async def record(
    tx: Transaction, asset: Asset, rendition: str, outcome: Outcome, meter: Meter
) -> None:
    """Add an encode to the step of its rendition; one that did nothing is not told.

    Figures are sums over all encodes, the reason is that of the last one.
    """
    if not meter.cpu_s and outcome.reason is None:
        return
    if await tx.get(Asset, asset.id) is None:
        return  # removed meanwhile: there is nobody left to tell
    name = f"{STEP} {rendition}"
    fresh = insert(Step).values(
        project_id=asset.project_id,
        asset_id=asset.id,
        name=name,
        state="running",
        detail={},
        started_at=clock.now(),
    )
    await tx.execute(fresh.on_conflict_do_nothing(constraint="uq_step_asset_id"))
    mine = (
        Step.project_id == asset.project_id,
        Step.asset_id == asset.id,
        Step.name == name,
    )
    step = (await tx.scalars(select(Step).where(*mine).with_for_update())).one()
    told = step.detail
    detail: dict[str, Any] = {
        "encodes": told.get("encodes", 0) + 1,
        "segments": told.get("segments", 0) + outcome.segments,
        "given_up": told.get("given_up", 0) + outcome.given_up,
        "failures": told.get("failures", 0) + (outcome.reason is not None),
        "cpu_s": round(told.get("cpu_s", 0.0) + meter.cpu_s, 3),
    }
    if outcome.reason is not None:
        detail["reason"] = explanations.cleaned(outcome.reason)[:_REASON_CHARACTERS]
        detail["log"] = explanations.log_lines(meter.last_words)
    if meter.troubles:
        detail["troubles"] = [explanations.cleaned(each)[:300] for each in meter.troubles]
    step.detail = detail
    step.state = outcome.state
    step.attempt = outcome.attempt
    step.finished_at = clock.now()
