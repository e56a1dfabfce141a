import type { Media } from './media';
import type { Options } from './options';

/** What has happened, by the numbers of the protocol. */
const LOADED = 1;
const PLAY = 2;
const PAUSE = 3;
const TIME = 4;
const ERROR = 5;
const END = 6;
const SEEK = 7;
const SOURCE = 8;

const TAB_KEY = 'av_databus_sid';
const TIME_EVERY_MS = 5000;
/** What happens together is told together. */
const TELL_AFTER_MS = 300;
const MAX_EVENTS = 20;
/** Engines jump over gaps: that is no seek of the viewer's. */
const SHORTEST_SEEK_S = 0.5;
const NETWORK = 2;

interface PlayerEvent {
  eat: number;
  typ: number;
  vti: number;
  vwi: number;
  vhe: number;
  pau: boolean;
  eco: number;
  /** Where a seek began: an addition of ours. */
  fro?: number;
}

/** How well it plays, counted since a playback began: an addition of ours. */
interface Quality {
  /** Milliseconds from the wish to play to the first picture that moves, null before that. */
  st: number | null;
  /** How often, and for how many milliseconds, it waited for data after that. */
  sc: number;
  sd: number;
  /** How often the picture's size changed, which is what another rendition has. */
  sw: number;
  er: number;
}

const untold = (): Quality => ({ st: null, sc: 0, sd: 0, sw: 0, er: 0 });

/** What of a player is watched. */
export interface Watched extends EventTarget {
  readonly video: HTMLVideoElement;
  readonly media: Media;
  readonly options: Options;
  readonly state: string;
  readonly isInterlude: boolean;
}

/** Tells the collector what the viewer does, for each media that the player plays. */
export class Analytics {
  private readonly tab = tabId();
  private playback = '';
  private media: Media;
  private queue: PlayerEvent[] = [];
  private timer: number | undefined;
  private isLoaded = false;
  private hasStarted = false;
  private isPlaying = false;
  /** Where the video was before it was moved. */
  private beforeS = 0;
  private seekFromS: number | null = null;
  private quality = untold();
  private wantedAtMs: number | null = null;
  private waitsSinceMs: number | null = null;
  private heightPx = 0;

  constructor(private readonly player: Watched) {
    this.media = player.media;
    this.begin();
    const { video } = player;
    video.addEventListener('loadeddata', () => this.onLoaded());
    video.addEventListener('play', () => this.onPlay());
    video.addEventListener('pause', () => this.onPause());
    video.addEventListener('ended', () => this.onEnded());
    video.addEventListener('timeupdate', () => {
      // One comes right before `seeked`, too, and is of the new place already.
      if (this.seekFromS === null) this.beforeS = video.currentTime;
    });
    video.addEventListener('playing', () => this.onPlaying());
    video.addEventListener('waiting', () => this.onWaiting());
    video.addEventListener('resize', () => this.onResize());
    video.addEventListener('seeking', () => (this.seekFromS ??= this.beforeS));
    video.addEventListener('seeked', () => this.onSeeked());
    player.addEventListener('statechange', () => {
      if (player.state !== 'error') return;
      this.quality.er += 1;
      this.tell(ERROR, { eco: NETWORK });
    });
    player.addEventListener('mediachange', () => this.onMediaChange());
    window.setInterval(() => {
      if (this.isPlaying) this.tell(TIME);
    }, TIME_EVERY_MS);
    // The last moment of a page that every browser tells of.
    window.addEventListener('pagehide', () => this.leave());
    document.addEventListener('visibilitychange', () => {
      if (document.visibilityState === 'hidden') this.send();
    });
  }

  private begin(): void {
    this.playback = randomId();
    this.isLoaded = this.hasStarted = this.isPlaying = false;
    this.beforeS = 0;
    this.seekFromS = null;
    this.quality = untold();
    this.wantedAtMs = this.waitsSinceMs = null;
    this.heightPx = 0;
    this.tell(SOURCE);
  }

  private onMediaChange(): void {
    this.leave();
    this.media = this.player.media;
    this.begin();
  }

  private leave(): void {
    this.endWait();
    if (this.isPlaying) this.tell(PAUSE, { pau: true });
    this.isPlaying = false;
    this.send();
  }

  private onLoaded(): void {
    if (this.isLoaded) return;
    this.isLoaded = true;
    this.tell(LOADED);
  }

  /** Advertisements wait on their own account, and a seek is the viewer's doing. */
  private onWaiting(): void {
    const { isInterlude, video } = this.player;
    if (this.quality.st === null || isInterlude || this.seekFromS !== null || video.seeking) return;
    this.waitsSinceMs ??= performance.now();
  }

  private onPlaying(): void {
    if (this.player.isInterlude) return;
    if (this.quality.st === null && this.wantedAtMs !== null) {
      this.quality.st = Math.round(performance.now() - this.wantedAtMs);
    }
    this.endWait();
  }

  /** Counts a wait when it goes on, or nobody waits any more. */
  private endWait(): void {
    if (this.waitsSinceMs === null) return;
    this.quality.sd += Math.round(performance.now() - this.waitsSinceMs);
    this.quality.sc += 1;
    this.waitsSinceMs = null;
  }

  private onResize(): void {
    const { videoHeight } = this.player.video;
    if (this.player.isInterlude || videoHeight === 0) return;
    if (this.heightPx !== 0 && this.heightPx !== videoHeight) this.quality.sw += 1;
    this.heightPx = videoHeight;
  }

  private onPlay(): void {
    this.isPlaying = true;
    if (!this.player.isInterlude) this.wantedAtMs ??= performance.now();
    // Behind an advertisement it goes on by itself; that is nobody's doing.
    this.tell(this.player.isInterlude && this.hasStarted ? TIME : PLAY);
    this.hasStarted = true;
  }

  private onPause(): void {
    // The end is a pause as well; and a media that is taken away was told of already.
    if (!this.isPlaying || this.player.video.ended) return;
    this.isPlaying = false;
    this.endWait();
    if (this.seekFromS === null) this.beforeS = this.player.video.currentTime;
    this.tell(this.player.isInterlude ? TIME : PAUSE);
  }

  private onEnded(): void {
    this.isPlaying = false;
    this.tell(END, { pau: true });
  }

  private onSeeked(): void {
    const fro = this.seekFromS ?? this.beforeS;
    this.seekFromS = null;
    this.beforeS = this.player.video.currentTime;
    if (!this.isLoaded || Math.abs(this.beforeS - fro) < SHORTEST_SEEK_S) return;
    this.tell(SEEK, { fro });
  }

  private tell(typ: number, more: Partial<PlayerEvent> = {}): void {
    const { video } = this.player;
    this.queue.push({
      eat: Date.now(),
      typ,
      vti: video.currentTime,
      vwi: video.videoWidth,
      vhe: video.videoHeight,
      pau: video.paused,
      eco: 0,
      ...more,
    });
    if (this.queue.length >= MAX_EVENTS) this.send();
    else this.timer ??= window.setTimeout(() => this.send(), TELL_AFTER_MS);
  }

  private send(): void {
    window.clearTimeout(this.timer);
    this.timer = undefined;
    const { collector, id } = this.media;
    const eve = this.queue;
    if (eve.length === 0) return;
    this.queue = [];
    const batch = JSON.stringify({
      sat: Date.now(),
      sid: this.tab,
      pid: this.playback,
      mid: id,
      ref: document.referrer,
      ver: 'telecine',
      meta: this.player.options.metadata,
      qoe: this.quality,
      eve,
    });
    // Goes out even if the page is gone by then; nobody waits for an answer.
    navigator.sendBeacon(collector, batch);
  }
}

/** The tab's own id; a browser that keeps nothing gets another one with each page. */
function tabId(): string {
  try {
    const kept = sessionStorage.getItem(TAB_KEY) ?? randomId();
    sessionStorage.setItem(TAB_KEY, kept);
    return kept;
  } catch {
    return randomId();
  }
}

/** `randomUUID` is for secure pages only. */
function randomId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
