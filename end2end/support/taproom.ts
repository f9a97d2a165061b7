// One Taproom: its own process, port and folder.

import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';

const READY = /^Taproom is ready: (http:\/\/\S+)$/;

/** How long a server may take to listen, in milliseconds. Far more than it needs. */
const START_TIMEOUT = 15_000;

/** Settings of the server, by the name of their variable without `TAPROOM_`. */
export type Settings = Record<string, string>;

export class Taproom {
  /** Where it listens, for example `http://127.0.0.1:41234`. The same before and after a restart. */
  readonly url: string;
  private process: ChildProcess;

  private constructor(
    private readonly folder: string,
    private readonly settings: Settings,
    started: Started,
  ) {
    this.process = started.process;
    this.url = started.url;
  }

  static async start(settings: Settings): Promise<Taproom> {
    const folder = mkdtempSync(join(tmpdir(), 'taproom-'));
    return new Taproom(folder, settings, await start(folder, '127.0.0.1:0', settings));
  }

  get port(): number {
    return Number(new URL(this.url).port);
  }

  /** The address of a WebSocket of this server. */
  socket(query: Record<string, string>): string {
    return `${this.url.replace('http', 'ws')}/ws?${new URLSearchParams(query)}`;
  }

  /** Ends it as a crash does: no word to anybody. */
  async kill(): Promise<void> {
    await end(this.process, 'SIGKILL');
  }

  /** Starts it again at the same address. */
  async restart(): Promise<void> {
    this.process = (await start(this.folder, `127.0.0.1:${this.port}`, this.settings)).process;
  }

  /** Runs another of its commands over the same data; files are named from its folder. Returns what it prints. */
  taproom(command: string, ...more: string[]): string {
    const args = [command, '--data', join(this.folder, 'data'), ...more];
    return execFileSync(program(), args, { cwd: this.folder, encoding: 'utf8' });
  }

  async dispose(): Promise<void> {
    await this.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

interface Started {
  process: ChildProcess;
  url: string;
}

async function start(folder: string, listen: string, settings: Settings): Promise<Started> {
  const env: NodeJS.ProcessEnv = { ...process.env, NO_COLOR: '1' };
  for (const [name, value] of Object.entries(settings)) env[`TAPROOM_${name}`] = value;
  const args = ['serve', '--listen', listen, '--data', join(folder, 'data')];
  const child = spawn(program(), args, { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  child.stderr.on('data', (piece) => (said = (said + piece).slice(-4_000)));
  const url = await new Promise<string>((found, failed) => {
    const clock = setTimeout(() => failed(new Error(`Taproom did not get ready in time: ${said}`)), START_TIMEOUT);
    child.once('error', failed);
    child.once('exit', (code) => failed(new Error(`Taproom ended with code ${code}: ${said}`)));
    createInterface(child.stdout).on('line', (line) => {
      said = `${said}${line}\n`.slice(-4_000);
      const address = READY.exec(line)?.[1];
      if (address === undefined) return;
      clearTimeout(clock);
      found(address);
    });
  });
  return { process: child, url };
}

function program(): string {
  const told = process.env['TAPROOM_BIN'];
  if (told) return resolve(told);
  const target = process.env['CARGO_TARGET_DIR'] ?? resolve(import.meta.dirname, '../../target');
  const built = ['release', 'debug'].map((profile) => join(target, profile, 'taproom')).find(existsSync);
  if (!built) throw new Error('There is no Taproom to test. Build one: cargo leptos build --release --precompress');
  return built;
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill(signal);
  await ended;
}
