"""What a player runs on, told by its user agent.

Names are those of the uap-core rules; the API shows operating systems and browsers in
lower case, and device types of its own.
"""

from dataclasses import dataclass

UNKNOWN = "unknown"
MAX_AGENT_CHARS = 1024

_COMPUTERS = frozenset(
    {"windows", "mac osx", "linux", "chrome os", "freebsd", "openbsd", "netbsd", "solaris"}
)
_LINUXES = frozenset({"ubuntu", "debian", "fedora", "red hat", "suse", "arch linux", "mint"})
_BROWSERS = {
    "chrome mobile": "chrome",
    "chrome mobile ios": "chrome",
    "chrome mobile webview": "chrome",
    "headlesschrome": "chrome",
    "chromium": "chrome",
    "mobile safari": "safari",
    "mobile safari ui/wkwebview": "safari",
    "firefox mobile": "firefox",
    "firefox ios": "firefox",
    "edge mobile": "edge",
    "opera mobile": "opera",
    "opera mini": "opera",
}
_TELEVISIONS = ("tv", "tizen", "web0s", "webos", "roku", "crkey", "bravia", "viera")
_CONSOLES = ("playstation", "xbox", "nintendo")
_WEARABLES = ("watch", "glass")


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """A device, its operating system and its browser; None: not known."""

    device_type: str = UNKNOWN
    device_vendor: str | None = None
    device_model: str | None = None
    os: str = UNKNOWN
    os_version: str | None = None
    browser: str = UNKNOWN
    browser_version: str | None = None


_KEPT = 4096
_known: dict[str, Agent] = {}


def known(user_agent: str) -> Agent | None:
    """Return what a user agent tells if it was described before, and not long ago."""
    return _known.get(user_agent)


def describe(user_agent: str) -> Agent:
    """Return what a user agent tells. The first call reads the rules: a second, 30 MB."""
    found = _described(user_agent)
    if len(_known) >= _KEPT:
        _known.clear()  # forged ones; those that are real are back at once
    _known[user_agent] = found
    return found


def _described(user_agent: str) -> Agent:
    from ua_parser import parse  # noqa: PLC0415 - no start waits for it

    found = parse(user_agent[:MAX_AGENT_CHARS])
    os_name, os_version = UNKNOWN, None
    if found.os is not None:
        os_name = _os(found.os.family.lower())
        os_version = _version(found.os.major, found.os.minor)
    browser, browser_version = UNKNOWN, None
    if found.user_agent is not None:
        family = found.user_agent.family.lower()
        browser = _BROWSERS.get(family, family)
        browser_version = _version(found.user_agent.major, found.user_agent.minor)
    device = found.device
    return Agent(
        device_type=_device_type(user_agent.lower(), os_name),
        device_vendor=device.brand if device else None,
        device_model=device.model if device else None,
        os=os_name,
        os_version=os_version,
        browser=browser,
        browser_version=browser_version,
    )


def _os(family: str) -> str:
    if family == "mac os x":
        return "mac osx"
    return "linux" if family in _LINUXES else family


def _version(major: str | None, minor: str | None) -> str | None:
    return ".".join(part for part in (major, minor) if part) or None


def _device_type(agent: str, os_name: str) -> str:
    """The rules name models, not kinds: tell these by what makers write."""
    for kind, words in (("tv", _TELEVISIONS), ("console", _CONSOLES), ("wearable", _WEARABLES)):
        if any(word in agent for word in words):
            return kind
    if "ipad" in agent or "tablet" in agent:
        return "tablet"
    if "iphone" in agent or "ipod" in agent or "windows phone" in agent:
        return "phone"
    if os_name == "android":
        # Google's advice to makers: tablets leave the word out.
        return "phone" if "mobile" in agent or "okhttp" in agent or "dalvik" in agent else "tablet"
    if os_name == "ios":
        return "phone"
    return "computer" if os_name in _COMPUTERS else UNKNOWN
