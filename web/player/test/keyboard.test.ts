import { beforeEach, describe, expect, it, test, vi } from 'vitest';
import { belongsToControl, keyActions } from '../keyboard';
import type { Player } from '../player';

const [BEGIN_S, END_S, NOW_S] = [20, 120, 60];

let video: HTMLVideoElement;
let player: Player;
const toggle = { fullscreen: vi.fn(), captions: vi.fn() };

beforeEach(() => {
  vi.resetAllMocks();
  video = document.createElement('video');
  video.currentTime = NOW_S;
  video.volume = 0.5;
  player = {
    video,
    beginS: BEGIN_S,
    endS: END_S,
    get rate() {
      return video.playbackRate;
    },
    seek: vi.fn(),
    toggle: vi.fn(),
  } as unknown as Player;
});

function press(key: string): void {
  const action = keyActions(player, toggle).get(key);
  if (action === undefined) throw new Error(`nobody presses ${key}`);
  action();
}

test.each([' ', 'k'])('%j plays and pauses', (key) => {
  press(key);
  expect(player.toggle).toHaveBeenCalledOnce();
});

test.each([
  ['ArrowLeft', NOW_S - 5],
  ['ArrowRight', NOW_S + 5],
  ['j', NOW_S - 10],
  ['l', NOW_S + 10],
  ['Home', BEGIN_S],
  ['End', END_S],
  // Tenths of what there is: a live stream does not begin at 0.
  ['0', 20],
  ['1', 30],
  ['2', 40],
  ['3', 50],
  ['4', 60],
  ['5', 70],
  ['6', 80],
  ['7', 90],
  ['8', 100],
  ['9', 110],
])('%s goes to %f s', (key, timeS) => {
  press(key);
  expect(player.seek).toHaveBeenCalledExactlyOnceWith(timeS);
});

test.each([
  ['ArrowUp', 0.5, 0.55],
  ['ArrowDown', 0.5, 0.45],
  ['ArrowUp', 0.98, 1],
  ['ArrowDown', 0.02, 0],
])('%s makes a volume of %f one of %f, to be heard', (key, before, after) => {
  video.volume = before;
  video.muted = true;
  press(key);
  expect(video.volume).toBeCloseTo(after);
  expect(video.muted).toBe(false);
});

test('m takes the sound away and gives it back', () => {
  press('m');
  expect(video.muted).toBe(true);
  press('m');
  expect(video.muted).toBe(false);
});

test.each([
  ['>', 1, 1.25],
  ['<', 1, 0.75],
  ['>', 2, 2],
  ['<', 0.25, 0.25],
  // As an embedding page may have chosen.
  ['>', 1.1, 1.25],
  ['<', 1.1, 1],
  ['<', 4, 2],
])('%s makes a rate of %f one of %f', (key, before, after) => {
  video.playbackRate = before;
  press(key);
  expect(video.playbackRate).toBe(after);
});

test('f fills the screen, c shows captions', () => {
  press('f');
  expect([toggle.fullscreen, toggle.captions].map((each) => each.mock.calls.length)).toEqual([1, 0]);
  press('c');
  expect([toggle.fullscreen, toggle.captions].map((each) => each.mock.calls.length)).toEqual([1, 1]);
});

describe('a key belongs to the control that has the focus', () => {
  const [button, link, slider, other] = ['button', 'a', 'input', 'input'].map((name) =>
    document.createElement(name),
  ) as [HTMLElement, HTMLElement, HTMLElement, HTMLElement];
  slider.className = 'volume__slider';
  const inside = button.appendChild(document.createElement('span'));

  it.each([
    [button, [' ', 'Enter']],
    [inside, [' ', 'Enter']],
    [link, [' ', 'Enter']],
    [slider, ['ArrowLeft', 'ArrowRight', 'ArrowUp', 'ArrowDown']],
    [other, []],
    [document.body, []],
    [null, []],
  ])('%s has %j', (target, theirs) => {
    const keys = [' ', 'Enter', 'k', 'ArrowLeft', 'ArrowRight', 'ArrowUp', 'ArrowDown', 'm', '5'];
    expect(keys.filter((key) => belongsToControl(target, key))).toEqual(theirs);
  });
});
