import type Hls from 'hls.js';
import { describe, expect, it } from 'vitest';
import { firstLevel, lineBps } from '../line';

function fetched(transferSize: number, requestStart: number, responseEnd: number) {
  return { transferSize, requestStart, responseEnd } as PerformanceResourceTiming;
}

describe('the line', () => {
  it('is as fast as the largest file that came over it', () => {
    const small = fetched(2_000, 0.1, 500);
    expect(lineBps([small, fetched(150_000, 100, 700), fetched(80_000, 100, 200)])).toBe(2_000_000);
  });

  it('is not known where all was cached', () => {
    expect(lineBps([fetched(0, 100, 101), fetched(49_999, 100, 900)])).toBeNull();
    expect(lineBps([])).toBeNull();
  });
});

describe('the first quality', () => {
  const levels = [
    { bitrate: 530_000, codecSet: 'avc1,mp4a' },
    { bitrate: 930_000, codecSet: 'avc1,mp4a' },
    { bitrate: 1_000_000, codecSet: 'hvc1,mp4a' },
    { bitrate: 1_530_000, codecSet: 'avc1,mp4a' },
    { bitrate: 5_130_000, codecSet: 'avc1,mp4a' },
  ];
  const hls = { levels, firstLevel: 3 } as unknown as Hls;

  it.each([
    [200_000, 0],
    [1_700_000, 0],
    [2_800_000, 1],
    [3_500_000, 1],
    [5_000_000, 3],
    [900_000_000, 3],
  ])('of a line of %d bit/s is number %d', (bps, level) => {
    expect(firstLevel(hls, bps)).toBe(level);
  });
});
