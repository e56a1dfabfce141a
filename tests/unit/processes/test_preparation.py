from telecine.db import schema
from telecine.processes.preparation import newest_revision


def test_the_names_of_the_files_tell_the_newest_revision() -> None:
    assert newest_revision() == schema.head()
