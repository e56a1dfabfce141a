import { describe, expect, it } from 'vitest';
import { parseOptions } from '../options';

describe('the query', () => {
  it('sets flags by true, by nothing, and unsets by false', () => {
    const options = parseOptions('?autoplay=true&muted&loop=false&hideTitle=true', '');
    expect(options).toMatchObject({ autoplay: true, muted: true, loop: false, hideTitle: true });
  });

  it('leaves everything off, and hotkeys on, by default', () => {
    const options = parseOptions('', '');
    expect(Object.values(options).filter((value) => value === true)).toEqual([true]);
    expect(options.hotkeys).toBe(true);
  });

  it('survives the empty elements that embedding code writes', () => {
    expect(parseOptions('?id=vi1&&&&autoplay=true&&ts=17', '').autoplay).toBe(true);
  });

  it('collects metadata written raw or encoded', () => {
    const search = '?metadata[name]=Ann Lee&metadata%5Buser%20id%5D=%C3%A9&metadata=[object Object]';
    expect(parseOptions(search, '').metadata).toEqual({ name: 'Ann Lee', 'user id': 'é' });
  });

  it('takes the session of a private media', () => {
    expect(parseOptions('?token=t&avh=s1', '').session).toBe('s1');
    expect(parseOptions('?avh=', '').session).toBeNull();
  });

  it('ignores names that only fragments have', () => {
    expect(parseOptions('?api=true&hotkeys=false', '')).toMatchObject({ api: false, hotkeys: true });
  });
});

describe('the fragment', () => {
  it('reads what the player SDK writes', () => {
    const fragment =
      '#t=5,10;adTagUrl:https%3A%2F%2Fads.example%2F%3Fa%3D1%3Bb;max-quality:720;min-quality:360;' +
      'show-subtitles;hide-title;loop;hide-poster;chromeless;hotkeys:false;hide-controls;api;' +
      'sdkOrigin:aHR0cHM6Ly9leGFtcGxlLmNvbQ==;sdkPlayerId:1';
    expect(parseOptions('', fragment)).toEqual({
      autoplay: false,
      muted: false,
      loop: true,
      hideControls: true,
      hideTitle: true,
      hidePoster: true,
      chromeless: true,
      showSubtitles: true,
      hotkeys: false,
      api: true,
      startS: 5,
      endS: 10,
      minQualityPx: 360,
      maxQualityPx: 720,
      session: null,
      metadata: {},
      adTagUrl: 'https://ads.example/?a=1;b',
      sdkPlayerId: 1,
      sdkOrigin: 'https://example.com',
    });
  });

  it.each([
    ['#t=90', 90, null],
    ['#t:90;', 90, null],
    ['#t=1:30', 90, null],
    ['#t=1:00:01.5', 3601.5, null],
    ['#t=,20', null, 20],
    ['#t=5,1:00', 5, 60],
    ['#t=30,20', 30, null], // an end before the start is no end
    ['#t=abc', null, null],
    ['#t=', null, null],
    ['#t=-5', null, null],
    ['#t=1:2:3:4', null, null],
  ])('reads the sequence of %s', (fragment, startS, endS) => {
    expect(parseOptions('', fragment)).toMatchObject({ startS, endS });
  });

  it('takes the last of repeated items, in any order, with either separator', () => {
    expect(parseOptions('', '#max-quality=480;autoplay;max-quality:720;').maxQualityPx).toBe(720);
    expect(parseOptions('', '#hotkeys=false').hotkeys).toBe(false);
  });

  it('wins over the query', () => {
    expect(parseOptions('?loop=false', '#loop').loop).toBe(true);
  });

  it.each(['#;;;', '#=', '#:x', '#adTagUrl:%E0%A4%A', '#sdkOrigin:!!', '#min-quality:0', '#__proto__'])(
    'ignores %s',
    (fragment) => {
      expect(parseOptions('', fragment)).toEqual(parseOptions('', ''));
    },
  );

  it('gives no origin for data that is none', () => {
    expect(parseOptions('', `#sdkOrigin:${btoa('data:text/html,x')}`).sdkOrigin).toBeNull();
  });
});
