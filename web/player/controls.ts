import { clockText } from './clock';
import { element, iconButton, relabel } from './elements';
import { belongsToControl, keyActions } from './keyboard';
import { Menu } from './menu';
import { AUTO, type Player } from './player';
import { Overlay } from './overlay';
import { ProgressBar } from './progress';
import { RATES } from './rates';
import { VolumeControl } from './volume';

const IDLE_MS = 2500;

/** Everything around the picture: title, control bar, overlays, keyboard. */
export class Controls {
  private readonly playButton = iconButton('play', 'Play', () => this.player.toggle());
  private readonly fullscreenButton = iconButton('expand', 'Full screen', () =>
    this.toggleFullscreen(),
  );
  private readonly clock = element('span', 'clock');
  private readonly qualityMenu = new Menu('Quality', (index) => (this.player.quality = index));
  private readonly speedMenu = new Menu('Speed', (rate) => (this.video.playbackRate = rate));
  private readonly downloadLink = element('a', 'button');
  private idleTimer: number | undefined;

  constructor(
    private readonly root: HTMLElement,
    private readonly player: Player,
  ) {
    const { options, media } = player;
    const overlay = new Overlay(player);
    root.append(overlay.root);
    if (!options.chromeless) {
      if (!options.hideTitle && media.title !== '') {
        root.append(element('div', 'title', media.title));
      }
      if (options.hideControls) root.classList.add('player--bare');
      else root.append(this.bar());
    }
    this.listen();
    if (options.hotkeys) this.listenToKeys();
    this.refresh();
    this.refreshQuality();
  }

  private get video(): HTMLVideoElement {
    return this.player.video;
  }

  private bar(): HTMLElement {
    relabel(this.downloadLink, 'download', 'Download');
    const row = element(
      'div',
      'bar__row',
      this.playButton,
      new VolumeControl(this.video).root,
      this.clock,
      element('span', 'bar__gap'),
      this.speedMenu.root,
      this.qualityMenu.root,
      this.downloadLink,
      this.fullscreenButton,
    );
    return element('div', 'bar', new ProgressBar(this.player).root, row);
  }

  private listen(): void {
    const { root, video, player } = this;
    for (const name of ['play', 'pause', 'ended', 'timeupdate', 'durationchange', 'ratechange']) {
      video.addEventListener(name, () => this.refresh());
    }
    for (const name of ['qualitieschange', 'qualitychange', 'statechange']) {
      player.addEventListener(name, () => this.refreshQuality());
    }
    video.addEventListener('resize', () => this.refreshQuality());
    video.addEventListener('play', () => this.wake());
    document.addEventListener('fullscreenchange', () => this.refresh());
    root.addEventListener('pointermove', (event) => {
      if (event.pointerType !== 'touch') this.wake();
    });
    root.addEventListener('focusin', () => this.wake());
    root.addEventListener('pointerleave', () => this.rest());
    video.addEventListener('pointerup', (event) => this.onTap(event));
    video.addEventListener('dblclick', () => this.toggleFullscreen());
  }

  private listenToKeys(): void {
    const actions = keyActions(this.player, () => this.toggleFullscreen());
    document.addEventListener('keydown', (event) => {
      const action = actions.get(event.key);
      if (action === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
      if (belongsToControl(event.target, event.key)) return;
      event.preventDefault();
      action();
      this.wake();
    });
  }

  /** A finger first brings the controls back; a mouse plays and pauses at once. */
  private onTap(event: PointerEvent): void {
    if (event.pointerType !== 'touch') {
      if (event.button === 0) this.player.toggle();
    } else if (this.root.classList.contains('player--idle')) this.wake();
    else if (this.video.paused) this.player.toggle();
    else this.rest();
  }

  private wake(): void {
    this.root.classList.remove('player--idle');
    window.clearTimeout(this.idleTimer);
    this.idleTimer = window.setTimeout(() => this.rest(), IDLE_MS);
  }

  private rest(): void {
    const inUse = this.qualityMenu.isOpen || this.speedMenu.isOpen || this.keyboardFocus();
    if (!this.video.paused && !inUse) this.root.classList.add('player--idle');
  }

  /** Someone who moves by keyboard must see where they are. */
  private keyboardFocus(): boolean {
    return this.root.querySelector('.bar :focus-visible') !== null;
  }

  private toggleFullscreen(): void {
    // Phones of Apple give the whole screen to a video only.
    const video = this.video as HTMLVideoElement & { webkitEnterFullscreen?: () => void };
    if (document.fullscreenElement !== null) void document.exitFullscreen();
    else if (document.fullscreenEnabled) void this.root.requestFullscreen();
    else video.webkitEnterFullscreen?.();
  }

  private refresh(): void {
    const { video } = this;
    if (video.ended) relabel(this.playButton, 'replay', 'Play again');
    else if (video.paused) relabel(this.playButton, 'play', 'Play (k)');
    else relabel(this.playButton, 'pause', 'Pause (k)');
    this.root.classList.toggle('player--paused', video.paused);
    if (video.paused) this.root.classList.remove('player--idle');
    if (document.fullscreenElement === null) {
      relabel(this.fullscreenButton, 'expand', 'Full screen (f)');
    } else relabel(this.fullscreenButton, 'shrink', 'Leave full screen (f)');
    this.clock.textContent = `${clockText(video.currentTime)} / ${clockText(video.duration)}`;
    this.refreshSpeed();
  }

  private refreshSpeed(): void {
    const rate = this.video.playbackRate;
    if (this.speedMenu.root.dataset['rate'] === String(rate)) return;
    this.speedMenu.root.dataset['rate'] = String(rate);
    const choices = RATES.map((value) => ({ value, label: value === 1 ? 'Normal' : `${value}×` }));
    this.speedMenu.show(choices, rate, `${rate}×`);
  }

  private refreshQuality(): void {
    const { player } = this;
    const { qualities, quality, shownHeightPx } = player;
    const chosen = qualities.find(({ index }) => index === quality);
    const auto = shownHeightPx > 0 ? `Auto (${shownHeightPx}p)` : 'Auto';
    this.qualityMenu.root.hidden = qualities.length === 0;
    this.qualityMenu.show(
      [
        ...qualities.map(({ index, heightPx }) => ({ value: index, label: `${heightPx}p` })),
        { value: AUTO, label: auto },
      ],
      quality,
      chosen === undefined ? 'Auto' : `${chosen.heightPx}p`,
    );
    this.root.classList.toggle('player--speaking', ['waiting', 'error'].includes(player.state));
    this.downloadLink.hidden = player.media.mp4 === null || player.state !== 'ready';
    if (player.media.mp4 !== null) this.downloadLink.href = downloadUrl(player.media.mp4);
  }
}

/** The server answers `dl=1` with a file to keep instead of one to show. */
function downloadUrl(mp4: string): string {
  const url = new URL(mp4, location.href);
  url.searchParams.set('dl', '1');
  return url.href;
}
