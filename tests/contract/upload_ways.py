"""Which client is shown to upload in which way, and by which tests.

The tests take their versions from here; `docs/reference/upload-clients.md` has the table.
"""

from dataclasses import dataclass
from importlib.metadata import version

NEWEST_PYTHON = version("api.video")
OLDER_PYTHON = ("1.3.0", "1.2.8", "1.2.0")
NEWEST_NODE = "2.6.8"
OLDER_NODE = ("2.2.9", "2.1.1")
NODE_SDK = ("2.0.1", "1.10.4")
NEWEST_UPLOADER, OLD_UPLOADER = "1.1.6", "1.0.11"
RECORDER = "1.0.11"
TUS_JS = "4.3.1"
TUSPY = "1.1.0"

WAYS = ("whole", "chunked", "progressive", "token", "cut", "killed")


@dataclass(frozen=True)
class Lacks:
    """Why there is nothing to show."""

    why: str


_SCRIPTS = "contract/test_uploads_clients.py::"
_CUT = "contract/test_uploads_cut.py::"
_KILLED = "chaos/test_client_uploads.py::"
_BROWSER = "e2e/test_browser_upload.py::"
_TUS = "contract/test_tus_clients.py::"

_NO_SESSIONS = Lacks("sends whole files only")
_NO_TOKENS = Lacks("knows no tokens")
_NO_FILES = Lacks("records")

_CUT_NEWEST = f"{_CUT}test_a_second_call_goes_through"
_KILLED_NEWEST = f"{_KILLED}test_a_second_call_goes_through"
_CUT_OLDER = f"{_CUT}test_a_second_call_of_older_clients_goes_through"
_KILLED_OLDER = f"{_KILLED}test_older_clients_whose_server_dies_under_all_of_them"
_NODE = f"{_SCRIPTS}test_node_clients"
_OLD_PYTHON = f"{_SCRIPTS}test_older_python_clients"
_ON_TOKEN = f"{_BROWSER}test_a_file_on_a_token"
_SESSION = f"{_BROWSER}test_a_progressive_session"
_RECORDING = f"{_BROWSER}test_a_recording_becomes_playable"
_RECORDING_BREAKS = f"{_BROWSER}test_a_recording_outlives_its_connection_and_its_server"
_TUS_JS_WAYS = f"{_TUS}test_tus_js_client"

TABLE: dict[str, tuple[str | Lacks, ...]] = {
    f"Python {NEWEST_PYTHON}": (
        *[f"{_SCRIPTS}test_the_newest_python_client"] * 4,
        _CUT_NEWEST,
        _KILLED_NEWEST,
    ),
    f"Python {', '.join(OLDER_PYTHON)}": (*[_OLD_PYTHON] * 4, _CUT_OLDER, _KILLED_OLDER),
    f"Node {NEWEST_NODE}": (*[_NODE] * 4, _CUT_NEWEST, _KILLED_NEWEST),
    f"Node {', '.join(OLDER_NODE)}": (*[_NODE] * 4, _CUT_OLDER, _KILLED_OLDER),
    f"`@api.video/nodejs-sdk` {', '.join(NODE_SDK)}": (
        *[_NODE] * 2,
        _NO_SESSIONS,
        _NO_TOKENS,
        _CUT_OLDER,
        _KILLED_OLDER,
    ),
    f"`@api.video/video-uploader` {NEWEST_UPLOADER}": (
        *[_ON_TOKEN] * 2,
        _SESSION,
        _ON_TOKEN,
        f"{_BROWSER}test_a_connection_that_breaks_is_no_loss",
        f"{_BROWSER}test_a_server_that_dies_in_the_middle",
    ),
    f"`@api.video/media-recorder` {RECORDER}": (
        *[_NO_FILES] * 2,
        *[_RECORDING] * 2,
        *[_RECORDING_BREAKS] * 2,
    ),
    f"tus-js-client {TUS_JS}": (
        *[_TUS_JS_WAYS] * 3,
        "e2e/test_browser_tus.py::test_a_broken_connection_costs_what_was_on_its_way",
        f"{_CUT}test_tus_clients_go_on_by_themselves",
        f"{_KILLED}test_tus_clients_go_on_by_themselves",
    ),
    f"tuspy {TUSPY}": (
        f"{_TUS}test_tuspy_in_one_request",
        f"{_TUS}test_tuspy",
        Lacks("must know the size"),
        _KILLED_OLDER,
        f"{_CUT}test_tus_clients_go_on_by_themselves",
        f"{_KILLED}test_tus_clients_go_on_by_themselves",
    ),
}
"""By client: the test of each of `WAYS`."""


def rendered() -> str:
    """Return the table as it stands in the documents."""
    lines = [f"| client | {' | '.join(WAYS)} |", "|---" * (len(WAYS) + 1) + "|"]
    for client, cells in TABLE.items():
        told = [cell.why if isinstance(cell, Lacks) else "yes" for cell in cells]
        lines.append(f"| {client} | {' | '.join(told)} |")
    return "\n".join(lines) + "\n"
