import { beforeEach, describe, expect, it, vi } from 'vitest';
import { parseOptions } from '../options';
import { applyColours, logoLink, resetColours, withTheme } from '../theme';

const root = document.createElement('main');

beforeEach(() => {
  // The test's DOM knows no colours; that browsers do is shown in a browser.
  vi.stubGlobal('CSS', { supports: (_: string, value: string) => !value.includes('nonsense') });
  root.removeAttribute('style');
});

describe('colours', () => {
  it('are set as values, and only those that are given', () => {
    applyColours(root, { link: 'red', trackPlayed: 'rgba(1, 2, 3, .5)', text: 7, unknown: 'red' });
    expect(root.style.getPropertyValue('--link')).toBe('red');
    expect(root.style.getPropertyValue('--track-played')).toBe('rgba(1, 2, 3, .5)');
    expect(root.style.length).toBe(2);
    resetColours(root);
    expect(root.style.length).toBe(0);
  });

  it.each([
    'nonsense',
    'red; background: url(//evil.example)',
    'red} body{display:none',
    'var(--ink)',
    'VAR (--ink)',
    'env(x)',
    'attr(title)',
  ])('are not %s', (colour) => {
    applyColours(root, { link: colour });
    expect(root.style.length).toBe(0);
  });
});

it('switches on what the URL left off, and nothing off', () => {
  const options = parseOptions('?loop=true', '');
  const theme = { forceAutoplay: true, forceLoop: false, hideTitle: true, enableControls: false };
  expect(withTheme(options, theme)).toMatchObject({
    autoplay: true,
    loop: true,
    hideTitle: true,
    hideControls: true,
  });
  expect(withTheme(options, {})).toEqual(options);
});

it.each([
  ['https://example.com/a?b', 'https://example.com/a?b'],
  ['example.com', 'https://example.com/'],
  ['javascript:alert(1)', null],
  [' javascript:alert(1)', null],
  ['data:text/html,x', null],
  ['', null],
  [null, null],
])('links the logo to %s as %s', (given, link) => {
  expect(logoLink(given)).toBe(link);
});
