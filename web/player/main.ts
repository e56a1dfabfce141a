import './style.css';
import { readMedia } from './media';
import { parseOptions } from './options';
import { Player } from './player';

declare global {
  interface Window {
    /** For tests and curious people: the element and the engine below it. */
    telecinePlayer?: Player;
  }
}

function open(): void {
  const root = document.querySelector<HTMLElement>('#player');
  const video = root?.querySelector('video');
  if (!root || !video) throw new Error('no player on this page');
  const options = parseOptions(location.search, location.hash);
  if (options.hidePoster) video.removeAttribute('poster');
  const player = new Player(video, readMedia(document), options);
  window.telecinePlayer = player;
  // The video first: the controls are fetched while its first segments come in.
  void player.start();
  void import('./controls').then(({ Controls }) => new Controls(root, player));
}

open();
