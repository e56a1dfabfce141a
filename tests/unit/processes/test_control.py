from telecine.processes.control import Briefing


def test_a_briefing_is_one_line_and_comes_back() -> None:
    briefing = Briefing("postgresql:///x", "secret\nkey", "00")
    assert briefing.to_line().count(b"\n") == 1
    assert Briefing.from_line(briefing.to_line()) == briefing
