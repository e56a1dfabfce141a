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
  const told = fetched.filter((each) => each.transferSize >= LEAST_BYTES && each.requestStart > 0);
  const [largest] = told.sort((one, other) => other.transferSize - one.transferSize);
  if (largest === undefined) return null;
  return (largest.transferSize * 8000) / Math.max(1, largest.responseEnd - largest.requestStart);
}

/**
 * The quality to begin with, an index of `levels`: the one that the playlist names first, or as
 * good a one below it as such a line brings soon.
 */
export function firstLevel({ levels, firstLevel: named }: Hls, bps: number): number {
  const codecs = levels[named]?.codecSet;
  const below = levels.map((_, index) => index).filter((index) => {
    return index <= named && levels[index]?.codecSet === codecs;
  });
  const soon = below.filter((index) => (levels[index]?.bitrate ?? 0) <= bps / SHARE);
  return soon.at(-1) ?? below[0] ?? named;
}
