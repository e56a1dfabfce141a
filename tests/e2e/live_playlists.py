"""Holds the live playlists that a browser gets to the rules."""

import re

from playwright.async_api import Error, Page, Route

from tests.fixtures.live_rules import LiveRules


async def hold_to_the_rules(page: Page) -> LiveRules:
    """Check each live playlist before the page gets it: what is amiss fails its test."""
    rules = LiveRules()

    async def pass_on(route: Route) -> None:
        known = rules.known()
        try:
            answer = await route.fetch(timeout=0)  # a reload may be held back for long
            text = await answer.text()
            if answer.ok:
                rules.see(route.request.url, text, known)
            elif answer.status == 404:
                rules.lose(route.request.url)
            await route.fulfill(response=answer)
        except Error:
            if not page.is_closed():
                await route.abort()  # its test goes somewhere else

    await page.route(re.compile(r"/li\w+(/index)?\.m3u8"), pass_on)
    return rules
