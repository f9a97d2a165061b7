// The wire between a browser and the server: it can be cut cleanly, go dead without a word, and be mended.

import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

type State = 'good' | 'cut' | 'dead';

export class Wire {
  /** How many connections were tried so far, in whatever state. */
  attempts = 0;
  private state: State = 'good';
  private readonly ends = new Set<Socket>();

  private constructor(
    private readonly listener: Server,
    private readonly port: number,
  ) {
    listener.on('connection', (near) => this.lay(near));
  }

  /** A wire to a port of this machine. */
  static async to(port: number): Promise<Wire> {
    const listener = createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1');
    await once(listener, 'listening');
    return new Wire(listener, port);
  }

  /** The near end. */
  get url(): string {
    return `http://127.0.0.1:${(this.listener.address() as AddressInfo).port}`;
  }

  /** Both sides learn at once that the connection is gone, and new ones fail. */
  cut(): void {
    this.state = 'cut';
    this.ends.forEach((end) => end.destroy());
  }

  /** Nobody learns anything: nothing arrives any more, on old connections and new ones. */
  die(): void {
    this.state = 'dead';
    this.ends.forEach(silence);
  }

  /** New connections work. Those that were open when the wire died stay dead. */
  mend(): void {
    this.state = 'good';
  }

  async dispose(): Promise<void> {
    this.cut();
    this.listener.close();
    await once(this.listener, 'close');
  }

  private lay(near: Socket): void {
    this.attempts += 1;
    if (this.state === 'cut') {
      near.destroy();
      return;
    }
    const far = connect(this.port, '127.0.0.1');
    for (const [here, there] of [[near, far], [far, near]] as const) {
      this.ends.add(here);
      here.setNoDelay(true);
      here.on('error', () => there.destroy());
      here.on('close', () => {
        // A dead wire does not tell one end that the other has gone.
        if (this.state !== 'dead') there.destroy();
        this.ends.delete(here);
      });
      if (this.state === 'good') here.pipe(there);
    }
  }
}

function silence(end: Socket): void {
  end.unpipe();
  end.pause();
}
