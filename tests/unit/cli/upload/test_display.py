import sys

import pytest

from telecine import clock
from telecine.cli.upload.display import Bars, Lines, fitting, progress_line

GIB = 1 << 30


def test_a_line_tells_share_rate_and_time_left() -> None:
    assert progress_line(GIB // 4, GIB, 0) == "25 % of 1073.7 MB"
    assert progress_line(GIB // 2, GIB, 10e6) == "50 % of 1073.7 MB, 10.0 MB/s, 54 s left"


def test_lines_come_now_and_then(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now_s = 0.0
    monkeypatch.setattr(clock, "monotonic_s", lambda: now_s)
    lines = Lines(progress=True)
    for second in range(31):
        now_s = float(second)
        lines.sending("a.mp4", 50 + second, 100)
    told = capsys.readouterr().err.splitlines()
    assert [line.partition(",")[0] for line in told] == [
        *("a.mp4: 60 % of 0.0 MB", "a.mp4: 70 % of 0.0 MB", "a.mp4: 80 % of 0.0 MB"),
    ]


def test_results_alone_go_to_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    with Lines(progress=False) as lines:
        lines.sending("a.mp4", 1, 2)
        lines.note("Busy.")
        lines.result("{}")
    said = capsys.readouterr()
    assert (said.out, said.err) == ("{}\n", "Busy.\n")


def test_bars_are_for_terminals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: False)
    assert isinstance(fitting(json=False), Lines)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert isinstance(fitting(json=False), Bars)


def test_bars_show_bytes_and_then_qualities(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "120")
    with Bars() as bars:
        bars.sending("[a].mp4", 5_000_000, 10_000_000)
        bars.preparing("b.mp4", "encoding", 1, 2)
        bars.note("[Busy].")
        bars.result("the result")
    said = capsys.readouterr()
    assert "[a].mp4" in said.err
    assert "5.0/10.0 MB" in said.err
    assert "encoding" in said.err
    assert "50%" in said.err
    assert "[Busy]." in said.err
    assert said.out == "the result\n"
    with Bars() as bars:
        bars.sending("a.mp4", 1, 2)
        bars.sent("a.mp4")
        bars.preparing("a.mp4", "encoding", 1, 2)
        bars.prepared("a.mp4")
        bars.sent("a.mp4")
        assert bars._tasks == {}


def test_bars_show_rate_and_time_left(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "120")
    now_s = 0.0
    with Bars() as bars:
        monkeypatch.setattr(bars._bytes, "get_time", lambda: now_s)
        for now_s in (0.0, 1.0, 2.0):
            bars.sending("a.mp4", 2_000_000 * int(1 + now_s), 10_000_000)
    shown = capsys.readouterr().err
    assert "2.0 MB/s" in shown
    assert "0:00:02" in shown
