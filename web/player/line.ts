import type Hls from 'hls.js';

/** What is smaller says more of the way there and back than of the line. */
const LEAST_BYTES = 50_000;
/** A first segment of four seconds is then there in little more than one. */
const SHARE = 3;

/**
 * How fast the viewer's line is, bit/s, as the largest of what the page has fetched tells: at
 * least so fast. `null`: all of it came out of a cache.
 */
export function lineBps(
  fetched = performance.getEntriesByType('resource') as PerformanceResourceTiming[],
): number | null {
  const told = fetched.filter((each) => each.transferSize >= LEAST_BYTES && each.responseStart > 0);
  const [largest] = told.sort((one, other) => other.transferSize - one.transferSize);
  if (largest === undefined) return null;
  // From the first byte on: how long the server took is not the line's doing.
  return (largest.transferSize * 8000) / Math.max(1, largest.responseEnd - largest.responseStart);
}

/**
 * Lets the engine begin with as good a quality as such a line brings soon, where that is less
 * than the one that the playlist names first. It still chooses itself, by codec, frame and bounds.
 */
export function beginSoon(hls: Hls, bps: number | null): void {
  const named = hls.levels[hls.firstLevel];
  if (bps === null || named === undefined || bps / SHARE >= named.bitrate) return;
  hls.bandwidthEstimate = bps / SHARE;
}
