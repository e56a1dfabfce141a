/**
 * What browsers have that others lack. Phones of Apple: no engine, HLS in the video, full screen
 * by it alone; other screens by AirPlay or Cast.
 */
import Hls from 'hls.js';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Captions } from '../captions';
import { Fullscreen } from '../fullscreen';
import type { Media } from '../media';
import { parseOptions } from '../options';
import { Player } from '../player';
import { RemoteScreens } from '../remote';

const MEDIA = { id: 'vi1', title: '', hls: '/vod/vi1/hls/manifest.m3u8', live: false } as Media;

let video: HTMLVideoElement;
let answers: Response[];

beforeEach(() => {
  vi.useFakeTimers();
  vi.spyOn(Hls, 'isSupported').mockReturnValue(false);
  answers = [];
  vi.stubGlobal('fetch', () => Promise.resolve(answers.shift() ?? new Response('#EXTM3U')));
  video = document.createElement('video');
  video.canPlayType = (type) => (type === 'application/vnd.apple.mpegurl' ? 'maybe' : '');
  video.play = vi.fn(() => Promise.resolve());
});

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});

test('the video gets the playlist itself', async () => {
  const player = new Player(video, MEDIA, parseOptions('', '#t=4'));
  await player.start();
  expect(player.hls).toBeNull();
  expect(new URL(video.src, 'http://a').pathname).toBe(MEDIA.hls);
  expect(video.currentTime).toBe(4);
  expect(player.state).toBe('ready');
  expect(video.play).not.toHaveBeenCalled();
});

test('it starts by itself when it was to', async () => {
  await new Player(video, MEDIA, parseOptions('', '#autoplay')).start();
  expect(video.play).toHaveBeenCalled();
});

test('who waits for a video sees it as soon as it can be played', async () => {
  const headers = { 'telecine-stage': 'uploading' };
  answers = [1, 2].map(() => new Response(null, { status: 202, headers }));
  const player = new Player(video, MEDIA, parseOptions('', ''));
  await player.start();
  expect([player.state, player.stage, video.src]).toEqual(['waiting', 'uploading', '']);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(player.state).toBe('ready');
  expect(video.src).not.toBe('');
  expect(video.play).toHaveBeenCalled();
});

test('a live stream that nobody broadcasts is waited for', async () => {
  answers = [new Response(null, { status: 404 })];
  const player = new Player(video, { ...MEDIA, live: true }, parseOptions('', ''));
  await player.start();
  expect([player.state, player.stage]).toEqual(['waiting', 'offline']);
  await vi.advanceTimersByTimeAsync(5_000);
  expect(player.state).toBe('ready');
});

test('a video that is gone, and a file that breaks, are told', async () => {
  answers = [new Response(null, { status: 404 })];
  const player = new Player(video, MEDIA, parseOptions('', ''));
  await player.start();
  expect(player.state).toBe('error');
  await player.start();
  expect(player.state).toBe('ready');
  video.dispatchEvent(new Event('error'));
  expect(player.state).toBe('error');
});

test('a browser that plays no HLS is told so', async () => {
  video.canPlayType = () => '';
  const player = new Player(video, MEDIA, parseOptions('', ''));
  await player.start();
  expect([player.state, player.error]).toEqual(['error', 'This browser cannot play the video.']);
});

test('the video draws its captions while it fills the screen', () => {
  const track = new EventTarget() as TextTrack & EventTarget;
  Object.assign(track, { kind: 'subtitles', language: 'en', mode: 'disabled', activeCues: [] });
  const tracks = Object.assign(new EventTarget(), { [Symbol.iterator]: () => [track].values() });
  Object.defineProperty(video, 'textTracks', { value: tracks });
  const captions = new Captions(new Player(video, MEDIA, parseOptions('', '')));
  captions.choose(0);
  expect(track.mode).toBe('hidden');
  video.dispatchEvent(new Event('webkitbeginfullscreen'));
  expect(track.mode).toBe('showing');
  video.dispatchEvent(new Event('webkitendfullscreen'));
  expect(track.mode).toBe('hidden');
});

test('the video fills the screen where nothing else may', async () => {
  const [enter, leave] = [vi.fn(), vi.fn()];
  Object.defineProperty(document, 'fullscreenEnabled', { value: false, configurable: true });
  Object.assign(video, { webkitEnterFullscreen: enter, webkitExitFullscreen: leave });
  const fullscreen = new Fullscreen(document.createElement('div'), video);
  await fullscreen.set(true);
  expect(enter).toHaveBeenCalledOnce();
  Object.assign(video, { webkitDisplayingFullscreen: true });
  expect(fullscreen.isOn).toBe(true);
  await fullscreen.set(false);
  expect(leave).toHaveBeenCalledOnce();
});

test('AirPlay is offered while there is a screen for it, and told of', async () => {
  const picker = vi.fn();
  Object.assign(video, { webkitShowPlaybackTargetPicker: picker });
  const screens = new RemoteScreens(video);
  const heard: string[] = [];
  for (const name of ['change', 'airplayConnected', 'airplayDisconnected']) {
    screens.addEventListener(name, () => heard.push(name));
  }
  const appear = (availability: string) =>
    video.dispatchEvent(
      Object.assign(new Event('webkitplaybacktargetavailabilitychanged'), { availability }),
    );
  const connect = (wireless: boolean) => {
    Object.assign(video, { webkitCurrentPlaybackTargetIsWireless: wireless });
    video.dispatchEvent(new Event('webkitcurrentplaybacktargetiswirelesschanged'));
  };
  expect([screens.kind, screens.available]).toEqual(['airplay', false]);
  appear('available');
  expect(screens.available).toBe(true);
  await screens.choose();
  expect(picker).toHaveBeenCalledOnce();
  connect(true);
  connect(true);
  expect(screens.connected).toBe(true);
  connect(false);
  appear('not-available');
  expect(screens.available).toBe(false);
  expect(heard.filter((name) => name !== 'change')).toEqual([
    'airplayConnected',
    'airplayDisconnected',
  ]);
});

describe('Chromium casts', () => {
  const remote = Object.assign(new EventTarget(), {
    watchAvailability: vi.fn<RemotePlayback['watchAvailability']>(),
    prompt: vi.fn<RemotePlayback['prompt']>(),
  });

  beforeEach(() => {
    remote.watchAvailability.mockReset().mockResolvedValue(1);
    remote.prompt.mockReset().mockResolvedValue();
    Object.defineProperty(video, 'remote', { value: remote });
  });

  test('while there is a screen, and it is told of', async () => {
    const screens = new RemoteScreens(video);
    const heard: string[] = [];
    for (const name of ['change', 'chromecastConnected', 'chromecastDisconnected']) {
      screens.addEventListener(name, () => heard.push(name));
    }
    expect([screens.kind, screens.available]).toEqual(['chromecast', false]);
    const tell = remote.watchAvailability.mock.calls[0]![0];
    tell(true);
    expect([screens.available, heard]).toEqual([true, ['change']]);
    await screens.choose();
    expect(remote.prompt).toHaveBeenCalledOnce();
    remote.dispatchEvent(new Event('connect'));
    remote.dispatchEvent(new Event('connect'));
    expect(screens.connected).toBe(true);
    remote.dispatchEvent(new Event('disconnect'));
    tell(false);
    expect([screens.available, screens.connected]).toEqual([false, false]);
    expect(heard.filter((name) => name !== 'change')).toEqual([
      'chromecastConnected',
      'chromecastDisconnected',
    ]);
  });

  test('not where it cannot know of screens', async () => {
    remote.watchAvailability.mockRejectedValue(new DOMException('no', 'NotSupportedError'));
    const screens = new RemoteScreens(video);
    await vi.runAllTimersAsync();
    expect(screens.available).toBe(false);
  });

  test('nowhere if the viewer closes the list', async () => {
    remote.prompt.mockRejectedValue(new DOMException('closed', 'NotAllowedError'));
    const screens = new RemoteScreens(video);
    await expect(screens.choose()).resolves.toBeUndefined();
    expect(screens.connected).toBe(false);
  });
});
