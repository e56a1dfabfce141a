import { element, iconButton, relabel, slider } from './elements';

/** The mute button and, where there is room, a slider. */
export class VolumeControl {
  readonly root = element('div', 'volume');
  private readonly button = iconButton('loud', 'Mute', () => this.toggle());
  private readonly input = slider('volume__slider', 'Volume', '0.05');

  constructor(private readonly video: HTMLVideoElement) {
    this.input.max = '1';
    this.input.addEventListener('input', () => {
      video.volume = Number(this.input.value);
      video.muted = video.volume === 0;
    });
    video.addEventListener('volumechange', () => this.refresh());
    this.root.append(this.button, this.input);
    this.refresh();
  }

  private toggle(): void {
    const { video } = this;
    video.muted = !video.muted;
    if (!video.muted && video.volume === 0) video.volume = 0.5;
  }

  private refresh(): void {
    const silent = this.video.muted || this.video.volume === 0;
    relabel(this.button, silent ? 'muted' : 'loud', silent ? 'Unmute (m)' : 'Mute (m)');
    const shown = silent ? 0 : this.video.volume;
    this.input.value = String(shown);
    this.input.style.setProperty('--played', `${shown * 100}%`);
  }
}
