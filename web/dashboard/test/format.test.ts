import { expect, test } from 'vitest';
import { ago, bytes, clock, percent, rate, took } from '../format';
import { nameIn } from '../source';

test('figures', () => {
  expect([0, 999, 1500, 16_413_672, 2e11].map(bytes)).toEqual(['0 bytes', '999 bytes', '1.5 KB', '16.4 MB', '200 GB']);
  expect([0, 59.9, 61, 3723].map(clock)).toEqual(['0:00', '0:59', '1:01', '1:02:03']);
  expect([0.24, 42, 300].map(took)).toEqual(['0.2 s', '42 s', '5:00 min']);
  expect([0.999, 1].map(percent)).toEqual(['99 %', '100 %']);
  expect([71_200, 2_900_000].map(rate)).toEqual(['71 kbit/s', '2.9 Mbit/s']);
});

test('how long ago', () => {
  const now = Date.parse('2026-05-20T12:00:00Z');
  const before = (seconds: number) => ago(new Date(now - 1000 * seconds).toISOString(), now);
  expect([5, 60, 7300, 90_000].map(before)).toEqual(['just now', '1 minute ago', '2 hours ago', 'yesterday']);
  expect(before(30 * 86_400)).toContain('2026');
});

test('the name of a file that is saved', () => {
  expect(nameIn("attachment; filename*=UTF-8''Caf%C3%A9.mp4")).toBe('Café.mp4');
  expect(nameIn('attachment')).toBeNull();
});
