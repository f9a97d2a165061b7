// When the connection goes, and when it comes back.

import type { Page } from '@playwright/test';
import { expect, test } from '../support/fixtures';
import {
  composer, enter, headline, join, message, messages, notice, numbered, ready, say, texts, type,
} from '../support/room';

/** Notes from now on when the notice first says something, in milliseconds from this call. */
async function watchNotice(page: Page): Promise<() => Promise<number>> {
  await page.evaluate(() => {
    const start = performance.now();
    const notice = document.querySelector('.notice')!;
    const noted = new Promise<number>((noted) => {
      const look = () => notice.textContent!.trim() !== '' && noted(performance.now() - start);
      new MutationObserver(look).observe(notice, { childList: true, characterData: true, subtree: true });
    });
    Object.assign(window, { noted });
  });
  return () => page.evaluate(() => (window as unknown as { noted: Promise<number> }).noted);
}

test('the server dies and comes back: quiet, then a notice, and what was written meanwhile arrives once and in order (N1)', async ({ page, server, newcomer }) => {
  await join(page, 'ada', 'general');
  await say(page, 'before');
  const noticed = await watchNotice(page);
  await server.kill();
  await expect(headline(page)).not.toHaveText(/^connected/);
  await type(page, 'meanwhile one');
  await type(page, 'meanwhile two');
  // On screen at once, whatever the network does.
  await expect(message(page, 'meanwhile one')).toHaveAttribute('data-state', 'sending');
  await expect(message(page, 'meanwhile two')).toHaveAttribute('data-state', 'sending');
  const after = await noticed();
  expect(after, 'milliseconds of quiet').toBeGreaterThanOrEqual(1_900);
  expect(after).toBeLessThan(6_000);
  await expect(notice(page)).toContainText('Reconnecting');
  await expect(notice(page)).toContainText('2 messages waiting');
  await expect(composer(page)).toBeEnabled();
  await type(page, 'meanwhile three');

  await server.restart();
  await page.evaluate(() => dispatchEvent(new Event('online')));
  for (const text of ['meanwhile one', 'meanwhile two', 'meanwhile three']) {
    await expect(message(page, text)).toHaveAttribute('data-state', 'sent');
  }
  await expect(headline(page)).toHaveText(/^connected/);
  await expect(notice(page)).toHaveText('');
  const all = ['before', 'meanwhile one', 'meanwhile two', 'meanwhile three'];
  const other = await newcomer();
  await enter(other, 'general');
  await expect.poll(() => texts(other)).toEqual(all);
  expect(await texts(page)).toEqual(all);
  await expect(page.locator('.log li.restart')).toHaveCount(0);
});

test('“Retry now” tries now, and so do waking up and coming online', async ({ page, wire }) => {
  await page.goto(`${wire.url}/r/general`);
  await ready(page);
  await expect(headline(page)).toHaveText(/^connected/);
  wire.cut();
  // By itself it would soon try every ten seconds or so.
  await expect(notice(page)).toContainText(/trying again in [3-9] s|trying again in \d\d s/, { timeout: 30_000 });
  for (const nudge of [
    () => notice(page).getByRole('button', { name: 'Retry now' }).click(),
    () => page.evaluate(() => dispatchEvent(new Event('online'))),
    () => page.evaluate(() => document.dispatchEvent(new Event('visibilitychange', { bubbles: true }))),
  ]) {
    const before = wire.attempts;
    await nudge();
    await expect.poll(() => wire.attempts, { timeout: 1_000 }).toBeGreaterThan(before);
  }
  wire.mend();
  await page.evaluate(() => dispatchEvent(new Event('online')));
  await expect(headline(page)).toHaveText(/^connected/);
});

test('a short cut goes unmentioned', async ({ page, wire, bot }) => {
  const bo = await bot('bo', 'general');
  await page.goto(`${wire.url}/r/general`);
  await ready(page);
  await expect(headline(page)).toHaveText(/^connected/);
  await page.evaluate(() => {
    const said: string[] = [];
    Object.assign(window, { said });
    new MutationObserver(() => said.push(document.querySelector('.notice')!.textContent!)).observe(
      document.querySelector('.notice')!,
      { childList: true, characterData: true, subtree: true },
    );
  });
  wire.cut();
  await expect(headline(page)).not.toHaveText(/^connected/);
  wire.mend();
  await page.evaluate(() => dispatchEvent(new Event('online')));
  await expect(headline(page)).toHaveText(/^connected/);
  await bo.say('nothing happened');
  await expect(message(page, 'nothing happened')).toBeVisible();
  const said = await page.evaluate(() => (window as unknown as { said: string[] }).said);
  expect(said.filter((words) => words.trim() !== '')).toEqual([]);
});

test('offline for ten seconds while 100 messages are said: back within a second, none missing, none twice (N2)', async ({ page, context, wire, bot }) => {
  test.slow();
  const bo = await bot('bo', 'general');
  await page.goto(`${wire.url}/r/general`);
  await ready(page);
  await bo.say('before');
  await expect(message(page, 'before')).toBeVisible();

  // A train enters a tunnel: nothing arrives, and nobody is told that the connection is gone.
  wire.die();
  await context.setOffline(true);
  const start = Date.now();
  for (const [index, text] of numbered(100).entries()) {
    const due = start + (index + 1) * 100;
    await new Promise((isDue) => setTimeout(isDue, due - Date.now()));
    await bo.say(text);
  }
  expect(await messages(page).count()).toBe(1);

  // The last message is in the document within a second of the `online` event, by the page's own clock.
  await page.evaluate(() => {
    const last = () => [...document.querySelectorAll('.log li.msg .body')].at(-1)?.textContent?.trim();
    const back = new Promise<number>((isBack) => {
      addEventListener('online', async () => {
        const start = performance.now();
        while (last() !== 'message number 100') await new Promise(requestAnimationFrame);
        isBack(performance.now() - start);
      }, { once: true });
    });
    Object.assign(window, { back });
  });
  wire.mend();
  await context.setOffline(false);
  const milliseconds = await page.evaluate(() => (window as unknown as { back: Promise<number> }).back);
  test.info().annotations.push({ type: 'back after, ms', description: milliseconds.toFixed(0) });
  expect(milliseconds).toBeLessThanOrEqual(1_000);
  await expect(headline(page)).toHaveText(/^connected/);
  await expect.poll(() => texts(page)).toEqual(['before', ...numbered(100)]);
  await bo.say('after');
  await expect(message(page, 'after')).toBeVisible();
  expect(await texts(page)).toEqual(['before', ...numbered(100), 'after']);
});

test('messages written while the connection is cut are sent once, under the same name', async ({ page, wire, bot }) => {
  const bo = await bot('bo', 'general');
  await page.goto(`${wire.url}/r/general`);
  await ready(page);
  await page.locator('#name-input').fill('ada');
  await page.locator('#name-input').press('Enter');
  await say(page, 'one');
  wire.cut();
  await type(page, 'two');
  await type(page, 'three');
  await expect(message(page, 'three')).toHaveAttribute('data-state', 'sending');
  wire.mend();
  await page.evaluate(() => dispatchEvent(new Event('online')));
  await expect(message(page, 'three')).toHaveAttribute('data-state', 'sent');
  await bo.say('four');
  expect(bo.heard).toEqual(['one', 'two', 'three', 'four']);
  const authors = bo.frames.filter((frame) => frame.Type === 'Chat').map((frame) => frame['Author']);
  expect(authors).toEqual(['ada', 'ada', 'ada', 'bo']);
  await expect.poll(() => texts(page)).toEqual(['one', 'two', 'three', 'four']);
});

test('the headline opens a report that can be copied', async ({ page, context }) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  await join(page, 'ada', 'general');
  await expect(headline(page)).toHaveText(/^connected/);
  await headline(page).click();
  const report = page.locator('dialog#connection-report');
  await expect(report).toBeVisible();
  const value = (name: string) => report.locator('div', { has: page.locator('dt', { hasText: name }) }).locator('dd');
  await expect(value('State')).toHaveText('connected');
  await expect(value('Round trip')).toHaveText(/^\d+ ms$/);
  await expect(value('Last resume')).toHaveText(/\d+ replayed, no gap/);
  await expect(value('Waiting messages')).toHaveText('0');
  await expect(value('Clock')).toHaveText(/\d+ ms/);
  await expect(value('Server')).toHaveText(/^\d+\.\d+\.\d+/);
  await report.locator('button.copy-report').click();
  await expect.poll(() => page.evaluate(() => navigator.clipboard.readText())).toMatch(/^State: connected$[^]*^Round trip: \d+ ms$/m);
  await page.keyboard.press('Escape');
  await expect(report).toBeHidden();
  await expect(headline(page)).toBeFocused();
});

test.describe('where only one message a second is allowed', () => {
  test.use({ settings: { MESSAGES_PER_SECOND: '1', MESSAGE_BURST: '1' } });

  test('messages said too fast wait their turn and arrive in order', async ({ page, bot }) => {
    const bo = await bot('bo', 'general');
    await join(page, 'ada', 'general');
    await type(page, 'one');
    await type(page, 'two');
    await type(page, 'three');
    await expect(message(page, 'three')).toHaveAttribute('data-state', 'sent');
    await bo.frame((frame) => frame.Type === 'Chat' && frame['Seq'] === 3);
    expect(bo.heard).toEqual(['one', 'two', 'three']);
    expect(await texts(page)).toEqual(['one', 'two', 'three']);
  });
});

test('a refused message stays, with what can be done about it', async ({ page, context }) => {
  // The server of this test refuses by proxy: frames of one text are answered as a stricter server would.
  await page.routeWebSocket(/\/ws\?/, (socket) => {
    const server = socket.connectToServer();
    let isStrict = true;
    socket.onMessage((data) => {
      const frame = JSON.parse(String(data)) as { Id?: string; Message?: string; Room?: string };
      const text = Buffer.from(frame.Message ?? '', 'base64').toString();
      if (!isStrict || !text.startsWith('forbidden')) return server.send(data);
      isStrict = text !== 'forbidden once';
      const refusal = { Type: 'Error', Code: 'NotAllowed', Text: 'Not here.', Id: frame.Id, Room: frame.Room };
      socket.send(JSON.stringify(refusal));
    });
  });
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  await join(page, 'ada', 'general');
  await type(page, 'forbidden always');
  const refused = message(page, 'forbidden always');
  await expect(refused).toHaveAttribute('data-state', 'refused');
  await expect(refused).toContainText('Not here');
  await say(page, 'allowed');
  await refused.getByRole('button', { name: 'Copy' }).click();
  await expect.poll(() => page.evaluate(() => navigator.clipboard.readText())).toBe('forbidden always');
  // At once: the word that the text was copied is in nobody's way.
  await refused.getByRole('button', { name: 'Delete' }).click({ timeout: 3_000 });
  await expect(refused).toHaveCount(0);
  await type(page, 'forbidden once');
  const retried = message(page, 'forbidden once');
  await expect(retried).toHaveAttribute('data-state', 'refused');
  await retried.getByRole('button', { name: 'Retry' }).click();
  await expect(retried).toHaveAttribute('data-state', 'sent');
  await expect.poll(() => texts(page)).toEqual(['allowed', 'forbidden once']);
});
