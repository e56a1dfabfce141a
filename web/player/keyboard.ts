import { RATES } from './rates';
import type { Player } from './player';

const STEP_S = 5;
const LONG_STEP_S = 10;
const VOLUME_STEP = 0.05;

/** What a key does; keys as in other players, so that fingers need not learn. */
export function keyActions(
  player: Player,
  toggle: { fullscreen: () => void; captions: () => void },
): Map<string, () => void> {
  const { video } = player;
  const tenth = (tenths: number) => () => {
    player.seek(player.beginS + ((player.endS - player.beginS) * tenths) / 10);
  };
  const by = (seconds: number) => () => player.seek(video.currentTime + seconds);
  const louder = (step: number) => () => {
    video.volume = Math.min(1, Math.max(0, video.volume + step));
    video.muted = false;
  };
  // An embedding page may have chosen a rate between those of the menu.
  const faster = () => RATES.find((rate) => rate > player.rate);
  const slower = () => RATES.findLast((rate) => rate < player.rate);
  const atRate = (choose: () => number | undefined) => () => {
    video.playbackRate = choose() ?? player.rate;
  };
  const actions = new Map<string, () => void>([
    [' ', () => player.toggle()],
    ['k', () => player.toggle()],
    ['ArrowLeft', by(-STEP_S)],
    ['ArrowRight', by(STEP_S)],
    ['j', by(-LONG_STEP_S)],
    ['l', by(LONG_STEP_S)],
    ['ArrowUp', louder(VOLUME_STEP)],
    ['ArrowDown', louder(-VOLUME_STEP)],
    ['m', () => (video.muted = !video.muted)],
    ['f', toggle.fullscreen],
    ['c', toggle.captions],
    ['Home', () => player.seek(player.beginS)],
    ['End', () => player.seek(player.endS)],
    ['<', atRate(slower)],
    ['>', atRate(faster)],
  ]);
  for (let tenths = 0; tenths < 10; tenths += 1) actions.set(String(tenths), tenth(tenths));
  return actions;
}

/**
 * Tells whether the focused control wants this key for itself: buttons are pressed
 * by space and Enter, and the volume slider moves by arrows.
 */
export function belongsToControl(target: EventTarget | null, key: string): boolean {
  if (!(target instanceof HTMLElement)) return false;
  if (target.closest('button, a')) return key === ' ' || key === 'Enter';
  return target.matches('input.volume__slider') && key.startsWith('Arrow');
}
