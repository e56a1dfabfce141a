/** Writes a position as people read it: 0:07, 12:34, 1:02:03. */
export function clockText(timeS: number): string {
  const whole = Number.isFinite(timeS) ? Math.max(0, Math.floor(timeS)) : 0;
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor((whole % 3600) / 60);
  const seconds = String(whole % 60).padStart(2, '0');
  return hours > 0
    ? `${hours}:${String(minutes).padStart(2, '0')}:${seconds}`
    : `${minutes}:${seconds}`;
}
