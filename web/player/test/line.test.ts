import type Hls from 'hls.js';
import { describe, expect, it } from 'vitest';
import { beginSoon, lineBps } from '../line';

function fetched(transferSize: number, responseStart: number, responseEnd: number) {
  return { transferSize, responseStart, responseEnd } as PerformanceResourceTiming;
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

describe('the engine', () => {
  const levels = [{ bitrate: 530_000 }, { bitrate: 930_000 }, { bitrate: 1_530_000 }];

  it.each([
    ['is told of a slow line', 3_000_000, 1_000_000],
    ['begins as the playlist says on a quick one', 4_600_000, 1_530_000],
    ['begins as the playlist says on an unknown one', null, 1_530_000],
  ])('%s', (_, bps, estimate) => {
    const hls = { levels, firstLevel: 2, bandwidthEstimate: 1_530_000 } as unknown as Hls;
    beginSoon(hls, bps);
    expect(hls.bandwidthEstimate).toBe(estimate);
  });
});
