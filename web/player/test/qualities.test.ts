import type Hls from 'hls.js';
import { expect, it } from 'vitest';
import { boundQuality, qualitiesOf } from '../qualities';

const CODECS = ['avc1,mp4a', 'hvc1,mp4a', 'av01,mp4a'];

/** An engine with two heights in three codecs, in its own order: by height, then by codec. */
function engine(loadLevel: number): Hls {
  const levels = [360, 720].flatMap((height) =>
    CODECS.map((codecSet, place) => {
      const maxBitrate = height * 1000 - 100 * place;
      return { width: (height * 16) / 9, height, codecSet, maxBitrate };
    }),
  );
  return { levels, loadLevel, firstLevel: 3, autoLevelCapping: -1, config: {} } as unknown as Hls;
}

it.each([
  [-1, [3, 0]], // before the first one: what the playlist begins with
  [2, [5, 2]],
  [4, [4, 1]],
])('offers the heights of the codec that is loaded: level %i', (loadLevel, indexes) => {
  const offered = qualitiesOf(engine(loadLevel));
  expect(offered.map(({ index }) => index)).toEqual(indexes);
  expect(offered.map(({ heightPx }) => heightPx)).toEqual([720, 360]);
});

it('bounds all codecs alike', () => {
  const hls = engine(-1);
  boundQuality(hls, null, 400);
  expect(hls.autoLevelCapping).toBe(2);
  boundQuality(hls, 700, null);
  expect(hls.config.minAutoBitrate).toBe(719_800);
  boundQuality(hls, null, null);
  expect(hls.config.minAutoBitrate).toBe(0);
});

it('offers nothing without an engine', () => {
  expect(qualitiesOf(null)).toEqual([]);
});
