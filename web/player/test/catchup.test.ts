import { expect, test } from 'vitest';
import { paceOf } from '../catchup';

test('the further behind, the faster, up to a tenth', () => {
  expect(paceOf(0.1, 1)).toBeCloseTo(1.05);
  expect(paceOf(0.5, 1)).toBe(1.1);
  expect(paceOf(10, 1)).toBe(1.1);
});

test('who is near enough is left alone, as is who has gone back', () => {
  expect(paceOf(0.05, 1)).toBe(1);
  expect(paceOf(-2, 1)).toBe(1);
  expect(paceOf(60, 5)).toBe(1);
});

test('an empty buffer is not emptied faster', () => {
  expect(paceOf(2, 0.25)).toBe(1);
  expect(paceOf(2, 0.1)).toBe(0.97);
});
