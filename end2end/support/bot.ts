// Somebody who speaks the protocol without a browser.

import { once } from 'node:events';
import WebSocket from 'ws';
import type { Taproom } from './taproom';

/** A frame as the server sends it; `docs/protocol.md` says what is in which. */
export interface Frame {
  Type: string;
  [field: string]: any;
}

/** How long a fact may be waited for, in milliseconds. */
const PATIENCE = 20_000;

const LETTERS = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
let given = 0;

export class Bot {
  /** Everything that it was told, in order. */
  readonly frames: Frame[] = [];
  private readonly listeners = new Set<() => void>();

  private constructor(
    private readonly socket: WebSocket,
    readonly name: string,
    readonly room: string,
  ) {
    socket.on('message', (data) => {
      this.frames.push(JSON.parse(data.toString()) as Frame);
      this.listeners.forEach((listener) => listener());
    });
    socket.on('close', () => this.listeners.forEach((listener) => listener()));
  }

  /** Connects, takes its name, and returns when both are facts. */
  static async enter(server: Taproom, name: string, room = 'default'): Promise<Bot> {
    const socket = new WebSocket(server.socket({ room, name }));
    const bot = new Bot(socket, name, room);
    await once(socket, 'open');
    const status = await bot.frame((frame) => frame.Type === 'Status');
    if (status['Name'] !== name) throw new Error(`The server calls ${name} ${status['Name']}`);
    return bot;
  }

  /** Says something and returns its position once it is kept. Waits as long as the server asks it to. */
  async say(text: string, more: { Kind?: 'Action'; Room?: string } = {}): Promise<number> {
    const Id = newId();
    const frame = { Type: 'Chat', Message: Buffer.from(text).toString('base64'), Room: this.room, Id, ...more };
    for (;;) {
      const before = this.frames.length;
      this.send(frame);
      const answer = await this.frame((heard) => heard['Id'] === Id && heard.Type !== 'Chat', before);
      if (answer.Type === 'Ack') return answer['Seq'] as number;
      if (answer['RetryAfterMs'] === undefined) throw new Error(`Refused: ${JSON.stringify(answer)}`);
      await new Promise((due) => setTimeout(due, answer['RetryAfterMs'] as number));
    }
  }

  /** Says many things, in order. */
  async sayAll(texts: Iterable<string>): Promise<void> {
    for (const text of texts) await this.say(text);
  }

  /** Sends any frame. */
  send(frame: object): void {
    this.socket.send(JSON.stringify(frame));
  }

  /** The texts of all messages that it heard, in order. */
  get heard(): string[] {
    return this.frames.filter((frame) => frame.Type === 'Chat').map((frame) => textOf(frame));
  }

  /** The first frame, from a position on, of which something is true: now or as soon as it comes. */
  async frame(isWanted: (frame: Frame) => boolean, from = 0): Promise<Frame> {
    return this.until(() => this.frames.slice(from).find(isWanted));
  }

  /** Who is in the room, as soon as the list fulfils a condition. */
  async people(isWanted: (names: string[]) => boolean): Promise<string[]> {
    const list = () => {
      const users = this.frames.findLast((frame) => frame.Type === 'userlist')?.['Users'] as { Name: string }[];
      const names = users?.map((user) => user.Name);
      return names && isWanted(names) ? names : undefined;
    };
    return this.until(list);
  }

  /** Waits until something is so. */
  private async until<T>(look: () => T | undefined): Promise<T> {
    return new Promise((found, failed) => {
      const stop = () => {
        clearTimeout(clock);
        this.listeners.delete(check);
      };
      const clock = setTimeout(() => {
        stop();
        const last = JSON.stringify(this.frames.slice(-5));
        failed(new Error(`${this.name} waited in vain; the last frames: ${last}; socket ${this.socket.readyState}`));
      }, PATIENCE);
      const check = () => {
        const fact = look();
        if (fact === undefined) return;
        stop();
        found(fact);
      };
      this.listeners.add(check);
      check();
    });
  }

  leave(): void {
    this.socket.terminate();
  }
}

/** What a Chat frame says. */
export function textOf(frame: Frame): string {
  return Buffer.from(frame['Message'] as string, 'base64').toString();
}

/** 26 letters and digits that no other message of this process has. */
function newId(): string {
  given += 1;
  const random = Array.from({ length: 16 }, () => LETTERS[Math.floor(Math.random() * LETTERS.length)]).join('');
  return given.toString().padStart(10, '0') + random;
}
