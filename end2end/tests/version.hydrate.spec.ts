// When the server has become a newer one.

import type { Page } from '@playwright/test';
import { expect, test } from '../support/fixtures';
import { composer, headline, join, message, ready, say } from '../support/room';

function version(page: Page) {
  return page.locator('.version[role=status]');
}

/** Lets the server call itself another build from now on, and cuts the connection. */
async function upgradeable(page: Page): Promise<() => Promise<void>> {
  let build: string | undefined;
  const sockets: { close(): Promise<void> }[] = [];
  await page.routeWebSocket(/\/ws\?/, (socket) => {
    sockets.push(socket);
    const server = socket.connectToServer();
    server.onMessage((data) => {
      const frame = JSON.parse(String(data)) as { Type: string; Build?: string };
      if (frame.Type === 'Status' && build !== undefined) frame.Build = build;
      socket.send(JSON.stringify(frame));
    });
  });
  return async () => {
    build = '9.9.9 (newer)';
    await Promise.all(sockets.splice(0).map((socket) => socket.close()));
    await page.evaluate(() => dispatchEvent(new Event('online')));
  };
}

test('a newer server is said so, calmly; reloading is the reader\'s choice and keeps the line', async ({ page }) => {
  const upgrade = await upgradeable(page);
  await join(page, 'ada', 'general');
  await say(page, 'before');
  await expect(version(page)).toHaveText('');
  let loads = 0;
  page.on('request', (request) => (loads += request.isNavigationRequest() ? 1 : 0));
  await composer(page).pressSequentially('half a thou');
  await upgrade();
  await expect(version(page)).toContainText('New version');
  await expect(headline(page)).toHaveText(/^connected/);
  // The reader goes on writing, and nothing takes the page away.
  await composer(page).pressSequentially('ght');
  await expect(composer(page)).toBeFocused();
  await say(page, 'in between');
  await composer(page).pressSequentially('half a thought');
  expect(loads).toBe(0);
  await version(page).getByRole('button', { name: 'Reload' }).click();
  await expect.poll(() => loads).toBe(1);
  await ready(page);
  await expect(composer(page)).toHaveValue('half a thought');
  await expect(message(page, 'in between')).toHaveCount(1);
});

test('the same server after a cut says nothing of versions', async ({ page, wire, bot }) => {
  const bo = await bot('bo', 'general');
  await page.goto(`${wire.url}/r/general`);
  await ready(page);
  await expect(headline(page)).toHaveText(/^connected/);
  wire.cut();
  await expect(headline(page)).not.toHaveText(/^connected/);
  wire.mend();
  await page.evaluate(() => dispatchEvent(new Event('online')));
  await expect(headline(page)).toHaveText(/^connected/);
  await bo.say('back');
  await expect(message(page, 'back')).toBeVisible();
  await expect(version(page)).toHaveText('');
});
