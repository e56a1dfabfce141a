import { parseUrl } from './address';
import { leaveForAds } from './advertising';
import type { Controls } from './controls';
import { setPictureInPicture } from './fullscreen';
import { fetchMedia } from './media';
import { parseOptions, type Options } from './options';
import type { Player } from './player';
import { REMOTE_EVENTS } from './remote';
import { inSession, REFUSED } from './session';
import { applyColours, withTheme } from './theme';

/** A message of the embedding page: what it wants, its arguments beside it. */
type Message = Record<string, unknown> & { message: string };
type Answer = unknown;

/** The styles that an embedding page may set, by property. */
const STYLES = new Set(['transform', 'object-fit']);
const TIME_UPDATE_MS = 250;

/**
 * Lets the embedding page control the player, as the official player SDK does.
 *
 * Requests come as objects with `message` and are answered by their `callbackId`;
 * events go out as flat objects with `type`. Both carry the number of the SDK's
 * instance, and nothing is heard or told but from and to the page that was named.
 */
export class Bridge {
  private firstPlay = true;
  private toldTimeAtMs = Number.NEGATIVE_INFINITY;
  private toldReady = false;
  private loads = 0;
  /** The media's theme lets nobody control it: nothing is heard and nothing told any more. */
  private isDeaf = false;
  private readonly actions: Record<string, (message: Message) => Answer>;

  constructor(
    private readonly player: Player,
    private readonly controls: Controls,
    private readonly sdkPlayerId: number,
    private readonly origin: string,
  ) {
    this.actions = this.makeActions();
    window.addEventListener('message', (event) => this.onMessage(event));
    this.tellEvents();
    this.tell('sdkSync');
    // Once more for those who begin to listen late.
    if (document.readyState !== 'complete') {
      window.addEventListener('load', () => this.tell('sdkSync'), { once: true });
    }
    if (player.isReady) this.tellReady();
    if (!player.video.paused) this.tellPlay();
  }

  private onMessage(event: MessageEvent): void {
    if (this.isDeaf || event.source !== window.parent || event.origin !== this.origin) return;
    const message = event.data as Message | null;
    if (typeof message !== 'object' || message === null) return;
    if (Number(message['sdkPlayerId']) !== this.sdkPlayerId) return;
    const arg = Object.hasOwn(this.actions, message.message)
      ? this.actions[message.message]?.(message)
      : undefined;
    // Promises of the embedding page wait for it, also where there is nothing to say.
    const { callbackId } = message;
    if (typeof callbackId === 'string') this.post({ callbackId, arg });
  }

  private makeActions(): Record<string, (message: Message) => Answer> {
    const { player, controls } = this;
    const { video } = player;
    const change = (options: Partial<Options>) => () => player.change(options);
    return {
      play: () => void player.play(),
      pause: () => video.pause(),
      mute: () => void (video.muted = true),
      unmute: () => this.setMuted(false),
      seek: ({ seek }) => ifNumber(seek, (seconds) => player.seek(video.currentTime + seconds)),
      setCurrentTime: ({ currentTime }) => ifNumber(currentTime, (timeS) => player.seek(timeS)),
      setVolume: ({ volume }) => ifNumber(volume, (share) => this.setVolume(share)),
      setLoop: ({ loop }) => player.change({ loop: loop === true }),
      setAutoplay: ({ autoplay }) => this.setAutoplay(autoplay === true),
      setChromeless: ({ chromeless }) => player.change({ chromeless: chromeless === true }),
      setPlaybackRate: ({ rate }) => ifNumber(rate, (factor) => this.setRate(factor)),
      setTheme: ({ theme }) => {
        if (typeof theme === 'object' && theme !== null) applyColours(controls.root, theme);
      },
      setStyleProperty: ({ property, value }) => this.setStyle(property, value),
      setMinimalQuality: ({ quality }) =>
        ifNumber(quality, (px) => player.change({ minQualityPx: px > 0 ? px : null })),
      setMaximalQuality: ({ quality }) =>
        ifNumber(quality, (px) => player.change({ maxQualityPx: px > 0 ? px : null })),
      hideControls: ({ controls: names }) => controls.visibility.hide(asNames(names)),
      showControls: ({ controls: names }) => controls.visibility.show(asNames(names)),
      hideSubtitles: () => controls.captions.show(false),
      showSubtitles: () => controls.captions.show(true),
      hideTitle: change({ hideTitle: true }),
      showTitle: change({ hideTitle: false }),
      hidePoster: () => this.setPoster(false),
      showPoster: () => this.setPoster(true),
      requestFullscreen: () => void controls.fullscreen.set(true),
      exitFullscreen: () => void controls.fullscreen.set(false),
      requestPictureInPicture: () => void setPictureInPicture(video, true),
      exitPictureInPicture: () => void setPictureInPicture(video, false),
      loadConfig: ({ url }) => void this.loadConfig(url),
      destroy: () => player.release(),
      getPaused: () => video.paused,
      getPlaying: () => !video.paused && !video.ended,
      getMuted: () => video.muted,
      getLoop: () => player.options.loop,
      getCurrentTime: () => video.currentTime,
      getPlaybackRate: () => player.rate,
      getVolume: () => video.volume,
      getDuration: () => (player.media.live ? player.endS - player.beginS : video.duration),
      getVideoSize: () => this.videoSize(),
      getMp4Url: () => player.media.mp4 && new URL(player.media.mp4, location.href).href,
      isLiveStream: () => player.media.live,
    };
  }

  private setMuted(muted: boolean): void {
    this.player.video.muted = muted;
  }

  private setVolume(share: number): void {
    const { video } = this.player;
    video.volume = Math.min(1, Math.max(0, share));
    video.muted = video.volume === 0;
  }

  private setAutoplay(autoplay: boolean): void {
    this.player.change({ autoplay });
    if (autoplay && this.firstPlay && this.player.video.paused) void this.player.play();
  }

  private setRate(factor: number): void {
    if (factor < 0.0625 || factor > 16) return; // browsers throw beyond
    const { video } = this.player;
    video.defaultPlaybackRate = factor; // for the next media as well
    video.playbackRate = factor;
  }

  /** The poster is the video element's own, so that `.vjs-poster` needs nothing more. */
  private setStyle(property: unknown, value: unknown): void {
    if (typeof property !== 'string' || !STYLES.has(property) || typeof value !== 'string') return;
    if (/url\s*\(/i.test(value)) return;
    this.player.video.style.setProperty(property, value);
  }

  private setPoster(shown: boolean): void {
    const { video, media } = this.player;
    if (shown && media.poster !== null) video.poster = media.poster;
    else video.removeAttribute('poster');
  }

  private videoSize(): { width: number; height: number } {
    const { videoWidth, videoHeight, clientWidth, clientHeight } = this.player.video;
    // Sound alone has no size, and whoever asks divides.
    return videoWidth > 0
      ? { width: videoWidth, height: videoHeight }
      : { width: Math.max(1, clientWidth), height: Math.max(1, clientHeight) };
  }

  private async loadConfig(url: unknown): Promise<void> {
    const target = typeof url === 'string' ? parseUrl(url, location.href) : null;
    if (target === null) return;
    const options = parseOptions(target.search, target.hash);
    // The number of the SDK's instance stays, whatever the URL says.
    options.sdkPlayerId = this.sdkPlayerId;
    this.toldReady = false;
    this.firstPlay = true;
    this.loads += 1;
    const load = this.loads;
    // No other page's message has this origin: the browser itself says where each comes from.
    const told = await fetchMedia(target, this.origin);
    if (load !== this.loads) return; // the embedding page has changed its mind
    // Only what may be shown may also be left for: to the server that comes from us.
    if (typeof told !== 'number' && leaveForAds(options, target)) return;
    const media = typeof told === 'number' ? told : ((await inSession(told)) ?? REFUSED);
    if (load !== this.loads) return; // as above
    if (typeof media === 'number') {
      this.player.abandon(media);
      return;
    }
    this.isDeaf = media.theme.enableApi === false;
    await this.player.load(media, withTheme(options, media.theme));
  }

  private tellEvents(): void {
    const { player, controls } = this;
    const { video } = player;
    video.addEventListener('pause', () => {
      if (!player.isInterlude) this.tell('pause');
    });
    const plain = ['ended', 'seeking', 'ratechange', 'resize'];
    for (const name of plain) video.addEventListener(name, () => this.tell(name));
    video.addEventListener('play', () => this.tellPlay());
    video.addEventListener('timeupdate', () => this.tellTime());
    video.addEventListener('volumechange', () => {
      this.tell('volumechange', { volume: video.muted ? 0 : video.volume });
    });
    player.addEventListener('ready', () => this.tellReady());
    player.addEventListener('statechange', () => {
      if (player.state === 'error') this.tell('error', { message: player.error });
    });
    video.addEventListener('resize', () => {
      const resolution = { width: video.videoWidth, height: video.videoHeight };
      this.tell('qualitychange', { resolution });
    });
    document.addEventListener('fullscreenchange', () => {
      this.tell('fullscreenchange', { isFullScreen: controls.fullscreen.isOn });
    });
    new ResizeObserver(() => this.tell('playerresize')).observe(controls.root);
    const page = document.documentElement;
    page.addEventListener('mouseenter', () => this.tell('mouseenter'));
    page.addEventListener('mouseleave', () => this.tell('mouseleave'));
    for (const name of ['useractive', 'userinactive']) {
      controls.addEventListener(name, () => this.tell(name));
    }
    for (const name of ['enabled', 'disabled']) {
      controls.visibility.addEventListener(name, () => this.tell(`controls${name}`));
    }
    const hearRemote = () => {
      for (const name of REMOTE_EVENTS) {
        controls.remote?.addEventListener(name, () => this.tell(name));
      }
    };
    if (controls.remote === null) controls.addEventListener('remote', hearRemote, { once: true });
    else hearRemote();
  }

  private tellReady(): void {
    if (this.toldReady) return;
    this.toldReady = true;
    this.tell('ready');
  }

  private tellPlay(): void {
    if (this.player.isInterlude) return;
    if (this.firstPlay) this.tell('firstplay');
    this.firstPlay = false;
    this.tell('play');
  }

  private tellTime(): void {
    const nowMs = performance.now();
    if (nowMs - this.toldTimeAtMs < TIME_UPDATE_MS) return;
    this.toldTimeAtMs = nowMs;
    this.tell('timeupdate', { currentTime: this.player.video.currentTime });
  }

  private tell(type: string, fields: object = {}): void {
    this.post({ ...fields, type });
  }

  private post(message: object): void {
    if (this.isDeaf) return;
    window.parent.postMessage({ ...message, sdkPlayerId: this.sdkPlayerId }, this.origin);
  }
}

/** Connects the page that embeds us, where there is one that may control the player. */
export function connect(player: Player, controls: Controls): Bridge | null {
  const { sdkPlayerId, sdkOrigin } = player.options;
  const origin = sdkOrigin ?? embeddingOrigin();
  if (window.parent === window || sdkPlayerId === null || origin === null) return null;
  return new Bridge(player, controls, sdkPlayerId, origin);
}

/** The SDK may bite holes into the origin that it tells: the browser knows it as well. */
function embeddingOrigin(): string | null {
  const named = location.ancestorOrigins?.[0] ?? parseUrl(document.referrer)?.origin;
  return named === undefined || named === 'null' ? null : named;
}

function ifNumber(value: unknown, act: (number: number) => void): void {
  const number = Number(value);
  if (value !== null && Number.isFinite(number)) act(number);
}

function asNames(value: unknown): string[] | undefined {
  if (!Array.isArray(value)) return undefined;
  return value.filter((name) => typeof name === 'string');
}
