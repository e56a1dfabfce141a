import json
from fractions import Fraction

import pytest

from telecine.pipeline.codec import (
    CodecError,
    plan_from_json,
    plan_to_json,
    probe_from_json,
    probe_to_json,
)
from telecine.pipeline.plan import plan
from tests.unit.pipeline import sources

PROBE = sources.probe(
    sources.video(frame_rate=Fraction(30000, 1001), transfer="bt709"),
    sources.audio(start_s=Fraction(-1, 48_000)),
    audio_obstacles=("codec",),
)


def test_a_probe_comes_back_equal() -> None:
    assert probe_from_json(probe_to_json(PROBE)) == PROBE
    silent = sources.probe(None, sources.audio())
    assert probe_from_json(memoryview(probe_to_json(silent))) == silent


def test_a_plan_comes_back_equal() -> None:
    made = plan(PROBE)
    assert plan_from_json(plan_to_json(made)) == made


def test_unknown_members_are_ignored_and_new_ones_have_defaults() -> None:
    body = json.loads(plan_to_json(plan(PROBE)))
    body["later"] = 1
    del body["audio"]["source_packet"]
    assert plan_from_json(json.dumps(body).encode()) == plan(PROBE)


@pytest.mark.parametrize(
    "change",
    [{"version": 2}, {"frames": "many"}, {"renditions": [{}]}, {"frame_rate": "1/0"}],
)
def test_other_objects_are_refused(change: dict[str, object]) -> None:
    body = json.loads(plan_to_json(plan(PROBE))) | change
    with pytest.raises(CodecError):
        plan_from_json(json.dumps(body).encode())


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b"\xff"])
def test_garbage_is_refused(data: bytes) -> None:
    with pytest.raises(CodecError):
        probe_from_json(data)
