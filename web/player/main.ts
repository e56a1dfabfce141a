import './style.css';
import { leaveForAds, prepareAds } from './advertising';
import { Analytics } from './analytics';
import { readMedia } from './media';
import { parseOptions } from './options';
import { Player } from './player';
import { inSession, REFUSED } from './session';
import { withTheme } from './theme';

declare global {
  interface Window {
    /** For tests and curious people: the element and the engine below it. */
    telecinePlayer?: Player;
  }
}

/** Until when a viewer who waits for a picture has the whole line for it. */
const CONTROLS_AFTER_MS = 2500;

/** Waits for the first picture, for the news that there is none, or for a while. */
async function firstPicture(player: Player): Promise<void> {
  const { video } = player;
  if (video.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA) return;
  await new Promise<void>((resolve) => {
    window.setTimeout(resolve, CONTROLS_AFTER_MS);
    video.addEventListener('loadeddata', () => resolve(), { once: true });
    player.addEventListener('statechange', () => {
      if (player.state === 'waiting' || player.state === 'error') resolve();
    });
  });
}

async function open(): Promise<void> {
  const root = document.querySelector<HTMLElement>('#player');
  const video = root?.querySelector('video');
  if (!root || !video) throw new Error('no player on this page');
  const told = readMedia(document);
  const options = withTheme(parseOptions(location.search, location.hash), told.theme);
  if (leaveForAds(options, new URL(location.href))) return;
  const media = await inSession(told);
  const player = new Player(video, media ?? told, options);
  window.telecinePlayer = player;
  new Analytics(player);
  prepareAds(root, player);
  player.addEventListener('mediachange', () => prepareAds(root, player));
  // The video first: nobody misses the controls before they see anything.
  if (media === null) player.abandon(REFUSED);
  else void player.start();
  const isControlled = options.sdkPlayerId !== null && told.theme.enableApi !== false;
  if (media !== null && options.autoplay && !isControlled) await firstPicture(player);
  const [{ Controls }, bridge] = await Promise.all([
    import('./controls'),
    isControlled ? import('./bridge') : null,
  ]);
  const controls = new Controls(root, player);
  bridge?.connect(player, controls);
}

void open();
