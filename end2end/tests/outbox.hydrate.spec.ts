// What waits to be sent outlives its page.

import type { Page } from '@playwright/test';
import { expect, test } from '../support/fixtures';
import { Line } from '../support/line';
import { composer, enter, headline, join, message, messages, notice, ready, say, texts, type } from '../support/room';

/** Closes a tab as a person does: the page is told. */
async function closeTab(page: Page): Promise<void> {
  await Promise.all([page.waitForEvent('close'), page.close({ runBeforeUnload: true })]);
}

/** Whether the browser would ask before the page is thrown away. */
async function asks(page: Page): Promise<boolean> {
  return page.evaluate(() => !dispatchEvent(new Event('beforeunload', { cancelable: true })));
}

/** What lies in the browser's storage for outboxes. */
async function records(page: Page): Promise<string[]> {
  return page.evaluate(() => Object.keys(localStorage).filter((key) => key.startsWith('taproom:outbox')));
}

/** Types texts that cannot be sent now. */
async function leaveWaiting(page: Page, ...waiting: string[]): Promise<void> {
  for (const text of waiting) {
    await type(page, text);
    await expect(message(page, text)).toHaveAttribute('data-state', 'sending');
  }
}

for (const end of ['closed', 'crashed'] as const) {
  test(`written while the server was down, tab ${end}, server restarted, tab opened: there once`, async ({ page, context, server, newcomer }) => {
    await join(page, 'ada', 'general');
    await expect(headline(page)).toHaveText(/^connected/);
    await server.kill();
    await expect(headline(page)).not.toHaveText(/^connected/);
    await leaveWaiting(page, 'one', 'two');
    if (end === 'closed') {
      await closeTab(page);
    } else {
      const control = await context.newCDPSession(page);
      const crashed = page.waitForEvent('crash');
      // Its answer goes down with the page.
      control.send('Page.crash').catch(() => {});
      await crashed;
    }
    await server.restart();
    const next = await context.newPage();
    await enter(next, 'general');
    await expect(message(next, 'two')).toHaveAttribute('data-state', 'sent');
    expect(await texts(next)).toEqual(['one', 'two']);
    await expect.poll(() => records(next)).toEqual([]);
    const other = await newcomer();
    await enter(other, 'general');
    expect(await texts(other)).toEqual(['one', 'two']);
    await expect(messages(other).locator('.nick')).toHaveText(['ada', 'ada']);
  });
}

test('a page that is loaded again shows what waits, also without a connection', async ({ page, bot }) => {
  const bo = await bot('bo', 'general');
  const line = await Line.of(page);
  await join(page, 'ada', 'general');
  await say(page, 'zero');
  line.cut();
  await leaveWaiting(page, 'one', 'two\nin two lines');
  await type(page, '/me waits');
  expect(await asks(page), 'nothing would be lost').toBe(false);
  await page.reload();
  await ready(page);
  await expect(messages(page)).toHaveCount(4);
  expect(await texts(page)).toEqual(['zero', 'one', 'two\nin two lines', 'waits']);
  await expect(message(page, 'one')).toHaveAttribute('data-state', 'sending');
  await expect(messages(page).locator('.nick')).toHaveText(['ada', 'ada', 'ada', 'ada']);
  await leaveWaiting(page, 'three');
  await line.mend(page);
  await expect(message(page, 'three')).toHaveAttribute('data-state', 'sent');
  await bo.say('four');
  expect(bo.heard).toEqual(['zero', 'one', 'two\nin two lines', 'waits', 'three', 'four']);
  await expect.poll(() => texts(page)).toEqual(bo.heard);
  expect(await records(page)).toEqual([]);
});

test('what waits in two tabs is sent once each, in each tab\'s order', async ({ page, context, bot }) => {
  const bo = await bot('bo', 'general');
  const line = await Line.of(context);
  await join(page, 'ada', 'general');
  const second = await context.newPage();
  await enter(second, 'general');
  await expect(composer(second)).toBeVisible();
  line.cut();
  await leaveWaiting(page, 'a1', 'a2');
  await leaveWaiting(second, 'b1', 'b2');
  await expect(messages(page)).toHaveCount(2);
  // A third tab looks for pages that are gone. These two are not, and one that never was is.
  await page.evaluate(() => localStorage.setItem('taproom:outbox:1:nobody', 'here 1'));
  const third = await context.newPage();
  await enter(third, 'lounge');
  await expect.poll(() => records(third)).not.toContain('taproom:outbox:1:nobody');
  expect(await records(third)).toHaveLength(2);
  await line.mend(page, second, third);
  await expect(message(page, 'a2')).toHaveAttribute('data-state', 'sent');
  await expect(message(second, 'b2')).toHaveAttribute('data-state', 'sent');
  await bo.say('end');
  const heard = bo.heard.slice(0, -1);
  expect(heard.filter((text) => text.startsWith('a'))).toEqual(['a1', 'a2']);
  expect(heard.filter((text) => text.startsWith('b'))).toEqual(['b1', 'b2']);
  expect(heard).toHaveLength(4);
  expect(line.sent.toSorted(), 'what went to the server').toEqual(['a1', 'a2', 'b1', 'b2']);
  await expect.poll(() => texts(page)).toEqual(bo.heard);
  await expect.poll(() => texts(second)).toEqual(bo.heard);
});

test('what waits in a tab that is closed is sent by another one, whatever room that shows', async ({ page, context, bot }) => {
  const bo = await bot('bo', 'general');
  const line = await Line.of(page);
  await join(page, 'ada', 'general');
  const second = await context.newPage();
  await second.goto('/r/lounge');
  await ready(second);
  await second.evaluate(() => localStorage.removeItem('taproom:rooms'));
  await second.reload();
  await ready(second);
  await expect(second.locator('nav.rooms').getByRole('link', { name: 'general' })).toHaveCount(0);
  line.cut();
  await leaveWaiting(page, 'one', 'two');
  await closeTab(page);
  await bo.frame((frame) => frame.Type === 'Chat' && frame['Seq'] === 2);
  expect(bo.heard).toEqual(['one', 'two']);
  expect(line.sent).toEqual([]);
  await second.locator('nav.rooms').getByRole('link', { name: 'general' }).click();
  await expect(message(second, 'two')).toHaveAttribute('data-state', 'sent');
  expect(await texts(second)).toEqual(['one', 'two']);
  await expect.poll(() => records(second)).toEqual([]);
});

test('a page to which the reader comes back does not send what another one took', async ({ page, context, bot }) => {
  const bo = await bot('bo', 'general');
  const line = await Line.of(context);
  await join(page, 'ada', 'general');
  line.cut();
  await leaveWaiting(page, 'one', 'two');
  // As when the browser puts the page aside, and takes it out again when the reader goes back.
  await page.evaluate(() => dispatchEvent(new PageTransitionEvent('pagehide', { persisted: true })));
  const second = await context.newPage();
  await enter(second, 'general');
  await expect(messages(second)).toHaveCount(2);
  await page.evaluate(() => dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true })));
  await expect(messages(page)).toHaveCount(0);
  await line.mend(page, second);
  await expect(message(second, 'two')).toHaveAttribute('data-state', 'sent');
  await expect(message(page, 'two')).toHaveAttribute('data-state', 'sent');
  await bo.say('end');
  expect(bo.heard).toEqual(['one', 'two', 'end']);
  expect(line.sent).toEqual(['one', 'two']);
});

for (const [how, forbid] of [
  ['cannot be written to', () => {
    Storage.prototype.setItem = () => {
      throw new DOMException('No.', 'QuotaExceededError');
    };
  }],
  ['cannot even be asked for', () => {
    Object.defineProperty(window, 'localStorage', {
      get: () => {
        throw new DOMException('No.', 'SecurityError');
      },
    });
  }],
  ['is missing', () => {
    Object.defineProperty(window, 'localStorage', { get: () => null });
  }],
] as const) {
  test(`storage that ${how} is said, and what waits is kept in the page and sent`, async ({ page, bot }) => {
    const bo = await bot('bo', 'general');
    await page.addInitScript(forbid);
    const line = await Line.of(page);
    await join(page, 'ada', 'general');
    await say(page, 'zero');
    expect(await asks(page)).toBe(false);
    line.cut();
    await leaveWaiting(page, 'one', 'two');
    await expect(notice(page)).toContainText('2 messages waiting');
    await expect(notice(page)).toContainText('keep this page open');
    expect(await asks(page)).toBe(true);
    await line.mend(page);
    await expect(message(page, 'two')).toHaveAttribute('data-state', 'sent');
    await expect(notice(page)).toHaveText('');
    await expect.poll(() => asks(page)).toBe(false);
    await bo.say('three');
    expect(bo.heard).toEqual(['zero', 'one', 'two', 'three']);
  });
}

test('full storage is said, and used again when there is space', async ({ page, bot }) => {
  const bo = await bot('bo', 'general');
  const line = await Line.of(page);
  await join(page, 'ada', 'general');
  line.cut();
  await page.evaluate(() => {
    let piece = 'x'.repeat(1_000_000);
    for (let number = 0; piece.length > 0; number += 1) {
      try {
        localStorage.setItem(`fill ${number}`, piece);
      } catch {
        piece = piece.slice(0, Math.floor(piece.length / 2));
      }
    }
  });
  await leaveWaiting(page, 'one');
  await expect(notice(page)).toContainText('keep this page open');
  expect(await asks(page)).toBe(true);
  await page.evaluate(() => {
    Object.keys(localStorage).filter((key) => key.startsWith('fill')).forEach((key) => localStorage.removeItem(key));
  });
  await leaveWaiting(page, 'two');
  await expect(notice(page)).not.toContainText('keep this page open');
  expect(await asks(page)).toBe(false);
  await page.reload();
  await ready(page);
  await expect(messages(page)).toHaveCount(2);
  await line.mend(page);
  await expect(message(page, 'two')).toHaveAttribute('data-state', 'sent');
  await bo.say('three');
  expect(bo.heard).toEqual(['one', 'two', 'three']);
});

test('a refused message is still there after the page was loaded again, with all that can be done about it', async ({ page, context, bot }) => {
  const bo = await bot('bo', 'general');
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  const line = await Line.of(page);
  line.refuses = (text) => text.startsWith('forbidden');
  await join(page, 'ada', 'general');
  const [first, second] = [message(page, 'forbidden one'), message(page, 'forbidden two')];
  await type(page, 'forbidden one');
  await type(page, 'forbidden two');
  await expect(second).toHaveAttribute('data-state', 'refused');
  await say(page, 'allowed');
  await page.reload();
  await ready(page);
  for (const refused of [first, second]) {
    await expect(refused).toHaveAttribute('data-state', 'refused');
    await expect(refused).toContainText('Not sent: Not here.');
  }
  await first.getByRole('button', { name: 'Copy' }).click();
  await expect.poll(() => page.evaluate(() => navigator.clipboard.readText())).toBe('forbidden one');
  await first.getByRole('button', { name: 'Delete' }).click();
  await expect(first).toHaveCount(0);
  await page.reload();
  await ready(page);
  await expect(second).toHaveAttribute('data-state', 'refused');
  await expect(first).toHaveCount(0);
  line.refuses = () => false;
  await second.getByRole('button', { name: 'Retry' }).click();
  await expect(second).toHaveAttribute('data-state', 'sent');
  await bo.say('end');
  expect(bo.heard).toEqual(['allowed', 'forbidden two', 'end']);
  await expect.poll(() => records(page)).toEqual([]);
});

test('a refused message that others have passed can be sent once more', async ({ page }) => {
  const line = await Line.of(page);
  line.refuses = (text) => text === 'forbidden';
  await join(page, 'ada', 'general');
  await type(page, 'forbidden');
  const refused = message(page, 'forbidden');
  await expect(refused).toHaveAttribute('data-state', 'refused');
  await say(page, 'passes');
  line.refuses = () => false;
  await refused.getByRole('button', { name: 'Retry' }).click();
  await expect(refused).toHaveAttribute('data-state', 'sent');
  await expect(refused.getByRole('button')).toHaveCount(0);
  expect(await texts(page)).toEqual(['passes', 'forbidden']);
});

test('a room in which something waits is not left', async ({ page }) => {
  const line = await Line.of(page);
  await join(page, 'ada', 'general');
  await type(page, '/join lounge');
  await expect(page).toHaveURL(/\/r\/lounge$/);
  line.cut();
  await leaveWaiting(page, 'one');
  await type(page, '/part');
  await expect(page.locator('#composer-error')).toContainText('wait to be sent');
  await expect(message(page, 'one')).toHaveAttribute('data-state', 'sending');
});

test('the name is lost on the way back: what waits stays on the screen and is said under the next one', async ({ page, bot }) => {
  const line = await Line.of(page);
  await join(page, 'ada', 'general');
  await expect(headline(page)).toHaveText(/^connected/);
  line.cut();
  await leaveWaiting(page, 'one');
  // Another visitor took it: this browser is a new one to the server, and the old one is still there.
  await page.context().clearCookies({ name: /^(?!taproom_name$)/ });
  await expect(async () => {
    const other = await bot('ada', 'general');
    expect(other.name).toBe('ada');
  }).toPass();
  await line.mend(page);
  await expect(page.locator('#name-input')).toHaveValue('ada');
  await expect(message(page, 'one')).toHaveAttribute('data-state', 'sending');
  await page.locator('#name-input').fill('ada two');
  await page.locator('#name-input').press('Enter');
  await expect(message(page, 'one')).toHaveAttribute('data-state', 'sent');
  await expect(message(page, 'one').locator('.nick')).toHaveText('ada two');
});
