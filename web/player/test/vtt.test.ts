import { describe, expect, it } from 'vitest';
import { inLanguage } from '../chapters';
import { tileOf } from '../storyboard';
import { cueAt, parseVtt, plainText } from '../vtt';

const FILE = `WEBVTT - chapters

NOTE 00:01.000 --> 00:02.000 is no cue here

1
00:00:10.000 --> 00:00:20.500 align:start
Second

00:00.000 --> 00:10.000
First

broken --> 00:30.000
x

00:30.000 --> 00:20.000
backwards
`;

describe('a WebVTT file', () => {
  it('gives its cues in order of time', () => {
    expect(parseVtt(FILE)).toEqual([
      { startS: 0, endS: 10, text: 'First' },
      { startS: 10, endS: 20.5, text: 'Second' },
    ]);
    expect(parseVtt(FILE.replaceAll('\n', '\r\n'))).toEqual(parseVtt(FILE));
  });

  it('may be anything else', () => {
    expect(parseVtt('<html>not found</html>')).toEqual([]);
    expect(parseVtt('')).toEqual([]);
  });

  it('has a cue for a moment, or none', () => {
    const cues = parseVtt(FILE);
    expect(cueAt(cues, 9.99)?.text).toBe('First');
    expect(cueAt(cues, 10)?.text).toBe('Second');
    expect(cueAt(cues, 25)).toBeUndefined();
  });
});

it.each([
  ['<b>Bold</b> &amp; <v Ann>said', 'Bold & said'],
  ['<script>alert(1)</script>', 'alert(1)'],
  ['a &lt;img src=x onerror=alert(1)&gt;', 'a <img src=x onerror=alert(1)>'],
  ['two\nlines', 'two lines'],
])('reads %s as text', (markup, text) => {
  expect(plainText(markup)).toBe(text);
});

it('finds the part of a picture that a cue names', () => {
  const cue = (text: string) => ({ startS: 0, endS: 1, text });
  const base = 'https://h/vod/vi1/storyboard.vtt';
  expect(tileOf(cue('storyboard-0.jpg#xywh=160,90,160,90'), base)).toEqual({
    url: 'https://h/vod/vi1/storyboard-0.jpg',
    xPx: 160,
    yPx: 90,
    widthPx: 160,
    heightPx: 90,
  });
  for (const text of ['storyboard-0.jpg', 'a.jpg#xywh=1,2,3', 'a.jpg#xywh=0,0,0,0', '']) {
    expect(tileOf(cue(text), base)).toBeNull();
  }
  expect(tileOf(undefined, base)).toBeNull();
});

it('takes the chapters in the language of the viewer', () => {
  const files = { en: '/en', 'pt-BR': '/pt', fr: '/fr' };
  expect(inLanguage(files, ['pt-PT', 'fr'])).toBe('/pt');
  expect(inLanguage(files, ['FR'])).toBe('/fr');
  expect(inLanguage(files, ['de'])).toBe('/en');
  expect(inLanguage({}, ['de'])).toBeUndefined();
});
