import type { Options } from './options';
import type { Player } from './player';

/** Pages with this in their query may fetch from anywhere; `delivery/embed.py` knows it. */
const MARK = 'ads';

/**
 * Goes to the page that may play advertisements, if this one may not.
 *
 * They come from hosts that nobody knows before, and the policy of the page names the
 * hosts that it fetches from: so only pages that have a tag get a wider one. Returns
 * true when this page is being left.
 */
export function leaveForAds(options: Options, url: URL): boolean {
  if (options.adTagUrl === null || url.origin !== location.origin) return false;
  if (new URLSearchParams(location.search).has(MARK)) return false;
  // Written by hand: the rest of the query stays as raw as it came.
  location.replace(`${url.pathname}${url.search === '' ? '?' : `${url.search}&`}${MARK}=1${url.hash}`);
  return true;
}

/** Lets the media's advertisements come first; their code is fetched only for them. */
export function prepareAds(root: HTMLElement, player: Player): void {
  const { adTagUrl } = player.options;
  if (adTagUrl === null) {
    player.beforeFirstPlay = null;
    return;
  }
  const breaks = import('./ads/breaks').then(
    ({ AdBreaks }) => new AdBreaks(root, player, adTagUrl),
  );
  player.beforeFirstPlay = async () => (await breaks).before();
}
