import dataclasses
import importlib
import importlib.util
import json
import pkgutil
from uuid import UUID

import pytest

import telecine.domains
from telecine.jobs.job import Job

for _domain in pkgutil.iter_modules(telecine.domains.__path__):
    if importlib.util.find_spec(f"telecine.domains.{_domain.name}.jobs"):
        importlib.import_module(f"telecine.domains.{_domain.name}.jobs")

# By name, because a dataclass with slots is made twice; the second one counts.
KINDS = list(
    {
        (kind.__module__, kind.__name__): kind
        for kind in Job.__subclasses__()
        if kind.__module__.startswith("telecine.")
    }.values()
)
VALUES = {UUID: UUID("01890a5d-ac96-774b-bcce-b302099a8057"), int: 7, str: "x", bool: True}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.task_name())
def test_every_job_survives_the_queue(kind: type[Job]) -> None:
    values = {f.name: VALUES[f.type] for f in dataclasses.fields(kind)}  # type: ignore[index]
    job = kind(**values)
    assert kind.from_args(json.loads(json.dumps(job.to_args()))) == job


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.task_name())
def test_every_job_has_its_bounds(kind: type[Job]) -> None:
    assert kind.lane
    assert 1 <= kind.attempts <= 20
    assert 0 < kind.timeout_s <= 3 * 24 * 3600  # programs of operators listen for days


def test_names_are_unique() -> None:
    assert KINDS
    assert len({kind.task_name() for kind in KINDS}) == len(KINDS)
