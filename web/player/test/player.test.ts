import { beforeEach, describe, expect, test, vi } from 'vitest';
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

describe('where the browser refuses sound to a page that nobody has touched', () => {
  /** Whether there was sound in each attempt to play. */
  let attempts: boolean[];

  beforeEach(() => {
    attempts = [];
    video.play = vi.fn(() => {
      attempts.push(!video.muted);
      const refused = new DOMException('play() failed', 'NotAllowedError');
      return video.muted ? Promise.resolve() : Promise.reject(refused);
    });
  });

  test('what begins by itself does so without', async () => {
    player.change({ autoplay: true });
    await player.play();
    expect(attempts).toEqual([true, false]);
  });

  test('what somebody else wants played waits for the viewer, who will want to hear it', async () => {
    await player.play();
    expect(attempts).toEqual([true]);
    expect(video.muted).toBe(false);
  });

  test('what is refused even without is left to the viewer', async () => {
    player.change({ autoplay: true });
    vi.mocked(video.play).mockRejectedValue(new DOMException('never', 'NotAllowedError'));
    await player.play();
    expect(video.play).toHaveBeenCalledTimes(2);
    await player.play();
    expect(video.play).toHaveBeenCalledTimes(3);
  });
});
