"""Which rollups tell of a question: those of a dimension, and of which of its values.

What is told apart by two things, or filtered by one and told apart by another, is in the rollups of
`rollups.AUDIENCE`, whose values have all the parts. They, and several values of a dimension, are
summed up: that is for what adds up, so not for viewers, who may be in two of them.
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace

from telecine.domains.analytics.questions import RENDITION, Question
from telecine.domains.analytics.store import pairs, quality
from telecine.domains.analytics.store.measures import meant
from telecine.domains.analytics.store.rollups import AUDIENCE, CHANGED, PARTS, part

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
# As the filter of the same name in `measures`, of rollups of media. Rows are looked up in the index
# by an array; pairs are in none, and compared with a hash of all.
_TAGGED = """
    SELECT v.public_id FROM video v WHERE v.project_id = :rolled_project
       AND v.tags @> :rolled_tag AND v.deleted_at IS NULL
"""
_OF_MEDIA = frozenset({"media-id", "media-type"})
_PREFIXES = {"video": "vi", "live-stream": "li"}
"""How ids of media begin."""


@dataclass(frozen=True, slots=True)
class Cells:
    """Rollups of a dimension. `group` is what they are told apart by.

    `changes` are those whose moments tell of a peak, if it is not the highest one of these.
    `of_pairs`: they are those of `pairs`, with the conditions on what is paired in `others`.
    """

    dimension: str
    group: str
    conditions: tuple[str, ...] = ()
    values: Mapping[str, list[str]] = field(default_factory=dict)
    changes: "Cells | None" = None
    of_pairs: bool = False
    others: tuple[str, ...] = ()

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
        return _pairs(own, metric, wanted, involved - set(PARTS))
    cells = _cells(dimension, own, wanted)
    if own == dimension or _is_one(dimension, wanted):
        return cells
    if question.unique:
        return None
    if metric == "ccv-peak":
        changed = dimension if dimension in CHANGED else AUDIENCE
        return replace(cells, changes=_cells(changed, own, wanted))
    return cells


def _cells(dimension: str, own: str, wanted: Mapping[str, list[str]]) -> Cells:
    conditions = [_condition(name, dimension) for name in wanted]
    group = "''"
    if own:
        group = "value" if own == dimension else part(own)
    if dimension == AUDIENCE:
        conditions += _known(own)
    return Cells(dimension, group, tuple(conditions), _values(wanted, dimension))


def _pairs(
    own: str, metric: str, wanted: Mapping[str, list[str]], watched: AbstractSet[str]
) -> Cells | None:
    """Return the rollups of pairs, if there are some of what was watched.

    Playbacks of some media are found by an index, which is quicker.
    """
    if metric not in pairs.METRICS or "mediaId" in wanted:
        return None
    dimension = next(iter(watched))
    if len(watched) > 1 or dimension not in pairs.WATCHED:
        return None
    of_others = {name for name in wanted if _OF_FILTERS[name] == dimension}
    return Cells(
        dimension,
        "other" if own == dimension else part(own) if own else "''",
        (*(_condition(each, AUDIENCE) for each in wanted.keys() - of_others), *_known(own)),
        _values(wanted, AUDIENCE),
        of_pairs=True,
        others=tuple(_condition(each, dimension, "other") for each in of_others),
    )


def _known(own: str) -> list[str]:
    """Return the condition that leaves out who is without a code, where these are told apart."""
    return [f"{part(own)} <> ''"] if own in ("continent", "country") else []


def _values(wanted: Mapping[str, list[str]], dimension: str) -> dict[str, list[str]]:
    return {
        f"rolled_{name}": [_PREFIXES[each] for each in of] if _by_prefix(name, dimension) else of
        for name, of in wanted.items()
    }


def _is_one(dimension: str, wanted: Mapping[str, list[str]]) -> bool:
    """Tell whether filters leave one value at most."""
    return any(
        _OF_FILTERS[name] == dimension and name != "tag" and len(of) == 1
        for name, of in wanted.items()
    )


def _by_prefix(name: str, dimension: str) -> bool:
    return name == "mediaType" and dimension == "media-id"


def _condition(name: str, dimension: str, column: str = "value") -> str:
    if name == "tag":
        return f"other IN ({_TAGGED})" if column == "other" else f"value = ANY (ARRAY({_TAGGED}))"
    value = column if dimension == _OF_FILTERS[name] else part(_OF_FILTERS[name])
    if _by_prefix(name, dimension):
        value = "left(value, 2)"
    return f"{value} = ANY (:rolled_{name})"
