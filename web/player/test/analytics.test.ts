import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Analytics, type Watched } from '../analytics';
import type { Media } from '../media';
import { parseOptions } from '../options';

interface Batch {
  sat: number;
  sid: string;
  pid: string;
  mid: string;
  meta: Record<string, string>;
  qoe: { st: number | null; sc: number; sd: number; sw: number; er: number };
  eve: { eat: number; typ: number; vti: number; pau: boolean; fro?: number }[];
}

/** Players of earlier tests stay on the page: each has media of its own. */
let run = 0;
const mediaOf = (name: string) => ({ id: `${run}${name}`, collector: '/watch' }) as Media;

class FakePlayer extends EventTarget implements Watched {
  readonly video = document.createElement('video');
  media = mediaOf('first');
  readonly options = parseOptions('?metadata[user]=seven', '');
  state = 'ready';
  isInterlude = false;
  paused = true;

  constructor() {
    super();
    Object.defineProperty(this.video, 'paused', { get: () => this.paused });
    Object.defineProperty(this.video, 'currentTime', { value: 0, writable: true });
  }

  happens(name: string): void {
    this.video.dispatchEvent(new Event(name));
  }

  play(): void {
    this.paused = false;
    this.happens('play');
  }

  pause(): void {
    this.paused = true;
    this.happens('pause');
  }

  moveTo(timeS: number): void {
    this.video.currentTime = timeS;
    for (const name of ['seeking', 'timeupdate', 'seeked']) this.happens(name);
  }
}

describe('analytics', () => {
  let sent: Batch[];
  let player: FakePlayer;

  const types = () => sent.flatMap(({ eve }) => eve.map(({ typ }) => typ));

  beforeEach(() => {
    vi.useFakeTimers();
    sent = [];
    run += 1;
    navigator.sendBeacon = (url, body) => {
      expect(url).toBe('/watch');
      const batch = JSON.parse(String(body)) as Batch;
      if (batch.mid.startsWith(`${run}`)) sent.push(batch);
      return true;
    };
    player = new FakePlayer();
    new Analytics(player);
  });

  afterEach(() => {
    vi.useRealTimers();
  });

  it('tells in one batch what happens together', () => {
    player.happens('loadeddata');
    player.play();
    expect(sent).toEqual([]);
    vi.advanceTimersByTime(300);
    expect(types()).toEqual([8, 1, 2]);
    expect(sent[0]).toMatchObject({ mid: `${run}first`, meta: { user: 'seven' } });
  });

  it('tells every five seconds that it still plays, and nothing while it does not', () => {
    player.play();
    vi.advanceTimersByTime(11_000);
    expect(types()).toEqual([8, 2, 4, 4]);
    player.pause();
    vi.advanceTimersByTime(60_000);
    expect(types()).toEqual([8, 2, 4, 4, 3]);
  });

  it('tells where seeks begin, and leaves jumps of the engine out', () => {
    player.happens('loadeddata');
    player.video.currentTime = 7;
    player.happens('timeupdate');
    player.moveTo(7.2);
    player.moveTo(20);
    player.moveTo(3);
    vi.advanceTimersByTime(300);
    const seeks = sent.flatMap(({ eve }) => eve.filter(({ typ }) => typ === 7));
    expect(seeks.map(({ fro, vti }) => [fro, vti])).toEqual([
      [7.2, 20],
      [20, 3],
    ]);
  });

  it('counts how long the start took and how often it waited', () => {
    let heightPx = 180;
    Object.defineProperty(player.video, 'videoHeight', { get: () => heightPx });
    player.play();
    player.happens('waiting');
    vi.advanceTimersByTime(700);
    expect(sent.at(-1)?.qoe.st).toBeNull();
    player.happens('resize');
    player.happens('playing');
    player.happens('waiting');
    vi.advanceTimersByTime(1500);
    player.happens('playing');
    heightPx = 360;
    player.happens('resize');
    player.happens('resize');
    player.moveTo(20);
    player.state = 'error';
    player.dispatchEvent(new Event('statechange'));
    vi.advanceTimersByTime(300);
    expect(sent.at(-1)?.qoe).toEqual({ st: 700, sc: 1, sd: 1500, sw: 1, er: 1 });
    player.media = mediaOf('second');
    player.dispatchEvent(new Event('mediachange'));
    vi.advanceTimersByTime(300);
    expect(sent.at(-1)?.qoe).toEqual({ st: null, sc: 0, sd: 0, sw: 0, er: 0 });
  });

  it('says goodbye', () => {
    player.play();
    window.dispatchEvent(new Event('pagehide'));
    expect(types()).toEqual([8, 2, 3]);
    expect(sent.at(-1)?.eve.at(-1)?.pau).toBe(true);
  });

  it('makes another playback of another media, in the same tab', () => {
    player.play();
    player.media = mediaOf('second');
    player.dispatchEvent(new Event('mediachange'));
    vi.advanceTimersByTime(300);
    expect(sent.map(({ mid }) => mid)).toEqual([`${run}first`, `${run}second`]);
    expect(new Set(sent.map(({ pid }) => pid)).size).toBe(2);
    expect(new Set(sent.map(({ sid }) => sid)).size).toBe(1);
    expect(types()).toEqual([8, 2, 3, 8]);
  });

  it('does not take advertisements for what the viewer does', () => {
    player.play();
    player.isInterlude = true;
    player.pause();
    player.play();
    player.isInterlude = false;
    vi.advanceTimersByTime(300);
    expect(types()).toEqual([8, 2, 4, 4]);
    expect(sent[0]?.eve.map(({ pau }) => pau)).toEqual([true, false, true, false]);
  });
});
