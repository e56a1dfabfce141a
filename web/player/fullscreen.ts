type AppleVideo = HTMLVideoElement & {
  webkitEnterFullscreen?: () => void;
  webkitExitFullscreen?: () => void;
  webkitDisplayingFullscreen?: boolean;
};

/**
 * Puts `root` on the whole screen, so that captions and controls come along.
 *
 * Phones of Apple give the whole screen to a video only. Without a gesture of the
 * viewer browsers refuse, and then nothing happens.
 */
export class Fullscreen {
  constructor(
    private readonly root: HTMLElement,
    private readonly video: AppleVideo,
  ) {}

  get isOn(): boolean {
    return isFilled() || this.video.webkitDisplayingFullscreen === true;
  }

  async set(on: boolean): Promise<void> {
    if (on === this.isOn) return;
    try {
      if (!on && isFilled()) await document.exitFullscreen();
      else if (!on) this.video.webkitExitFullscreen?.();
      else if (document.fullscreenEnabled) await this.root.requestFullscreen();
      else this.video.webkitEnterFullscreen?.();
    } catch (error) {
      if (!(error instanceof TypeError || error instanceof DOMException)) throw error;
    }
  }
}

/** Whether any element fills the screen; where only videos may, this is not even known. */
function isFilled(): boolean {
  return (document.fullscreenElement ?? null) !== null;
}

/** Lets the picture float above other windows, or takes it back; refused, it does nothing. */
export async function setPictureInPicture(video: HTMLVideoElement, on: boolean): Promise<void> {
  try {
    if (on) await video.requestPictureInPicture();
    else if (document.pictureInPictureElement === video) await document.exitPictureInPicture();
  } catch (error) {
    if (!(error instanceof DOMException)) throw error;
  }
}

export function canFloat(video: HTMLVideoElement): boolean {
  return document.pictureInPictureEnabled === true && !video.disablePictureInPicture;
}
