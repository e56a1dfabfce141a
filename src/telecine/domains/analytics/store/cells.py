"""Which rollups tell of a question: those of a dimension, and of which of its values.

What is told apart by two things, or filtered by one and told apart by another, is in the rollups of
`rollups.AUDIENCE`, whose values have all the parts. They, and several values of a dimension, are
summed up: that is for what adds up, so not for viewers, who may be in two of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from telecine.domains.analytics.questions import RENDITION, Question
from telecine.domains.analytics.store import quality
from telecine.domains.analytics.store.measures import meant
from telecine.domains.analytics.store.rollups import AUDIENCE, PARTS, part

_OF_FILTERS = {
    "mediaId": "media-id",
    "mediaType": "media-type",
    "continent": "continent",
    "country": "country",
    "deviceType": "device-type",
    "operatingSystem": "operating-system",
    "browser": "browser",
    "referrer": "referrer",
    RENDITION: RENDITION,
    "tag": "media-id",
}
# As the filter of the same name in `measures`, of rollups of media.
_TAGGED = """
    value IN (SELECT v.public_id FROM video v WHERE v.project_id = :rolled_project
                 AND v.tags @> :rolled_tag AND v.deleted_at IS NULL)
"""
_OF_MEDIA = frozenset({"media-id", "media-type"})
_PREFIXES = {"video": "vi", "live-stream": "li"}
"""How ids of media begin."""


@dataclass(frozen=True, slots=True)
class Cells:
    """Rollups of a dimension. `group` is what they are told apart by."""

    dimension: str
    group: str
    conditions: tuple[str, ...] = ()
    values: Mapping[str, list[str]] = field(default_factory=dict)

    @property
    def number(self) -> int:
        """The number of the dimension."""
        return quality.ROLLED[self.dimension][0]

    @property
    def daily(self) -> bool:
        """Whether they are of days, not of hours."""
        return quality.ROLLED[self.dimension][1]


def cells_of(question: Question, own: str, metric: str) -> Cells | None:
    """Return the rollups that tell of a metric by the dimension `own`, None if there are none."""
    wanted = {name: sorted(set(meant(name, of))) for name, of in question.filters.items()}
    involved = {own, *(_OF_FILTERS[name] for name in wanted)} - {""}
    if len(involved) < 2:
        dimension = next(iter(involved), "")
    elif involved == _OF_MEDIA and own != "media-type":
        dimension = "media-id"
    elif involved <= set(PARTS):
        dimension = AUDIENCE
    else:
        return None
    adds_up = metric != "ccv-peak" and not question.unique
    if not adds_up and own != dimension and not _is_one(dimension, wanted):
        return None
    conditions = [_condition(name, dimension) for name in wanted]
    group = "''"
    if own:
        group = "value" if own == dimension else part(own)
    if dimension == AUDIENCE and own in ("continent", "country"):  # without a code
        conditions.append(f"{group} <> ''")
    values = {
        f"rolled_{name}": [_PREFIXES[each] for each in of] if _by_prefix(name, dimension) else of
        for name, of in wanted.items()
    }
    return Cells(dimension, group, tuple(conditions), values)


def _is_one(dimension: str, wanted: Mapping[str, list[str]]) -> bool:
    """Tell whether filters leave one value at most."""
    return any(
        _OF_FILTERS[name] == dimension and name != "tag" and len(of) == 1
        for name, of in wanted.items()
    )


def _by_prefix(name: str, dimension: str) -> bool:
    return name == "mediaType" and dimension == "media-id"


def _condition(name: str, dimension: str) -> str:
    if name == "tag":
        return _TAGGED
    value = "value" if dimension == _OF_FILTERS[name] else part(_OF_FILTERS[name])
    if _by_prefix(name, dimension):
        value = "left(value, 2)"
    return f"{value} = ANY (:rolled_{name})"
