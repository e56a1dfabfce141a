import { beforeEach, expect, test } from 'vitest';
import type { Media } from '../media';
import { parseOptions } from '../options';
import { Player } from '../player';

const MEDIA = { id: 'vi1', title: '', hls: '/vod/vi1/hls/manifest.m3u8', live: false } as Media;

let video: HTMLVideoElement;
let player: Player;

beforeEach(() => {
  video = document.createElement('video');
  player = new Player(video, MEDIA, parseOptions('', ''));
});

function lengthBecomesKnown(seconds: number): void {
  Object.defineProperty(video, 'duration', { value: seconds, configurable: true });
  video.dispatchEvent(new Event('loadedmetadata'));
}

test('a seek is kept inside the media', () => {
  lengthBecomesKnown(10);
  player.seek(4);
  expect(video.currentTime).toBe(4);
  player.seek(40);
  expect(video.currentTime).toBe(10);
  player.seek(-4);
  expect(video.currentTime).toBe(0);
});

test('who seeks before the length is known gets there once it is', () => {
  player.seek(3);
  player.seek(4);
  lengthBecomesKnown(10);
  expect(video.currentTime).toBe(4);
});

test('a seek in one media is none in the next', () => {
  player.seek(4);
  player.release();
  lengthBecomesKnown(10);
  expect(video.currentTime).toBe(0);
});
