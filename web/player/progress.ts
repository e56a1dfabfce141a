import type { Chapters } from './chapters';
import { clockText } from './clock';
import { element, slider } from './elements';
import type { Player } from './player';
import { Storyboard } from './storyboard';

/** The seek bar: played, buffered, rest, chapters, and what is under the pointer. */
export class ProgressBar {
  readonly root = element('div', 'progress');
  private readonly input = slider('progress__slider', 'Position', 'any');
  private readonly marks = element('div', 'progress__marks');
  private readonly tipText = element('span', 'progress__text');
  private readonly preview: Storyboard;
  private readonly tip: HTMLElement;
  private dragging = false;

  constructor(
    private readonly player: Player,
    private readonly chapters: Chapters,
  ) {
    const { video } = player;
    this.preview = new Storyboard(player);
    this.tip = element('div', 'progress__tip', this.preview.root, this.tipText);
    this.input.addEventListener('input', () => {
      this.dragging = true;
      player.seek(Number(this.input.value));
      this.draw(Number(this.input.value));
    });
    this.input.addEventListener('change', () => (this.dragging = false));
    this.root.addEventListener('pointermove', (event) => this.point(event));
    for (const name of ['timeupdate', 'durationchange', 'progress', 'seeked', 'ended', 'emptied']) {
      video.addEventListener(name, () => this.refresh());
    }
    video.addEventListener('durationchange', () => this.drawMarks());
    chapters.addEventListener('change', () => this.drawMarks());
    this.root.append(this.marks, this.input, this.tip);
    this.refresh();
    this.drawMarks();
  }

  private get lengthS(): number {
    return Math.max(0, this.player.endS - this.player.beginS);
  }

  private refresh(): void {
    const { beginS, endS, video } = this.player;
    this.input.min = String(beginS);
    this.input.max = String(endS);
    this.input.disabled = this.lengthS === 0;
    if (!this.dragging) {
      this.input.value = String(video.currentTime);
      this.draw(video.currentTime);
    }
  }

  /** How much of the bar lies before `timeS`. */
  private share(timeS: number): string {
    const from = Math.min(Math.max(timeS - this.player.beginS, 0), this.lengthS);
    return `${this.lengthS === 0 ? 0 : (from / this.lengthS) * 100}%`;
  }

  private draw(timeS: number): void {
    const { endS, media } = this.player;
    this.root.style.setProperty('--played', this.share(timeS));
    this.root.style.setProperty('--buffered', this.share(this.bufferedEndS(timeS)));
    const chapter = this.chapters.titleAt(timeS);
    const text = media.live
      ? `${clockText(Math.max(0, endS - timeS))} behind live`
      : `${clockText(timeS)} of ${clockText(endS)}${chapter === '' ? '' : `, ${chapter}`}`;
    this.input.setAttribute('aria-valuetext', text);
  }

  /** A gap in the bar wherever a chapter begins. */
  private drawMarks(): void {
    const inside = this.chapters.list.filter(
      ({ startS }) => startS > this.player.beginS && startS < this.player.endS,
    );
    this.marks.replaceChildren(
      ...inside.map(({ startS }) => {
        const mark = element('span', 'progress__mark');
        mark.style.setProperty('left', this.share(startS));
        return mark;
      }),
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
    const timeS = this.player.beginS + share * this.lengthS;
    this.preview.show(timeS);
    const chapter = this.chapters.titleAt(timeS);
    const clock = this.player.media.live
      ? `-${clockText(this.player.endS - timeS)}`
      : clockText(timeS);
    this.tipText.textContent = chapter === '' ? clock : `${chapter} · ${clock}`;
    const half = this.tip.offsetWidth / 2;
    const x = Math.min(width - half, Math.max(half, share * width));
    this.tip.style.setProperty('left', `${x}px`);
  }
}
