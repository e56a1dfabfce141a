import type Hls from 'hls.js';

export interface Quality {
  /** The number by which `Player.quality` selects it. */
  index: number;
  /** The short side, so that a phone's upright 1080x1920 is 1080. */
  heightPx: number;
}

export const AUTO = -1;

/** The renditions to choose from, best first. */
export function qualitiesOf(hls: Hls | null): Quality[] {
  return (hls?.levels ?? [])
    .map(({ width, height }, index) => ({ index, heightPx: Math.min(width, height) }))
    .filter(({ heightPx }) => heightPx > 0) // sound alone offers nothing to choose
    .sort((left, right) => right.heightPx - left.heightPx);
}

/** Keeps automatic choice between two heights; null is no bound. */
export function boundQuality(hls: Hls, minPx: number | null, maxPx: number | null): void {
  const allowed = qualitiesOf(hls).filter(({ heightPx }) => heightPx <= (maxPx ?? Infinity));
  // A bound on what fits the frame would fight with the bound that was asked for. To
  // change it resets the other one, so it comes first.
  hls.capLevelToPlayerSize = maxPx === null;
  if (maxPx !== null) hls.autoLevelCapping = allowed[0]?.index ?? AUTO;
  const floor = allowed.findLast(({ heightPx }) => heightPx >= (minPx ?? 0));
  const bitrateBps = hls.levels[floor?.index ?? -1]?.maxBitrate;
  hls.config.minAutoBitrate = minPx === null ? 0 : (bitrateBps ?? 0);
}
