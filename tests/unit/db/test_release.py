import pytest

from telecine.db import schema
from telecine.db.release import RELEASE, Fit, fit, newest_revision


def test_the_names_of_the_files_tell_the_newest_revision() -> None:
    assert newest_revision() == schema.head()


def test_the_newest_revision_is_of_this_release() -> None:
    assert schema.releases()[newest_revision()] == RELEASE


def test_releases_are_counted_without_a_gap() -> None:
    counted = [release for _, release in sorted(schema.releases().items())]
    assert counted == sorted(counted)
    assert set(counted) == set(range(1, RELEASE + 1))


@pytest.mark.parametrize(
    ("revision", "release", "expected"),
    [
        ("0000", RELEASE, Fit.OLDER),
        (newest_revision(), RELEASE, Fit.SAME),
        ("9998", RELEASE, Fit.NEXT),  # a revision that a correction of this release brought
        ("9998", RELEASE + 1, Fit.NEXT),
        ("9998", RELEASE + 2, Fit.TOO_NEW),
    ],
)
def test_a_program_runs_on_its_own_schema_and_the_next(
    revision: str, release: int, expected: Fit
) -> None:
    assert fit(revision, release) is expected
