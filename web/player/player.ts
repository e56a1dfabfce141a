import Hls, { type ErrorData, type HlsConfig } from 'hls.js';
import type { Media } from './media';
import type { Options } from './options';

/** `waiting`: the server has no usable source yet, the player asks again and again. */
export type State = 'loading' | 'waiting' | 'ready' | 'error';

export interface Quality {
  /** The number by which `Player.quality` selects it. */
  index: number;
  /** The short side, so that a phone's upright 1080x1920 is 1080. */
  heightPx: number;
}

export const AUTO = -1;

const NOT_READY = 202;
const STAGE = 'telecine-stage';
const POLL_FIRST_MS = 1000;
const POLL_LONGEST_MS = 5000;
/** Enough to start at once; more would be wasted on those who never press play. */
const BUFFER_BEFORE_PLAY_S = 6;
const BUFFER_S = 30;
const RECOVERY_PAUSE_MS = 5000;

/**
 * Plays one media in a `<video>`; knows nothing about what it looks like.
 *
 * Fires `statechange`, `qualitieschange` and `qualitychange`.
 */
export class Player extends EventTarget {
  hls: Hls | null = null;
  state: State = 'loading';
  /** What to tell the viewer while `state` is `error`. */
  error = '';
  /** What the server waits for while `state` is `waiting`. */
  stage: string | null = null;
  private pollTimer: number | undefined;
  private pollDelayMs = POLL_FIRST_MS;
  private recoveredAtMs = Number.NEGATIVE_INFINITY;
  private playRequested: boolean;

  constructor(
    readonly video: HTMLVideoElement,
    readonly media: Media,
    readonly options: Options,
  ) {
    super();
    this.playRequested = options.autoplay;
    video.muted = options.muted;
    video.loop = options.loop && options.endS === null;
    video.addEventListener('timeupdate', () => this.onTimeUpdate());
    video.addEventListener('play', () => {
      this.playRequested = true;
      if (this.hls !== null) this.hls.config.maxBufferLength = BUFFER_S;
    });
    video.addEventListener('error', () => {
      // With an engine between, errors come from there.
      if (this.hls === null) this.fail(describe(0));
    });
  }

  /** Loads the media; called again it starts anew, as after an error. */
  async start(): Promise<void> {
    window.clearTimeout(this.pollTimer);
    this.setState('loading');
    if (Hls.isSupported()) this.startHls();
    else await this.startNative();
  }

  /** Plays, muted if the browser refuses sound to a page that nobody has touched. */
  async play(): Promise<void> {
    this.playRequested = true;
    try {
      await this.video.play();
    } catch (error) {
      if (!isNamed(error, 'NotAllowedError') || this.video.muted) return;
      if (!this.options.autoplay) return; // the viewer will press play
      this.video.muted = true;
      await this.video.play().catch(() => undefined); // refused even so: as above
    }
  }

  toggle(): void {
    if (this.video.paused) void this.play();
    else this.video.pause();
  }

  /** Moves to `timeS`, kept inside the media. */
  seek(timeS: number): void {
    const endS = Number.isFinite(this.video.duration) ? this.video.duration : timeS;
    this.video.currentTime = Math.min(Math.max(timeS, 0), endS);
  }

  /** The renditions to choose from, best first. */
  get qualities(): Quality[] {
    const levels = this.hls?.levels ?? [];
    return levels
      .map(({ width, height }, index) => ({ index, heightPx: Math.min(width, height) }))
      .filter(({ heightPx }) => heightPx > 0) // sound alone offers nothing to choose
      .sort((left, right) => right.heightPx - left.heightPx);
  }

  /** The chosen quality: an index of `qualities`, or AUTO. */
  get quality(): number {
    return this.hls === null || this.hls.autoLevelEnabled ? AUTO : this.hls.manualLevel;
  }

  set quality(index: number) {
    if (this.hls === null) return;
    // Never `currentLevel`: it freezes the picture until the next key frame. And
    // automatic choice needs no flush of what is already buffered.
    if (index === AUTO) this.hls.loadLevel = AUTO;
    else this.hls.nextLevel = index;
    this.dispatchEvent(new Event('qualitychange'));
  }

  /** The short side of the rendition on the screen, 0 before there is one. */
  get shownHeightPx(): number {
    return Math.min(this.video.videoWidth, this.video.videoHeight);
  }

  private startHls(): void {
    const config = this.config();
    this.hls?.destroy();
    const hls = new Hls(config);
    this.hls = hls;
    hls.on(Hls.Events.ERROR, (_, data) => this.onHlsError(hls, data));
    hls.on(Hls.Events.MANIFEST_PARSED, () => {
      this.boundQuality(hls);
      this.dispatchEvent(new Event('qualitieschange'));
      this.onPlayable();
    });
    hls.on(Hls.Events.LEVELS_UPDATED, () => this.dispatchEvent(new Event('qualitieschange')));
    hls.on(Hls.Events.LEVEL_SWITCHED, () => this.dispatchEvent(new Event('qualitychange')));
    hls.loadSource(this.media.hls);
    hls.attachMedia(this.video);
  }

  private config(): Partial<HlsConfig> {
    return {
      maxBufferLength: this.playRequested ? BUFFER_S : BUFFER_BEFORE_PLAY_S,
      // A retry goes on where the error was.
      startPosition: this.video.currentTime > 0 ? this.video.currentTime : (this.options.startS ?? -1),
      // A bound on what fits the frame would fight with the bound from the URL.
      capLevelToPlayerSize: this.options.maxQualityPx === null,
    };
  }

  private boundQuality(hls: Hls): void {
    const { minQualityPx, maxQualityPx } = this.options;
    const allowed = this.qualities.filter(({ heightPx }) => heightPx <= (maxQualityPx ?? Infinity));
    if (maxQualityPx !== null && allowed[0] !== undefined) hls.autoLevelCapping = allowed[0].index;
    const floor = allowed.findLast(({ heightPx }) => heightPx >= (minQualityPx ?? 0));
    const bitrateBps = hls.levels[floor?.index ?? -1]?.maxBitrate;
    if (minQualityPx !== null && bitrateBps !== undefined) hls.config.minAutoBitrate = bitrateBps;
  }

  /** Safari on phones plays HLS itself; only the 202 is left to us. */
  private async startNative(): Promise<void> {
    if (this.video.canPlayType('application/vnd.apple.mpegurl') === '') {
      this.fail('This browser cannot play the video.');
      return;
    }
    let status = 0;
    let stage: string | null = null;
    try {
      const answer = await fetch(this.media.hls);
      status = answer.status;
      stage = answer.headers.get(STAGE);
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
    }
    if (status === NOT_READY) this.poll(stage);
    else if (status !== 200) this.fail(describe(status));
    else {
      this.video.src = this.media.hls;
      if (this.options.startS !== null) this.video.currentTime = this.options.startS;
      this.onPlayable();
    }
  }

  private onHlsError(hls: Hls, data: ErrorData): void {
    if (!data.fatal || hls !== this.hls) return;
    const answer = data.networkDetails instanceof XMLHttpRequest ? data.networkDetails : null;
    const status = data.response?.code ?? answer?.status ?? 0;
    if (data.type === Hls.ErrorTypes.NETWORK_ERROR && (answer?.status ?? status) === NOT_READY) {
      this.poll(answer?.getResponseHeader(STAGE) ?? null);
    } else if (data.type === Hls.ErrorTypes.MEDIA_ERROR && this.mayRecover()) {
      hls.recoverMediaError();
    } else {
      hls.stopLoad();
      this.fail(describe(status));
    }
  }

  /** A decoder may stumble once in a while; one that falls each time is broken. */
  private mayRecover(): boolean {
    const nowMs = performance.now();
    if (nowMs - this.recoveredAtMs < RECOVERY_PAUSE_MS) return false;
    this.recoveredAtMs = nowMs;
    return true;
  }

  private poll(stage: string | null): void {
    this.stage = stage ?? this.stage;
    this.setState('waiting');
    this.pollTimer = window.setTimeout(() => void this.askAgain(), this.pollDelayMs);
    this.pollDelayMs = Math.min(this.pollDelayMs * 1.5, POLL_LONGEST_MS);
  }

  private async askAgain(): Promise<void> {
    let status = NOT_READY; // a network that is away now may be back at the next try
    let stage: string | null = null;
    try {
      const answer = await fetch(this.media.hls, { cache: 'no-store' });
      status = answer.status;
      stage = answer.headers.get(STAGE);
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
    }
    if (status === NOT_READY || status >= 500) this.poll(stage);
    else if (status !== 200) this.fail(describe(status));
    else {
      this.playRequested = true; // the viewer has been told that it starts by itself
      await this.start();
    }
  }

  private onPlayable(): void {
    this.setState('ready');
    if (this.playRequested) void this.play();
  }

  private onTimeUpdate(): void {
    const { startS, endS, loop } = this.options;
    if (endS === null || this.video.paused || this.video.currentTime < endS) return;
    if (loop) this.seek(startS ?? 0);
    else {
      this.video.pause();
      this.options.endS = null; // pressing play goes on behind the sequence
    }
  }

  private fail(message: string): void {
    this.error = message;
    this.setState('error');
  }

  private setState(state: State): void {
    this.state = state;
    this.dispatchEvent(new Event('statechange'));
  }
}

function describe(status: number): string {
  if (status === 404 || status === 410) return 'This video does not exist or is no longer available.';
  if (status === 403) return 'This video cannot be watched from here.';
  if (status >= 500) return 'The server cannot deliver this video right now.';
  return 'The video could not be loaded. Check the connection and try again.';
}

function isNamed(error: unknown, name: string): boolean {
  return error instanceof DOMException && error.name === name;
}
