import { expect, it } from 'vitest';
import { readMedia, type Media } from '../media';

const MEDIA: Media = {
  id: 'vi1',
  title: '</script> & co',
  hls: '/vod/vi1/hls/manifest.m3u8',
  poster: null,
  mp4: null,
  session: null,
  live: false,
  panoramic: false,
  chapters: { en: '/vod/vi1/chapters/en.vtt' },
  storyboard: null,
  theme: { link: 'red', logo: null },
  collector: '/watch',
};

it('reads the JSON island of the page', () => {
  document.body.innerHTML = '<script type="application/json" id="telecine-media"></script>';
  document.getElementById('telecine-media')!.textContent = JSON.stringify(MEDIA);
  expect(readMedia(document)).toEqual(MEDIA);
});

it('says so when the server forgot it', () => {
  document.body.replaceChildren();
  expect(() => readMedia(document)).toThrow('#telecine-media');
});
