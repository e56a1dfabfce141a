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
  // The video first: the controls are fetched while its first segments come in.
  if (media === null) player.abandon(REFUSED);
  else void player.start();
  const isControlled = options.sdkPlayerId !== null && told.theme.enableApi !== false;
  const [{ Controls }, bridge] = await Promise.all([
    import('./controls'),
    isControlled ? import('./bridge') : null,
  ]);
  const controls = new Controls(root, player);
  bridge?.connect(player, controls);
}

void open();
