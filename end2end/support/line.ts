// The sockets of one browser's pages, to be cut and mended while the pages themselves can be loaded.

import type { BrowserContext, Page, WebSocketRoute } from '@playwright/test';

/** A chat frame, as far as it matters here. */
interface Said {
  Id?: string;
  Message?: string;
  Room?: string;
}

export class Line {
  /** The texts that went to the server, each as often as it went. */
  readonly sent: string[] = [];
  /** What is refused, by its text. */
  refuses: (text: string) => boolean = () => false;
  private isCut = false;
  private readonly open = new Set<WebSocketRoute>();

  /** Takes hold of all sockets that a page, or any page of a browser, opens from now on. */
  static async of(pages: Page | BrowserContext): Promise<Line> {
    const line = new Line();
    await pages.routeWebSocket(/\/ws\?/, (socket) => line.lay(socket));
    return line;
  }

  cut(): void {
    this.isCut = true;
    this.open.forEach((socket) => void socket.close({ code: 1012 }));
    this.open.clear();
  }

  /** New sockets work; pages need not wait until they try by themselves. */
  async mend(...pages: Page[]): Promise<void> {
    this.isCut = false;
    for (const page of pages) await page.evaluate(() => void dispatchEvent(new Event('online')));
  }

  private lay(socket: WebSocketRoute): void {
    if (this.isCut) {
      void socket.close({ code: 1012 });
      return;
    }
    this.open.add(socket);
    const server = socket.connectToServer();
    socket.onMessage((data) => {
      const frame = JSON.parse(String(data)) as Said;
      if (frame.Message === undefined) return server.send(data);
      const text = Buffer.from(frame.Message, 'base64').toString();
      this.sent.push(text);
      if (!this.refuses(text)) return server.send(data);
      socket.send(JSON.stringify({ Type: 'Error', Code: 'NotAllowed', Text: 'Not here.', Id: frame.Id, Room: frame.Room }));
    });
  }
}
