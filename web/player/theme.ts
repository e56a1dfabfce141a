import { parseUrl } from './address';
import type { Options } from './options';

/** The look of a player, as `GET /players/{playerId}` names its members. */
export interface Theme {
  text: string;
  link: string;
  linkHover: string;
  linkActive: string;
  trackPlayed: string;
  trackUnplayed: string;
  trackBackground: string;
  backgroundTop: string;
  backgroundBottom: string;
  backgroundText: string;
  enableApi: boolean;
  enableControls: boolean;
  forceAutoplay: boolean;
  forceLoop: boolean;
  hideTitle: boolean;
  logo: { src: string; link: string | null } | null;
}

/** Which property of the style sheet takes which colour; the sheet has the defaults. */
const COLOURS = {
  text: '--text',
  link: '--link',
  linkHover: '--link-hover',
  linkActive: '--link-active',
  trackPlayed: '--track-played',
  trackUnplayed: '--track-unplayed',
  trackBackground: '--track-background',
  backgroundTop: '--background-top',
  backgroundBottom: '--background-bottom',
  backgroundText: '--background-text',
} as const satisfies Partial<Record<keyof Theme, string>>;

/**
 * Paints `root` in the colours of `theme`; members that are missing stay as they are.
 *
 * A colour is a string of somebody's: it is taken only if it is a colour and nothing
 * else, and set as a value, so that it cannot become a rule.
 */
export function applyColours(root: HTMLElement, theme: object): void {
  const given = theme as Record<string, unknown>;
  for (const [member, property] of Object.entries(COLOURS)) {
    const colour = given[member];
    if (typeof colour !== 'string' || !isColour(colour)) continue;
    root.style.setProperty(property, colour);
  }
}

/** Takes the colours back that an earlier theme set. */
export function resetColours(root: HTMLElement): void {
  for (const property of Object.values(COLOURS)) root.style.removeProperty(property);
}

/** `url(` cannot be part of a colour, and `var(` would read what is not the theme's. */
function isColour(value: string): boolean {
  return !/[;{}]|var\s*\(|env\s*\(|attr\s*\(/i.test(value) && CSS.supports('color', value);
}

/** Adds what the theme switches on: a URL can switch on as well, but not off. */
export function withTheme(options: Options, theme: Partial<Theme>): Options {
  return {
    ...options,
    autoplay: options.autoplay || theme.forceAutoplay === true,
    loop: options.loop || theme.forceLoop === true,
    hideTitle: options.hideTitle || theme.hideTitle === true,
    hideControls: options.hideControls || theme.enableControls === false,
  };
}

/** The logo's link, if it leads to a page and not to a script. */
export function logoLink(link: string | null): string | null {
  const text = link?.trim() ?? '';
  // People write `example.com`.
  const url = parseUrl(text) ?? (text === '' ? null : parseUrl(`https://${text}`));
  return url !== null && ['https:', 'http:'].includes(url.protocol) ? url.href : null;
}
