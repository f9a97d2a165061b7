// What the server keeps, and what a browser makes of it when the server dies or is put back.

import { expect, test } from '../support/fixtures';
import { enter, headline, join, message, notice, numbered, say, texts, type } from '../support/room';

test('killed in the middle of a talk: both browsers come back by themselves, nothing is missing, nothing is there twice', async ({ page, server, newcomer }) => {
  test.slow();
  const other = await newcomer();
  await join(page, 'ada', 'general');
  await join(other, 'bo', 'general');
  const said = [];
  for (const round of [1, 2, 3]) {
    await say(page, `ada before ${round}`);
    await say(other, `bo before ${round}`);
    said.push(`ada before ${round}`, `bo before ${round}`);
    // One is on its way when the server dies.
    await type(page, `ada during ${round}`);
    await server.kill();
    await type(page, `ada meanwhile ${round}`);
    await type(other, `bo meanwhile ${round}`);
    await server.restart();
    for (const browser of [page, other]) {
      await expect(headline(browser)).toHaveText(/^connected/, { timeout: 40_000 });
      for (const text of [`ada during ${round}`, `ada meanwhile ${round}`, `bo meanwhile ${round}`]) {
        await expect(message(browser, text)).toHaveAttribute('data-state', 'sent');
      }
    }
    said.push(`ada during ${round}`, `ada meanwhile ${round}`, `bo meanwhile ${round}`);
  }
  const shown = await texts(page);
  expect([...shown].sort(), 'all of it, once').toEqual([...said].sort());
  expect(shown.filter((text) => text.startsWith('ada')), 'in the order of saying').toEqual(said.filter((text) => text.startsWith('ada')));
  expect(await texts(other), 'the same order for both').toEqual(shown);
  const late = await newcomer();
  await enter(late, 'general');
  expect(await texts(late), 'and in the first HTML').toEqual(shown);
});

test('after a restart the first HTML has the newest messages, and above them all the others', async ({ page, server, bot }) => {
  const bo = await bot('bo', 'general');
  await bo.sayAll(numbered(120));
  await server.kill();
  await server.restart();
  await enter(page, 'general');
  expect((await texts(page)).at(-1)).toBe('message number 120');
  await page.locator('.log').evaluate((log) => log.scrollTo(0, -log.scrollHeight));
  await expect.poll(async () => {
    await page.locator('.log').evaluate((log) => log.scrollTo(0, -log.scrollHeight));
    return texts(page);
  }).toEqual(numbered(120));
  await expect(page.locator('.log li.top')).toContainText('begins');
});

test('a backup that is put back is another life of the room: said, and what was not sent yet is sent', async ({ page, server, bot }) => {
  const bo = await bot('bo', 'general');
  await bo.say('in the backup');
  await join(page, 'ada', 'general');
  server.taproom('backup', '--to', 'copy.db');
  await say(page, 'after the backup');
  await server.kill();
  await type(page, 'while it was away');
  server.taproom('restore', '--from', 'copy.db');
  await server.restart();
  await page.evaluate(() => dispatchEvent(new Event('online')));
  await expect(message(page, 'while it was away').last()).toHaveAttribute('data-state', 'sent');
  await expect(page.locator('.log li.restart')).toBeVisible();
  await expect.poll(() => texts(page)).toEqual(
    ['in the backup', 'after the backup', 'in the backup', 'while it was away'],
  );
  expect(server.taproom('check')).toContain('2 events');
});

test('while the server takes nothing, what is said waits, the page tells why, and then it is sent', async ({ page }) => {
  // The server of this test is hindered by proxy, in the words of one whose disk is full.
  let isFull = true;
  await page.routeWebSocket(/\/ws\?/, (socket) => {
    const server = socket.connectToServer();
    socket.onMessage((data) => {
      const frame = JSON.parse(String(data)) as { Type?: string; Id?: string; Room?: string };
      if (!isFull || frame.Type !== 'Chat') return server.send(data);
      const Text = "The server's disk is full, so it cannot keep this message. Try again in 1 s.";
      socket.send(JSON.stringify({ Type: 'Error', Code: 'Busy', Text, Id: frame.Id, Room: frame.Room, RetryAfterMs: 1_000 }));
    });
  });
  await join(page, 'ada', 'general');
  await type(page, 'one');
  await type(page, 'two');
  await expect(notice(page)).toContainText("Not sent yet. The server's disk is full");
  await expect(notice(page)).toContainText('2 messages waiting');
  await expect(message(page, 'one')).toHaveAttribute('data-state', 'sending');
  await expect(headline(page)).toHaveText(/^connected/);
  isFull = false;
  await expect(message(page, 'two')).toHaveAttribute('data-state', 'sent');
  await expect(notice(page)).toHaveText('');
  expect(await texts(page)).toEqual(['one', 'two']);
});
