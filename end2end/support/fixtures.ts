// What every test starts from: a server of its own, browsers that must not complain, bots, wires.

import { test as base, expect, type BrowserContextOptions, type Page } from '@playwright/test';
import { Bot } from './bot';
import { Taproom, type Settings } from './taproom';
import { Wire } from './wire';

/** Words on the console that mean a broken page, whatever the test looks at. */
const TROUBLE = /hydrat|panic|unreachable|\bCSP\b|Content.Security/i;

interface Fixtures {
  /** Settings of the test's server, by the name of their variable without `TAPROOM_`. */
  settings: Settings;
  /** The test's own server. */
  server: Taproom;
  /** A complaint that a test causes on purpose. */
  expected: RegExp | undefined;
  /** Complaints of all pages so far. Empty at the end of a good test. */
  complaints: string[];
  /** Another browser: its own cookies and storage. */
  newcomer: (options?: BrowserContextOptions) => Promise<Page>;
  /** Somebody without a browser. */
  bot: (name: string, room?: string) => Promise<Bot>;
  /** A wire to the server, to be cut. */
  wire: Wire;
}

export const test = base.extend<Fixtures>({
  settings: [{}, { option: true }],

  expected: [undefined, { option: true }],

  server: async ({ settings }, use) => {
    const server = await Taproom.start(settings);
    await use(server);
    await server.dispose();
  },

  baseURL: async ({ server }, use) => use(server.url),

  complaints: [
    async ({ expected }, use) => {
      const complaints: string[] = [];
      await use(complaints);
      expect(complaints.filter((words) => !expected?.test(words)), 'what the pages complained of').toEqual([]);
    },
    { auto: true },
  ],

  context: async ({ context, complaints }, use) => {
    context.on('page', (page) => listen(page, complaints));
    await use(context);
  },

  newcomer: async ({ browser, baseURL, contextOptions, complaints }, use) => {
    const contexts: { close(): Promise<void> }[] = [];
    await use(async (options = {}) => {
      const context = await browser.newContext({ ...contextOptions, baseURL: baseURL!, ...options });
      contexts.push(context);
      context.on('page', (page) => listen(page, complaints));
      return context.newPage();
    });
    await Promise.all(contexts.map((context) => context.close()));
  },

  bot: async ({ server }, use) => {
    const bots: Bot[] = [];
    await use(async (name, room) => {
      const bot = await Bot.enter(server, name, room);
      bots.push(bot);
      return bot;
    });
    bots.forEach((bot) => bot.leave());
  },

  wire: async ({ server }, use) => {
    const wire = await Wire.to(server.port);
    await use(wire);
    await wire.dispose();
  },
});

function listen(page: Page, complaints: string[]): void {
  page.on('pageerror', (error) => complaints.push(`error: ${error.message}`));
  page.on('dialog', (dialog) => complaints.push(`dialog: ${dialog.message()}`));
  page.on('console', (line) => {
    if (TROUBLE.test(line.text())) complaints.push(`${line.type()}: ${line.text()}`);
  });
}

export { expect };
