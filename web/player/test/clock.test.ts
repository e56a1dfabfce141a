import { expect, it } from 'vitest';
import { clockText } from '../clock';

it.each([
  [0, '0:00'],
  [7.9, '0:07'],
  [754, '12:34'],
  [3723, '1:02:03'],
  [Number.NaN, '0:00'],
  [Number.POSITIVE_INFINITY, '0:00'],
])('writes %d seconds as %s', (timeS, text) => {
  expect(clockText(timeS)).toBe(text);
});
