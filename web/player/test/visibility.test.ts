import { expect, it } from 'vitest';
import { Visibility } from '../visibility';

function listened(visibility: Visibility): string[] {
  const heard: string[] = [];
  for (const name of ['enabled', 'disabled']) {
    visibility.addEventListener(name, () => heard.push(name));
  }
  return heard;
}

it('shows only what was named after all was hidden, and more with each call', () => {
  const visibility = new Visibility(false);
  const heard = listened(visibility);
  visibility.hide();
  visibility.show(['play']);
  visibility.show(['volume', 'no such control']);
  expect(visibility.has('play') && visibility.has('volume')).toBe(true);
  expect(visibility.has('fullscreen')).toBe(false);
  expect(heard).toEqual(['disabled', 'enabled']);
});

it('hides single ones, and tells when none is left', () => {
  const visibility = new Visibility(false);
  const heard = listened(visibility);
  visibility.hide(['download']);
  expect(visibility.has('download')).toBe(false);
  expect(visibility.has('play')).toBe(true);
  expect(heard).toEqual([]);
  visibility.hide();
  visibility.hide();
  expect(heard).toEqual(['disabled']);
  visibility.show();
  expect(visibility.has('download')).toBe(true);
});
