import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { LATER_MS, SOON_MS, Watch } from '../watch';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

test('loads soon again while something goes on, and later when nothing does', async () => {
  const load = vi.fn<() => Promise<boolean>>().mockResolvedValueOnce(true).mockResolvedValue(false);
  const watch = new Watch(load);
  await vi.advanceTimersByTimeAsync(SOON_MS);
  expect(load).toHaveBeenCalledTimes(2);
  await vi.advanceTimersByTimeAsync(LATER_MS - 1);
  expect(load).toHaveBeenCalledTimes(2);
  await vi.advanceTimersByTimeAsync(1);
  expect(load).toHaveBeenCalledTimes(3);
  watch.stop();
  await vi.advanceTimersByTimeAsync(10 * LATER_MS);
  expect(load).toHaveBeenCalledTimes(3);
});

test('loads once more, not twice at a time, when something was changed meanwhile', async () => {
  let done: (goesOn: boolean) => void = () => {};
  const load = vi.fn(() => new Promise<boolean>((resolve) => { done = resolve; }));
  const watch = new Watch(load);
  watch.now();
  watch.now();
  expect(load).toHaveBeenCalledTimes(1);
  done(false);
  await vi.advanceTimersByTimeAsync(0);
  expect(load).toHaveBeenCalledTimes(2);
  watch.stop();
});

test('rests while nobody looks', async () => {
  const seen = vi.spyOn(document, 'visibilityState', 'get').mockReturnValue('hidden');
  const load = vi.fn(async () => true);
  const watch = new Watch(load);
  await vi.advanceTimersByTimeAsync(20 * SOON_MS);
  expect(load).toHaveBeenCalledTimes(1);
  seen.mockReturnValue('visible');
  document.dispatchEvent(new Event('visibilitychange'));
  await vi.advanceTimersByTimeAsync(0);
  expect(load).toHaveBeenCalledTimes(2);
  watch.stop();
});

test('does less often what takes long', async () => {
  const load = vi.fn(() => new Promise<boolean>((resolve) => setTimeout(resolve, 3000, true)));
  const watch = new Watch(load);
  await vi.advanceTimersByTimeAsync(3000 + 11_999);
  expect(load).toHaveBeenCalledTimes(1);
  await vi.advanceTimersByTimeAsync(1);
  expect(load).toHaveBeenCalledTimes(2);
  watch.stop();
});
