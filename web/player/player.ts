import Hls, { type ErrorData, type HlsConfig } from 'hls.js';
import { CatchUp, LIVE_WITHIN_S } from './catchup';
import { describe, isNamed } from './failures';
import { beginSoon, lineBps } from './line';
import type { Media } from './media';
import type { Options } from './options';
import { AUTO, boundQuality, qualitiesOf, type Quality } from './qualities';

/**
 * `waiting`: there is nothing to play yet, no usable source or nobody who broadcasts;
 * the player asks again and again.
 */
export type State = 'loading' | 'waiting' | 'ready' | 'error';

const NOT_READY = 202;
const STAGE = 'telecine-stage';
const OFFLINE = 'offline';
const POLL_FIRST_MS = 1000;
const POLL_LONGEST_MS = 5000;
/** An answer that took so long was held back until there was something to tell. */
const HELD_MS = 2000;
/** Enough to start at once; more would be wasted on those who never press play. */
const BUFFER_BEFORE_PLAY_S = 6;
const BUFFER_S = 30;
const RECOVERY_PAUSE_MS = 5000;
/** How much later a live stream is shown after each stall: one part, not the engine's second. */
const STALL_COSTS_S = 0.2;

/**
 * Plays one media after the other in a `<video>`; knows nothing about what it looks like.
 *
 * Fires `statechange`, `qualitieschange`, `qualitychange`, `optionschange`, for each
 * media `mediachange`, and `ready` when its duration and size are known.
 */
export class Player extends EventTarget {
  hls: Hls | null = null;
  state: State = 'loading';
  /** What to tell the viewer while `state` is `error`. */
  error = '';
  /** What the server waits for while `state` is `waiting`. */
  stage: string | null = null;
  /** Whether `ready` has been fired for this media. */
  isReady = false;
  /** Whether what happens now is nobody's doing: an advertisement stands between. */
  isInterlude = false;
  /** Runs before the first picture, as advertisements do. */
  beforeFirstPlay: (() => Promise<void>) | null = null;
  private readonly catchUp: CatchUp;
  private opening: Promise<void> | null = null;
  private pollTimer: number | undefined;
  private pollDelayMs = POLL_FIRST_MS;
  private recoveredAtMs = Number.NEGATIVE_INFINITY;
  private playRequested = false;
  /** Where the viewer wants to be in a media whose length is not known yet. */
  private awaitedS: number | null = null;

  constructor(
    readonly video: HTMLVideoElement,
    public media: Media,
    public options: Options,
  ) {
    super();
    this.catchUp = new CatchUp(video, () => (this.media.live ? this.hls : null));
    this.adopt();
    video.addEventListener('timeupdate', () => this.onTimeUpdate());
    video.addEventListener('play', () => {
      this.playRequested = true;
      if (this.hls !== null) this.hls.config.maxBufferLength = BUFFER_S;
    });
    video.addEventListener('loadedmetadata', () => {
      if (this.isReady) return;
      this.isReady = true;
      if (this.awaitedS !== null) this.seek(this.awaitedS);
      this.awaitedS = null;
      this.tell('ready');
    });
    video.addEventListener('error', () => {
      // With an engine between, errors come from there.
      if (this.hls === null && video.hasAttribute('src')) this.fail(describe(0));
    });
  }

  /** Loads the media; called again it starts anew, as after an error. */
  async start(): Promise<void> {
    await this.open(this.video.currentTime > 0 ? this.video.currentTime : this.options.startS);
  }

  /** Leaves what it plays, for another media. */
  async load(media: Media, options: Options): Promise<void> {
    this.release();
    this.media = media;
    this.options = options;
    this.isReady = false;
    this.adopt();
    this.tell('mediachange');
    await this.open(options.startS);
  }

  /** Shows an error in place of a media that could not be had. */
  abandon(status: number): void {
    this.release();
    this.fail(describe(status));
  }

  /** Ends everything; the page stays empty. */
  release(): void {
    window.clearTimeout(this.pollTimer);
    this.pollDelayMs = POLL_FIRST_MS;
    this.hls?.destroy();
    this.hls = null;
    this.awaitedS = null;
    this.video.pause();
    this.video.removeAttribute('src');
    this.video.load();
  }

  /** Plays, muted if the browser refuses sound to a page that nobody has touched. */
  async play(): Promise<void> {
    if (this.isInterlude) return; // it goes on by itself
    this.playRequested = true;
    if (this.beforeFirstPlay !== null) {
      // Whatever keeps the viewer from the video may fail, but not stop it.
      this.opening = this.beforeFirstPlay().catch(reportError);
      this.beforeFirstPlay = null;
    }
    const { opening } = this;
    await opening; // also for those who press play again meanwhile
    if (opening !== this.opening) return; // another media was loaded meanwhile
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

  /** Moves to `timeS`, kept inside what can be played, once that is known. */
  seek(timeS: number): void {
    if (!this.isReady) {
      this.awaitedS = timeS;
      return;
    }
    this.video.currentTime = Math.min(Math.max(timeS, this.beginS), this.endS);
  }

  /** Where the media begins: 0, or the oldest moment that a live stream still has. */
  get beginS(): number {
    const { seekable } = this.video;
    return this.media.live && seekable.length > 0 ? seekable.start(0) : 0;
  }

  /** Where it ends: its duration, or the newest moment of a live stream. */
  get endS(): number {
    const { duration, seekable } = this.video;
    if (Number.isFinite(duration) && !this.media.live) return duration;
    return seekable.length > 0 ? seekable.end(seekable.length - 1) : 0;
  }

  /** Whether the viewer sees what a live stream shows right now. */
  get isAtLiveEdge(): boolean {
    const newestS = this.hls?.liveSyncPosition ?? this.endS;
    return this.video.currentTime > newestS - LIVE_WITHIN_S;
  }

  /** How fast the viewer wants it; a live stream may be a little faster, to catch up. */
  get rate(): number {
    return this.catchUp.viewersRate;
  }

  /** Goes to what is shown right now. */
  seekToLiveEdge(): void {
    this.video.currentTime = this.hls?.liveSyncPosition ?? this.endS;
    void this.play();
  }

  get qualities(): Quality[] {
    return qualitiesOf(this.hls);
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
    this.tell('qualitychange');
  }

  /** The short side of the rendition on the screen, 0 before there is one. */
  get shownHeightPx(): number {
    return Math.min(this.video.videoWidth, this.video.videoHeight);
  }

  /** Runs what stops and starts the video without being the viewer's doing. */
  async interlude(work: () => Promise<void>): Promise<void> {
    this.isInterlude = true;
    try {
      await work();
    } finally {
      this.isInterlude = false;
    }
  }

  /** Changes options while it plays; fires `optionschange`. */
  change(options: Partial<Options>): void {
    Object.assign(this.options, options);
    this.video.loop = this.options.loop && this.options.endS === null;
    if ('minQualityPx' in options || 'maxQualityPx' in options) this.boundQuality();
    this.tell('optionschange');
  }

  private adopt(): void {
    const { options, video, media } = this;
    this.playRequested = options.autoplay;
    this.opening = null;
    this.catchUp.watch(media.live);
    if (options.muted) video.muted = true;
    video.loop = options.loop && options.endS === null;
    if (media.poster === null || options.hidePoster) video.removeAttribute('poster');
    else if (video.getAttribute('poster') !== media.poster) video.poster = media.poster;
  }

  private async open(fromS: number | null): Promise<void> {
    window.clearTimeout(this.pollTimer);
    this.setState('loading');
    if (Hls.isSupported()) this.openHls(fromS);
    else await this.openNative(fromS);
  }

  private openHls(fromS: number | null): void {
    this.hls?.destroy();
    const hls = new Hls(this.config(fromS));
    this.hls = hls;
    hls.on(Hls.Events.ERROR, (_, data) => this.onHlsError(hls, data));
    hls.on(Hls.Events.MANIFEST_PARSED, () => {
      // Which captions are loaded is said by us. The engine would begin with those that are
      // marked, and lose the cues of what it is loading when we turn them off.
      hls.subtitleTrack = -1;
      beginSoon(hls, lineBps());
      this.boundQuality();
      this.tell('qualitieschange');
      this.onPlayable();
    });
    hls.on(Hls.Events.LEVELS_UPDATED, () => this.tell('qualitieschange'));
    let codecs: string | undefined;
    hls.on(Hls.Events.LEVEL_SWITCHED, (_, { level }) => {
      const before = codecs;
      codecs = hls.levels[level]?.codecSet;
      if (codecs !== before) this.tell('qualitieschange');
      this.tell('qualitychange');
    });
    // Captions are drawn by us, from tracks that stay hidden.
    hls.subtitleDisplay = false;
    hls.loadSource(this.media.hls);
    hls.attachMedia(this.video);
  }

  private config(fromS: number | null): Partial<HlsConfig> {
    return {
      maxBufferLength: this.playRequested ? BUFFER_S : BUFFER_BEFORE_PLAY_S,
      startPosition: fromS ?? -1,
      capLevelToPlayerSize: this.options.maxQualityPx === null,
      liveSyncOnStallIncrease: STALL_COSTS_S,
    };
  }

  private boundQuality(): void {
    if (this.hls === null) return;
    boundQuality(this.hls, this.options.minQualityPx, this.options.maxQualityPx);
  }

  /** Safari on phones plays HLS itself; only the 202 is left to us. */
  private async openNative(fromS: number | null): Promise<void> {
    if (this.video.canPlayType('application/vnd.apple.mpegurl') === '') {
      this.fail('This browser cannot play the video.');
      return;
    }
    const [status, stage] = await this.ask();
    if (this.isPending(status)) this.poll(status, stage);
    else if (status !== 200) this.fail(describe(status));
    else {
      this.video.src = this.media.hls;
      if (fromS !== null) this.video.currentTime = fromS;
      this.onPlayable();
    }
  }

  private async ask(init?: RequestInit): Promise<[number, string | null]> {
    try {
      const url = new URL(this.media.hls, location.href);
      // The server answers as soon as somebody broadcasts, or after a while.
      if (this.stage === OFFLINE) url.searchParams.set('wait', '1');
      const answer = await fetch(url, init);
      return [answer.status, answer.headers.get(STAGE)];
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      return [0, null];
    }
  }

  /** Nothing to play yet: no usable source, or a stream that nobody broadcasts. */
  private isPending(status: number): boolean {
    return status === NOT_READY || (this.media.live && status === 404);
  }

  private onHlsError(hls: Hls, data: ErrorData): void {
    if (!data.fatal || hls !== this.hls) return;
    const answer = data.networkDetails instanceof XMLHttpRequest ? data.networkDetails : null;
    const status = answer?.status ?? data.response?.code ?? 0;
    if (data.type === Hls.ErrorTypes.NETWORK_ERROR && this.isPending(status)) {
      this.poll(status, answer?.getResponseHeader(STAGE) ?? null);
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

  private poll(status: number, stage: string | null): void {
    this.stage = status === 404 ? OFFLINE : (stage ?? this.stage);
    this.setState('waiting');
    this.pollTimer = window.setTimeout(() => void this.askAgain(), this.pollDelayMs);
    this.pollDelayMs = Math.min(Math.max(this.pollDelayMs * 1.5, POLL_FIRST_MS), POLL_LONGEST_MS);
  }

  private async askAgain(): Promise<void> {
    const { media } = this;
    const askedMs = performance.now();
    const [status, stage] = await this.ask({ cache: 'no-store' });
    if (media !== this.media) return; // another one was loaded meanwhile
    if (performance.now() - askedMs > HELD_MS) this.pollDelayMs = 0;
    // A network that is away now may be back at the next try.
    if (this.isPending(status) || status >= 500 || status === 0) this.poll(status, stage);
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
    this.tell('statechange');
  }

  private tell(name: string): void {
    this.dispatchEvent(new Event(name));
  }
}
