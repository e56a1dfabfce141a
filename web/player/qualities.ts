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
  if (hls === null) return [];
  // The engine chooses a codec, then stays with it: the same heights in others are no choice.
  const { codecSet } = hls.levels[hls.loadLevel] ?? hls.levels[hls.firstLevel] ?? {};
  return everyQuality(hls).filter(({ index }) => hls.levels[index]?.codecSet === codecSet);
}

/** The same with all codecs; of equal heights the one last that comes last in the engine. */
function everyQuality(hls: Hls): Quality[] {
  return hls.levels
    .map(({ width, height }, index) => ({ index, heightPx: Math.min(width, height) }))
    .filter(({ heightPx }) => heightPx > 0) // sound alone offers nothing to choose
    .sort((left, right) => right.heightPx - left.heightPx || left.index - right.index);
}

/** Keeps automatic choice between two heights; null is no bound. */
export function boundQuality(hls: Hls, minPx: number | null, maxPx: number | null): void {
  // Both bounds count levels, or their rates, across all codecs.
  const allowed = everyQuality(hls).filter(({ heightPx }) => heightPx <= (maxPx ?? Infinity));
  // A bound on what fits the frame would fight with the bound that was asked for. To
  // change it resets the other one, so it comes first.
  hls.capLevelToPlayerSize = maxPx === null;
  if (maxPx !== null) hls.autoLevelCapping = Math.max(AUTO, ...indexesAt(allowed.at(0), allowed));
  const floor = allowed.findLast(({ heightPx }) => heightPx >= (minPx ?? 0));
  const rates = indexesAt(floor, allowed).map((index) => hls.levels[index]?.maxBitrate ?? 0);
  hls.config.minAutoBitrate = minPx === null || rates.length === 0 ? 0 : Math.min(...rates);
}

function indexesAt(height: Quality | undefined, among: Quality[]): number[] {
  return among.filter(({ heightPx }) => heightPx === height?.heightPx).map(({ index }) => index);
}
