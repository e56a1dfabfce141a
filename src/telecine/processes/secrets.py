"""What is derived from the master secret of an installation."""

import hmac

from telecine.processes.control import Briefing
from telecine.sealing import Sealer
from telecine.settings import Settings


def token_key(secret_key: str) -> bytes:
    """Derive the key that signs the tokens of private media from the master secret."""
    return hmac.digest(secret_key.encode(), b"telecine: private media", "sha256")


def nodes_key(secret_key: str) -> bytes:
    """Derive the key by which nodes know each other from the master secret."""
    return hmac.digest(secret_key.encode(), b"telecine: live between nodes", "sha256")


def sealer(settings: Settings, briefing: Briefing) -> Sealer:
    """Build what seals secrets with the master secret, and opens those of its predecessor."""
    previous = settings.previous_secret_key
    before = [] if previous is None else [previous.get_secret_value()]
    return Sealer([briefing.secret_key, *before])
