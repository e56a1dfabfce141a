"""When a job that failed is tried again."""

from datetime import timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest

from telecine import clock
from telecine.domains.sources.jobs import CopySource, DownloadSource
from telecine.jobs import worker
from telecine.jobs.job import Job


@pytest.mark.parametrize("kind", [DownloadSource, CopySource])
def test_tries_of_a_source_are_ever_further_apart(kind: type[Job]) -> None:
    """As docs/reference/sources-from-elsewhere.md says."""
    assert kind.attempts == 4
    strategy = worker._Attempts(kind.backoff_s)
    for failed_before, pause_s in enumerate((30, 60, 120)):
        job = cast("Any", SimpleNamespace(attempts=failed_before))
        before = clock.now()
        decision = strategy.get_retry_decision(exception=worker._TryAgain(), job=job)
        assert decision is not None
        assert decision.retry_at is not None
        assert before <= decision.retry_at - timedelta(seconds=pause_s) <= clock.now()
