import { element, iconButton, relabel } from './elements';
import type { Player } from './player';

const SPINNER_AFTER_MS = 400;

/** What lies over the picture: the big play button, the spinner, messages. */
export class Overlay {
  readonly root = element('div', 'overlay');
  private readonly bigPlay = iconButton('play', 'Play', () => void this.player.play());
  private readonly spinner = element('div', 'spinner');
  private readonly unmute = element('button', 'unmute', 'Tap to unmute');
  private readonly text = element('p', 'message__text');
  private readonly retry = element('button', 'message__button', 'Try again');
  private readonly message = element('div', 'message', this.text, this.retry);
  private spinnerTimer: number | undefined;
  private stalled = false;

  constructor(private readonly player: Player) {
    const { video } = player;
    this.bigPlay.className = 'big-play';
    this.unmute.type = 'button';
    this.retry.type = 'button';
    this.message.setAttribute('role', 'status');
    this.unmute.addEventListener('click', () => (video.muted = false));
    this.retry.addEventListener('click', () => void player.start());
    this.root.append(this.spinner, this.bigPlay, this.message, this.unmute);
    for (const name of ['waiting', 'seeking', 'stalled']) {
      video.addEventListener(name, () => this.setStalled(true));
    }
    for (const name of ['playing', 'canplay', 'seeked', 'timeupdate']) {
      video.addEventListener(name, () => this.setStalled(false));
    }
    for (const name of ['play', 'pause', 'ended', 'volumechange', 'loadeddata']) {
      video.addEventListener(name, () => this.refresh());
    }
    for (const name of ['statechange', 'optionschange', 'mediachange']) {
      player.addEventListener(name, () => this.refresh());
    }
    this.refresh();
  }

  /** A spinner that flashes for a moment only disturbs: it waits before it shows. */
  private setStalled(stalled: boolean): void {
    const short = this.player.video.readyState >= HTMLMediaElement.HAVE_FUTURE_DATA;
    const next = stalled && !short;
    if (next === this.stalled) return;
    this.stalled = next;
    window.clearTimeout(this.spinnerTimer);
    if (next) this.spinnerTimer = window.setTimeout(() => this.refresh(), SPINNER_AFTER_MS);
    else this.refresh();
  }

  private refresh(): void {
    const { video, state, error, stage, options } = this.player;
    const speaking = state === 'waiting' || state === 'error';
    this.message.hidden = !speaking;
    this.retry.hidden = state !== 'error';
    this.text.textContent = state === 'error' ? error : describeStage(stage);
    this.spinner.hidden =
      state === 'error' || (state === 'ready' && (video.paused || !this.stalled));
    this.bigPlay.hidden = options.chromeless || state !== 'ready' || !video.paused || video.ended;
    relabel(this.bigPlay, 'play', 'Play');
    this.unmute.hidden = options.chromeless || video.paused || !video.muted || options.muted;
  }
}

/** Says to an early viewer how far the video is. */
function describeStage(stage: string | null): string {
  switch (stage) {
    case 'uploading':
      return 'This video is being uploaded. It will start by itself.';
    case 'ingesting':
      return 'This video is being fetched. It will start by itself.';
    case 'preparing':
      return 'This video is being prepared. It will start by itself.';
    case 'offline':
      return 'Nobody broadcasts right now. It will start by itself.';
    default:
      return 'This video is not ready yet. It will start by itself.';
  }
}
