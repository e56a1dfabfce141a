"""From which sites and countries viewers may come: the lists of a project, asked per request."""

from collections.abc import Collection
from dataclasses import dataclass, replace

from starlette.types import Scope

from telecine.delivery.answers import Answer
from telecine.delivery.origin import address_of, sites_of
from telecine.domains.accounts.access import Access
from telecine.net.countries import Countries
from telecine.problems import Problem, problem


@dataclass(frozen=True, slots=True)
class Restrictions:
    """Applies lists. `own_hosts` are those of our player pages, which are judged themselves."""

    countries: Countries
    own_hosts: Collection[str]

    def refuse(self, scope: Scope, access: Access | None) -> Problem | None:
        """Return why a viewer may not have a file, None if they may."""
        return self.refuse_site(scope, access) or self._refuse_country(scope, access)

    def refuse_site(self, scope: Scope, access: Access | None) -> Problem | None:
        """Return why a page may not show a media, None if it may."""
        if access is None or access.referrers is None:
            return None
        takes = access.takes_referrer
        if all(host in self.own_hosts or takes(host) for host in sites_of(scope)):
            return None
        return problem(403, "referrer-not-allowed", "This site may not show the media.")

    def _refuse_country(self, scope: Scope, access: Access | None) -> Problem | None:
        if access is None or access.countries is None:
            return None
        if access.takes_country(self.countries.of(address_of(scope))):
            return None
        return problem(403, "country-not-allowed", "The media cannot be watched in this country.")


def for_this_viewer(answer: Answer) -> Answer:
    """Return an answer that shared caches leave alone: the next viewer may be refused."""
    return replace(answer, cache_control=answer.cache_control.replace(b"public", b"private"))
