import { expect, test } from 'vitest';
import { tooHeavy } from '../../weight';

const MANIFEST = {
  'player/main.ts': { file: 'main.js', css: ['main.css'], imports: ['_shared.js'] },
  '_shared.js': { file: 'shared.js', imports: ['player/main.ts'] },
  'player/controls.ts': { file: 'controls.js', imports: ['_shared.js'], isDynamicEntry: true },
  'player/bridge.ts': { file: 'bridge.js', imports: ['_shared.js'], isDynamicEntry: true },
  'player/ads.ts': { file: 'ads.js', imports: ['player/controls.ts'], isDynamicEntry: true },
  'dashboard/main.ts': { file: 'dashboard.js', css: ['dashboard.css'] },
};
const BYTES: Record<string, number> = {
  'main.js': 100,
  'main.css': 10,
  'shared.js': 40,
  'controls.js': 50,
  'bridge.js': 5,
  'ads.js': 7,
  'dashboard.js': 20,
  'dashboard.css': 3,
};
const sizeOf = (file: string) => BYTES[file] ?? Number.NaN;

test('what fits is not told', () => {
  const budget = { firstFrame: 150, controls: 55, onDemand: 7, dashboard: 23 };
  expect(tooHeavy(MANIFEST, sizeOf, budget)).toEqual([]);
});

test('each part has a budget of its own', () => {
  const budget = { firstFrame: 149, controls: 54, onDemand: 6, dashboard: 22 };
  expect(tooHeavy(MANIFEST, sizeOf, budget)).toEqual([
    'before the first frame: 150 bytes of 149',
    'controls: 55 bytes of 54',
    'player/ads.ts: 7 bytes of 6',
    'dashboard: 23 bytes of 22',
  ]);
});

test('controls that are loaded with the page are noticed', () => {
  const { 'player/controls.ts': _, ...rest } = MANIFEST;
  const budget = { firstFrame: 1000, controls: 1000, onDemand: 1000, dashboard: 1000 };
  expect(() => tooHeavy(rest, sizeOf, budget)).toThrow('player/controls.ts');
});

test('viewers load nothing of the dashboard', () => {
  const budget = { firstFrame: 1000, controls: 1000, onDemand: 1000, dashboard: 1000 };
  const mixed = { ...MANIFEST, 'dashboard/main.ts': { file: 'dashboard.js', imports: ['_shared.js'] } };
  expect(tooHeavy(mixed, sizeOf, budget)).toEqual([
    'viewers load what the dashboard is made of: shared.js, main.js, main.css',
  ]);
});
