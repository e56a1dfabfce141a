import pytest

from telecine.domains.analytics.agents import describe

WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"
APPLE = "AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5"


@pytest.mark.parametrize(
    ("user_agent", "device", "os", "browser"),
    [
        (f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {WEBKIT} Chrome/130.0.0.0 Safari/537.36",
         "computer", "windows", "chrome"),
        ((f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {WEBKIT} Chrome/130.0.0.0 Safari/537.36"
         " Edg/130.0.0.0"), "computer", "windows", "edge"),
        (f"Mozilla/5.0 (X11; Linux x86_64) {WEBKIT} HeadlessChrome/130.0.0.0 Safari/537.36",
         "computer", "linux", "chrome"),
        ("Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0",
         "computer", "linux", "firefox"),
        (f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {APPLE} Safari/605.1.15",
         "computer", "mac osx", "safari"),
        ((f"Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) {APPLE} Mobile/15E148"
         " Safari/604.1"), "phone", "ios", "safari"),
        (f"Mozilla/5.0 (iPad; CPU OS 16_6 like Mac OS X) {APPLE} Mobile/15E148 Safari/604.1",
         "tablet", "ios", "safari"),
        ((f"Mozilla/5.0 (Linux; Android 14; SM-S918B) {WEBKIT} Chrome/130.0.0.0 Mobile"
         " Safari/537.36"), "phone", "android", "chrome"),
        (f"Mozilla/5.0 (Linux; Android 14; SM-X710) {WEBKIT} Chrome/130.0.0.0 Safari/537.36",
         "tablet", "android", "chrome"),
        (f"Mozilla/5.0 (PlayStation; PlayStation 5/2.26) {APPLE} Safari/605.1.15",
         "console", "unknown", "safari"),
        (f"Mozilla/5.0 (SMART-TV; Linux; Tizen 6.0) {WEBKIT} Chrome/76.0 TV Safari/537.36",
         "tv", "tizen", "chrome"),
        ("", "unknown", "unknown", "unknown"),
        ("\x80" * 5000, "unknown", "unknown", "unknown"),
    ],
)  # fmt: skip
def test_devices_systems_and_browsers(user_agent: str, device: str, os: str, browser: str) -> None:
    agent = describe(user_agent)
    assert (agent.device_type, agent.os, agent.browser) == (device, os, browser)
