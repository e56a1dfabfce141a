import './controls.css';
import { ControlBar } from './bar';
import { Captions } from './captions';
import { Chapters } from './chapters';
import { Fullscreen } from './fullscreen';
import { belongsToControl, keyActions } from './keyboard';
import { Overlay } from './overlay';
import type { Player } from './player';
import { applyColours, resetColours } from './theme';
import { TitleBar } from './title';
import { Visibility } from './visibility';
import type { Panorama } from './panorama';
import type { RemoteScreens } from './remote';

const IDLE_MS = 2500;
/** Whoever moves farther between pressing and letting go does something else. */
const TAP_WITHIN_PX = 10;

/**
 * Everything around the picture: title, control bar, captions, overlays, keyboard.
 *
 * Fires `useractive` and `userinactive`.
 */
export class Controls extends EventTarget {
  readonly fullscreen: Fullscreen;
  readonly captions: Captions;
  readonly visibility: Visibility;
  /** Other screens, null until the browser tells that it can. */
  remote: RemoteScreens | null = null;
  private panorama: Panorama | null = null;
  private readonly bar: ControlBar;
  private pressedAt: PointerEvent | null = null;
  private idleTimer: number | undefined;

  constructor(
    readonly root: HTMLElement,
    private readonly player: Player,
  ) {
    super();
    const { video } = this;
    this.fullscreen = new Fullscreen(root, video);
    this.captions = new Captions(player);
    this.visibility = new Visibility(player.options.hideControls);
    const chapters = new Chapters(player);
    this.bar = new ControlBar(player, this.fullscreen, this.captions, chapters, this.visibility);
    root.append(this.captions.root, new Overlay(player).root, new TitleBar(player).root);
    root.append(this.bar.root);
    this.listen();
    this.listenToKeys();
    this.refreshMedia();
    this.refresh();
    void this.findScreens();
  }

  private get video(): HTMLVideoElement {
    return this.player.video;
  }

  private listen(): void {
    const { root, video, player } = this;
    for (const name of ['play', 'pause', 'ended', 'emptied']) {
      video.addEventListener(name, () => this.refresh());
    }
    player.addEventListener('statechange', () => this.refresh());
    player.addEventListener('mediachange', () => this.refreshMedia());
    player.addEventListener('optionschange', () => this.refresh());
    this.visibility.addEventListener('change', () => this.refresh());
    video.addEventListener('play', () => this.wake());
    root.addEventListener('pointermove', (event) => {
      if (event.pointerType !== 'touch') this.wake();
    });
    root.addEventListener('focusin', () => this.wake());
    root.addEventListener('pointerleave', () => this.rest());
    video.addEventListener('pointerdown', (event) => (this.pressedAt = event));
    video.addEventListener('pointerup', (event) => this.onTap(event));
    video.addEventListener('dblclick', () => this.toggleFullscreen());
  }

  private listenToKeys(): void {
    const actions = keyActions(this.player, {
      fullscreen: () => this.toggleFullscreen(),
      captions: () => this.captions.show(!this.captions.isOn),
    });
    document.addEventListener('keydown', (event) => {
      if (!this.player.options.hotkeys) return;
      const action = actions.get(event.key);
      if (action === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
      if (belongsToControl(event.target, event.key)) return;
      event.preventDefault();
      action();
      this.wake();
    });
  }

  /** Looks for other screens only where the browser can know some. */
  private async findScreens(): Promise<void> {
    if (!('remote' in this.video || 'webkitShowPlaybackTargetPicker' in this.video)) return;
    const { RemoteScreens } = await import('./remote');
    this.remote = new RemoteScreens(this.video);
    this.bar.addRemote(this.remote);
    this.dispatchEvent(new Event('remote'));
  }

  private async lookAround(): Promise<void> {
    const { Panorama } = await import('./panorama');
    this.panorama ??= new Panorama(this.root, this.player);
  }

  /** A finger first brings the controls back; a mouse plays and pauses at once. */
  private onTap(event: PointerEvent): void {
    const { clientX, clientY } = this.pressedAt ?? event;
    if (Math.hypot(event.clientX - clientX, event.clientY - clientY) > TAP_WITHIN_PX) return;
    if (event.pointerType !== 'touch') {
      if (event.button === 0) this.player.toggle();
    } else if (this.root.classList.contains('player--idle')) this.wake();
    else if (this.video.paused) this.player.toggle();
    else this.rest();
  }

  private wake(): void {
    this.setIdle(false);
    window.clearTimeout(this.idleTimer);
    this.idleTimer = window.setTimeout(() => this.rest(), IDLE_MS);
  }

  private rest(): void {
    if (!this.video.paused && !this.bar.isInUse && !this.keyboardFocus()) this.setIdle(true);
  }

  private setIdle(idle: boolean): void {
    if (this.root.classList.contains('player--idle') === idle) return;
    this.root.classList.toggle('player--idle', idle);
    this.dispatchEvent(new Event(idle ? 'userinactive' : 'useractive'));
  }

  /** Someone who moves by keyboard must see where they are. */
  private keyboardFocus(): boolean {
    return this.root.querySelector('.bar :focus-visible') !== null;
  }

  private toggleFullscreen(): void {
    void this.fullscreen.set(!this.fullscreen.isOn);
  }

  private refresh(): void {
    const { video, root, player } = this;
    const { state, options } = player;
    root.classList.toggle('player--paused', video.paused);
    root.classList.toggle('player--bare', options.chromeless || !this.visibility.any);
    root.classList.toggle('player--chromeless', options.chromeless);
    root.classList.toggle('player--speaking', state === 'waiting' || state === 'error');
    if (video.paused) this.setIdle(false);
  }

  private refreshMedia(): void {
    const { media, options } = this.player;
    resetColours(this.root);
    applyColours(this.root, media.theme);
    this.video.setAttribute('aria-label', media.title);
    if (options.hideControls) this.visibility.hide();
    if (media.panoramic) void this.lookAround();
    this.refresh();
  }
}
