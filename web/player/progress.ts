import { clockText } from './clock';
import { element, slider } from './elements';
import type { Player } from './player';

/** The seek bar: played, buffered, rest, and the time under the pointer. */
export class ProgressBar {
  readonly root = element('div', 'progress');
  private readonly input = slider('progress__slider', 'Position', 'any');
  private readonly tip = element('span', 'progress__tip');
  private dragging = false;

  constructor(private readonly player: Player) {
    const { video } = player;
    this.input.addEventListener('input', () => {
      this.dragging = true;
      player.seek(Number(this.input.value));
      this.draw(Number(this.input.value));
    });
    this.input.addEventListener('change', () => (this.dragging = false));
    this.root.addEventListener('pointermove', (event) => this.point(event));
    for (const name of ['timeupdate', 'durationchange', 'progress', 'seeked', 'ended']) {
      video.addEventListener(name, () => this.refresh());
    }
    this.root.append(this.input, this.tip);
    this.refresh();
  }

  private get durationS(): number {
    const { duration } = this.player.video;
    return Number.isFinite(duration) ? duration : 0;
  }

  private refresh(): void {
    this.input.max = String(this.durationS);
    this.input.disabled = this.durationS === 0;
    if (!this.dragging) {
      this.input.value = String(this.player.video.currentTime);
      this.draw(this.player.video.currentTime);
    }
  }

  private draw(timeS: number): void {
    const share = (seconds: number) =>
      `${this.durationS === 0 ? 0 : (Math.min(seconds, this.durationS) / this.durationS) * 100}%`;
    this.root.style.setProperty('--played', share(timeS));
    this.root.style.setProperty('--buffered', share(this.bufferedEndS(timeS)));
    this.input.setAttribute(
      'aria-valuetext',
      `${clockText(timeS)} of ${clockText(this.durationS)}`,
    );
  }

  /** Where the stretch that is being played out of the buffer ends. */
  private bufferedEndS(timeS: number): number {
    const { buffered } = this.player.video;
    for (let index = 0; index < buffered.length; index += 1) {
      if (buffered.start(index) <= timeS + 0.1 && buffered.end(index) >= timeS) {
        return buffered.end(index);
      }
    }
    return timeS;
  }

  private point(event: PointerEvent): void {
    const { left, width } = this.root.getBoundingClientRect();
    const share = Math.min(1, Math.max(0, (event.clientX - left) / width));
    this.tip.textContent = clockText(share * this.durationS);
    const half = this.tip.offsetWidth / 2;
    const x = Math.min(width - half, Math.max(half, share * width));
    this.tip.style.setProperty('left', `${x}px`);
  }
}
