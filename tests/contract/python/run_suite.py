"""Runs the integration tests that the source archive of `apivideo` carries, unchanged.

`run_suite.py BASE_URL METHOD...` leaves the named methods out and prints a line of JSON
last: how many ran. The archive's tests and the media files are expected in the working
directory, the key in `API_KEY`.
"""

import json
import sys
import unittest
from importlib import import_module

import apivideo.auth_api_client as auth


def main(base_url: str, *left_out: str) -> None:
    auth.HOST_ENVIRONMENT["production"] = base_url
    case = import_module("test_integration_videos_api").TestVideosApi
    names = unittest.TestLoader().getTestCaseNames(case)
    assert set(left_out) <= set(names), names
    wanted = [case(name) for name in names if name not in left_out]
    result = unittest.TextTestRunner(verbosity=2).run(unittest.TestSuite(wanted))
    print(json.dumps({"ran": result.testsRun, "skipped": len(result.skipped)}))
    sys.exit(not result.wasSuccessful())


if __name__ == "__main__":
    sys.path.insert(0, ".")
    main(*sys.argv[1:])
