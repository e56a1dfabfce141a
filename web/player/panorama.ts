import './panorama.css';
import { element, iconButton } from './elements';
import type { Player } from './player';

const FRAGMENT = `precision highp float;
uniform sampler2D picture; uniform vec3 view; uniform float aspect;
varying vec2 at;
const float PI = 3.14159265358979;
void main() {
  float t = tan(view.z * 0.5);
  vec3 ray = normalize(vec3(at.x * t * aspect, at.y * t, -1.0));
  float cp = cos(view.y), sp = sin(view.y);
  ray = vec3(ray.x, ray.y * cp - ray.z * sp, ray.y * sp + ray.z * cp);
  float longitude = atan(ray.x, -ray.z) + view.x;
  float latitude = asin(clamp(ray.y, -1.0, 1.0));
  gl_FragColor = texture2D(picture, vec2(fract(longitude / (2.0 * PI) + 0.5), 0.5 - latitude / PI));
}`;

const VERTEX = `attribute vec2 corner; varying vec2 at;
void main() { at = corner; gl_Position = vec4(corner, 0.0, 1.0); }`;

const WIDEST_RAD = (110 * Math.PI) / 180;
const NARROWEST_RAD = (30 * Math.PI) / 180;
const STEP_RAD = Math.PI / 12;
const STEEPEST_RAD = Math.PI / 2;

/** Directions to look in, with the key that does the same. */
const TURNS = [
  ['Look up (w)', 'w', 0, 1],
  ['Look left (a)', 'a', -1, 0],
  ['Look right (d)', 'd', 1, 0],
  ['Look down (s)', 's', 0, -1],
] as const;

/**
 * Shows an equirectangular picture from its middle: looked around in by dragging, by
 * buttons, or by the keys w, a, s and d; nearer and farther by the wheel.
 *
 * Without WebGL the flat picture stays.
 */
export class Panorama {
  yawRad = 0;
  pitchRad = 0;
  fieldRad = (75 * Math.PI) / 180;
  readonly canvas = element('canvas', 'panorama');
  private readonly pad = element('div', 'pad');
  private readonly gl: WebGLRenderingContext | null;
  private view: WebGLUniformLocation | null = null;
  private aspect: WebGLUniformLocation | null = null;
  private pending = false;

  constructor(
    private readonly stage: HTMLElement,
    private readonly player: Player,
  ) {
    this.gl = this.canvas.getContext('webgl', { alpha: false, antialias: false });
    if (this.gl === null) return;
    this.prepare(this.gl);
    this.canvas.setAttribute('aria-hidden', 'true');
    for (const [name, key, right, up] of TURNS) {
      const turn = () => this.turn(right * STEP_RAD, up * STEP_RAD);
      const button = iconButton('play', name, turn);
      button.classList.add('pad__button', `pad__button--${key}`);
      this.pad.append(button);
    }
    player.video.after(this.canvas);
    stage.append(this.pad);
    this.listen();
    this.draw();
  }

  private prepare(gl: WebGLRenderingContext): void {
    const program = gl.createProgram();
    for (const [type, source] of [
      [gl.VERTEX_SHADER, VERTEX],
      [gl.FRAGMENT_SHADER, FRAGMENT],
    ] as const) {
      const shader = gl.createShader(type);
      if (shader === null) return; // the context was lost
      gl.shaderSource(shader, source);
      gl.compileShader(shader);
      gl.attachShader(program, shader);
    }
    gl.bindAttribLocation(program, 0, 'corner');
    gl.linkProgram(program);
    gl.useProgram(program);
    gl.bindBuffer(gl.ARRAY_BUFFER, gl.createBuffer());
    gl.bufferData(gl.ARRAY_BUFFER, new Float32Array([-1, -1, 3, -1, -1, 3]), gl.STATIC_DRAW);
    gl.enableVertexAttribArray(0);
    gl.vertexAttribPointer(0, 2, gl.FLOAT, false, 0, 0);
    gl.bindTexture(gl.TEXTURE_2D, gl.createTexture());
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.LINEAR);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_S, gl.CLAMP_TO_EDGE);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_T, gl.CLAMP_TO_EDGE);
    this.view = gl.getUniformLocation(program, 'view');
    this.aspect = gl.getUniformLocation(program, 'aspect');
  }

  private listen(): void {
    const { video } = this.player;
    for (const name of ['loadeddata', 'seeked', 'timeupdate']) {
      video.addEventListener(name, () => this.draw());
    }
    if ('requestVideoFrameCallback' in video) {
      const onFrame = () => {
        this.draw();
        video.requestVideoFrameCallback(onFrame);
      };
      video.requestVideoFrameCallback(onFrame);
    }
    new ResizeObserver(() => this.draw()).observe(this.stage);
    // The video keeps the pointer: a press plays, as elsewhere, and a drag turns.
    let from: PointerEvent | null = null;
    video.addEventListener('pointerdown', (event) => {
      from = event;
      video.setPointerCapture(event.pointerId);
    });
    video.addEventListener('pointermove', (event) => {
      if (from === null) return;
      const perPx = this.fieldRad / this.stage.clientHeight;
      this.turn((from.clientX - event.clientX) * perPx, (event.clientY - from.clientY) * perPx);
      from = event;
    });
    for (const name of ['pointerup', 'pointercancel']) {
      video.addEventListener(name, () => (from = null));
    }
    this.stage.addEventListener('wheel', (event) => this.zoom(event), { passive: false });
    document.addEventListener('keydown', (event) => {
      const turn = TURNS.find(([, key]) => key === event.key);
      if (turn === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
      if (this.player.options.hotkeys) this.turn(turn[2] * STEP_RAD, turn[3] * STEP_RAD);
    });
    this.player.addEventListener('mediachange', () => {
      this.canvas.hidden = !this.player.media.panoramic;
      this.pad.hidden = this.canvas.hidden;
    });
  }

  private turn(yawRad: number, pitchRad: number): void {
    this.yawRad = (this.yawRad + yawRad) % (2 * Math.PI);
    const pitch = this.pitchRad + pitchRad;
    this.pitchRad = Math.min(STEEPEST_RAD, Math.max(-STEEPEST_RAD, pitch));
    this.draw();
  }

  private zoom(event: WheelEvent): void {
    event.preventDefault();
    const field = this.fieldRad * (1 + event.deltaY / 1000);
    this.fieldRad = Math.min(WIDEST_RAD, Math.max(NARROWEST_RAD, field));
    this.draw();
  }

  private draw(): void {
    if (this.pending) return;
    this.pending = true;
    requestAnimationFrame(() => {
      this.pending = false;
      this.paint();
    });
  }

  private paint(): void {
    const { gl, canvas } = this;
    const { video } = this.player;
    if (gl === null || video.readyState < HTMLMediaElement.HAVE_CURRENT_DATA) return;
    const scale = Math.min(2, devicePixelRatio);
    canvas.width = this.stage.clientWidth * scale;
    canvas.height = this.stage.clientHeight * scale;
    gl.viewport(0, 0, canvas.width, canvas.height);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGB, gl.RGB, gl.UNSIGNED_BYTE, video);
    gl.uniform3f(this.view, this.yawRad, this.pitchRad, this.fieldRad);
    gl.uniform1f(this.aspect, canvas.width / canvas.height);
    gl.drawArrays(gl.TRIANGLES, 0, 3);
  }
}
