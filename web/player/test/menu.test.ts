import { beforeEach, describe, expect, it } from 'vitest';
import { Menu } from '../menu';

const chosen: number[] = [];
let menu: Menu;

beforeEach(() => {
  chosen.length = 0;
  menu = new Menu('Quality', (value) => chosen.push(value));
  document.body.replaceChildren(menu.root);
  menu.show(
    [
      { value: 1, label: '720p' },
      { value: -1, label: 'Auto' },
    ],
    -1,
    'Auto',
  );
});

const items = () => [...menu.root.querySelectorAll<HTMLElement>('[role=menuitemradio]')];
const press = (key: string) =>
  document.activeElement?.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true }));

describe('a menu', () => {
  it('opens on the chosen item, closes on a choice', () => {
    menu.root.querySelector('button')?.click();
    expect(menu.isOpen).toBe(true);
    expect(document.activeElement?.textContent).toBe('Auto');
    items()[0]?.click();
    expect(chosen).toEqual([1]);
    expect(menu.isOpen).toBe(false);
  });

  it('moves by arrow keys, round the ends, and closes by Escape', () => {
    menu.root.querySelector('button')?.click();
    press('ArrowDown');
    expect(document.activeElement?.textContent).toBe('720p');
    press('ArrowUp');
    expect(document.activeElement?.textContent).toBe('Auto');
    press('Escape');
    expect(menu.isOpen).toBe(false);
  });

  it('keeps its items when only words or the choice change', () => {
    const before = items();
    menu.show(
      [
        { value: 1, label: '720p' },
        { value: -1, label: 'Auto (720p)' },
      ],
      1,
      '720p',
    );
    expect(items()).toEqual(before);
    expect(items().map((item) => item.getAttribute('aria-checked'))).toEqual(['true', 'false']);
    expect(items()[1]?.textContent).toBe('Auto (720p)');
  });

  it('closes when something else is pressed', () => {
    menu.root.querySelector('button')?.click();
    document.body.dispatchEvent(new Event('pointerdown', { bubbles: true }));
    expect(menu.isOpen).toBe(false);
  });
});
