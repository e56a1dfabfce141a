/** Outlines of the control icons on a grid of 24 by 24. */
const PATHS = {
  play: 'M8 5.14v13.72a1 1 0 0 0 1.53.85l10.9-6.86a1 1 0 0 0 0-1.7L9.53 4.29A1 1 0 0 0 8 5.14z',
  pause:
    'M7.5 4.5h2a1 1 0 0 1 1 1v13a1 1 0 0 1-1 1h-2a1 1 0 0 1-1-1v-13a1 1 0 0 1 1-1zm7 0h2a1 1 0 0 1 1 1v13a1 1 0 0 1-1 1h-2a1 1 0 0 1-1-1v-13a1 1 0 0 1 1-1z',
  replay:
    'M12 4.5V1.9a.6.6 0 0 1 1-.46l4.3 3.84a.6.6 0 0 1 0 .9L13 10a.6.6 0 0 1-1-.45V6.7a6.1 6.1 0 1 0 6.05 6.85 1.1 1.1 0 0 1 2.18.28A8.3 8.3 0 1 1 12 4.5z',
  loud: 'M4 9.2h3.1l4.2-3.9a.8.8 0 0 1 1.35.59v12.22a.8.8 0 0 1-1.35.59l-4.2-3.9H4a1 1 0 0 1-1-1v-3.6a1 1 0 0 1 1-1zm11.3-.9a.9.9 0 0 1 1.27.1 5.6 5.6 0 0 1 0 7.2.9.9 0 1 1-1.37-1.17 3.8 3.8 0 0 0 0-4.86.9.9 0 0 1 .1-1.27zm2.6-2.9a.9.9 0 0 1 1.27.05 9.6 9.6 0 0 1 0 13.1.9.9 0 1 1-1.32-1.22 7.8 7.8 0 0 0 0-10.66.9.9 0 0 1 .05-1.27z',
  muted:
    'M4 9.2h3.1l4.2-3.9a.8.8 0 0 1 1.35.59v12.22a.8.8 0 0 1-1.35.59l-4.2-3.9H4a1 1 0 0 1-1-1v-3.6a1 1 0 0 1 1-1zm11.54.2a.9.9 0 0 1 1.27 0l1.44 1.44 1.44-1.44a.9.9 0 1 1 1.27 1.27L19.52 12.1l1.44 1.44a.9.9 0 1 1-1.27 1.27l-1.44-1.44-1.44 1.44a.9.9 0 1 1-1.27-1.27l1.44-1.44-1.44-1.44a.9.9 0 0 1 0-1.27z',
  download:
    'M12 3.5a1 1 0 0 1 1 1v7.6l2.5-2.5a1 1 0 0 1 1.4 1.42l-4.2 4.2a1 1 0 0 1-1.4 0l-4.2-4.2A1 1 0 0 1 8.5 9.6l2.5 2.5V4.5a1 1 0 0 1 1-1zM5.5 18h13a1 1 0 1 1 0 2h-13a1 1 0 1 1 0-2z',
  expand:
    'M5 4h4.2a1 1 0 0 1 0 2H6v3.2a1 1 0 0 1-2 0V5a1 1 0 0 1 1-1zm9.8 0H19a1 1 0 0 1 1 1v4.2a1 1 0 0 1-2 0V6h-3.2a1 1 0 0 1 0-2zM5 13.8a1 1 0 0 1 1 1V18h3.2a1 1 0 0 1 0 2H5a1 1 0 0 1-1-1v-4.2a1 1 0 0 1 1-1zm14 0a1 1 0 0 1 1 1V19a1 1 0 0 1-1 1h-4.2a1 1 0 0 1 0-2H18v-3.2a1 1 0 0 1 1-1z',
  shrink:
    'M8.6 3.6a1 1 0 0 1 1 1v4a1 1 0 0 1-1 1h-4a1 1 0 0 1 0-2h3v-3a1 1 0 0 1 1-1zm6.8 0a1 1 0 0 1 1 1v3h3a1 1 0 0 1 0 2h-4a1 1 0 0 1-1-1v-4a1 1 0 0 1 1-1zM3.6 15.4a1 1 0 0 1 1-1h4a1 1 0 0 1 1 1v4a1 1 0 0 1-2 0v-3h-3a1 1 0 0 1-1-1zm10.8 0a1 1 0 0 1 1-1h4a1 1 0 0 1 0 2h-3v3a1 1 0 0 1-2 0z',
  check:
    'M9.2 17.3a1 1 0 0 1-.7-.3l-3.7-3.7a1 1 0 1 1 1.4-1.4l3 3 8.1-8.1a1 1 0 1 1 1.4 1.4L9.9 17a1 1 0 0 1-.7.3z',
} as const;

export type Icon = keyof typeof PATHS;

const SVG = 'http://www.w3.org/2000/svg';

/** Makes an icon, hidden from screen readers: its button carries the name. */
export function icon(name: Icon): SVGSVGElement {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('viewBox', '0 0 24 24');
  svg.setAttribute('aria-hidden', 'true');
  const path = document.createElementNS(SVG, 'path');
  path.setAttribute('d', PATHS[name]);
  svg.append(path);
  return svg;
}
