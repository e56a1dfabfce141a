import type Hls from 'hls.js';

const EVERY_MS = 100;
/** Less than that behind is not worth a change that can be heard. */
const NEAR_S = 0.06;
/** With less than that in the buffer, hurrying would only stall. */
const ENOUGH_S = 0.3;
/** With less than that, the next part may come too late. */
const LITTLE_S = 0.15;
const FASTEST = 1.1;
const SLOWEST = 0.97;
/** Whoever is this near to the newest picture sees it live; who is not has gone back. */
export const LIVE_WITHIN_S = 15;

/**
 * How fast to play what is `behindS` seconds later than it should be, with `bufferedS`
 * seconds to go: the nearer, the gentler.
 */
export function paceOf(behindS: number, bufferedS: number): number {
  if (bufferedS < LITTLE_S) return SLOWEST;
  if (behindS <= NEAR_S || behindS > LIVE_WITHIN_S || bufferedS <= ENOUGH_S) return 1;
  return Math.min(FASTEST, 1 + behindS / 2);
}

/**
 * Keeps a live stream of partial segments as near to its newest picture as its playlist
 * allows. The engine's own controller waits for a second of buffer, which such a stream has
 * never. A speed that the viewer has chosen is left alone.
 *
 * Nobody hears of its changes: `ratechange` is stopped where it is about one.
 */
export class CatchUp {
  private ownRate = 1;
  /** The viewer's speed that was told of last. */
  private told = 1;
  private timer: number | undefined;

  constructor(
    private readonly video: HTMLVideoElement,
    private readonly engine: () => Hls | null,
  ) {
    video.addEventListener('ratechange', (event) => this.hush(event), { capture: true });
  }

  /** Begins or ends to watch over the video. */
  watch(live: boolean): void {
    window.clearInterval(this.timer);
    if (live) this.timer = window.setInterval(() => this.set(this.pace()), EVERY_MS);
    else this.set(1);
  }

  /** The speed without what is done here. */
  get viewersRate(): number {
    return this.video.playbackRate === this.ownRate ? 1 : this.video.playbackRate;
  }

  private hush(event: Event): void {
    const rate = this.viewersRate;
    if (rate === this.told) event.stopImmediatePropagation();
    this.told = rate;
  }

  private set(rate: number): void {
    if (this.viewersRate !== 1) return;
    this.ownRate = rate;
    if (this.video.playbackRate !== rate) this.video.playbackRate = rate;
  }

  private pace(): number {
    const { video } = this;
    const hls = this.engine();
    const details = hls?.latestLevelDetails;
    if (!hls || !details?.live || !details.partList || video.paused || video.seeking) return 1;
    const behindS = hls.latency - (hls.targetLatency ?? hls.latency);
    return paceOf(behindS, bufferedS(video));
  }
}

function bufferedS({ buffered, currentTime }: HTMLVideoElement): number {
  for (let index = 0; index < buffered.length; index++) {
    const end = buffered.end(index);
    if (buffered.start(index) <= currentTime && currentTime < end) return end - currentTime;
  }
  return 0;
}
