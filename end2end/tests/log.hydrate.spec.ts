// The log: where it stands, what it keeps still, how it groups.

import type { Page } from '@playwright/test';
import type { Frame } from '../support/bot';
import { expect, test } from '../support/fixtures';
import {
  address, composer, enter, isInView, join, log, message, messages, notice, numbered, pill, ready, scrolledUp, texts, type,
} from '../support/room';

/** Scrolls the log up as a person does, and waits until it stands there. */
async function scrollUp(page: Page, pixels: number): Promise<void> {
  await log(page).hover();
  const before = await scrolledUp(page);
  await page.mouse.wheel(0, -pixels);
  await expect.poll(async () => (await scrolledUp(page)) - before).toBeGreaterThanOrEqual(pixels - 1);
}

/** The text of the topmost message that is in view, and where it is. */
async function topmost(page: Page): Promise<{ text: string; top: number }> {
  return log(page).evaluate((log) => {
    const { top, bottom } = log.getBoundingClientRect();
    for (const row of log.querySelectorAll('li.msg')) {
      const box = row.getBoundingClientRect();
      if (box.top >= top && box.bottom <= bottom) {
        return { text: row.querySelector('.body')!.textContent!.trim(), top: box.top };
      }
    }
    throw new Error('no message is in view');
  });
}

async function topOf(page: Page, text: string): Promise<number> {
  return message(page, text).evaluate((row) => row.getBoundingClientRect().top);
}

test('of 60 messages the last is in view, after hydration too (L1)', async ({ page, bot }) => {
  const ada = await bot('ada', 'general');
  await ada.sayAll(numbered(60));
  await enter(page, 'general');
  expect(await isInView(message(page, 'message number 60'))).toBe(true);
  expect(await scrolledUp(page)).toBeLessThanOrEqual(1);
  await ada.say('message number 61');
  await expect(message(page, 'message number 61')).toBeVisible();
  expect(await isInView(message(page, 'message number 61'))).toBe(true);
});

test('history that loads above moves nothing (L2)', async ({ page, bot }) => {
  const ada = await bot('ada', 'general');
  await ada.sayAll(numbered(300));
  await enter(page, 'general');
  // Watches one message in every frame, from the jump to the top until well after older messages came.
  const worst = await log(page).evaluate(async (log) => {
    const frame = () => new Promise((next) => requestAnimationFrame(next));
    const rows = () => log.querySelectorAll('li.msg').length;
    const before = rows();
    log.scrollTop = -log.scrollHeight;
    const { top, bottom } = log.getBoundingClientRect();
    const isInside = (row: Element) => row.getBoundingClientRect().top >= top && row.getBoundingClientRect().bottom <= bottom;
    const reference = [...log.querySelectorAll('li.msg')].filter(isInside)[3]!;
    const start = reference.getBoundingClientRect().top;
    let worst = 0;
    const look = () => (worst = Math.max(worst, Math.abs(reference.getBoundingClientRect().top - start)));
    const deadline = performance.now() + 10_000;
    while (rows() === before && performance.now() < deadline) {
      await frame();
      look();
    }
    for (let frames = 0; frames < 20; frames += 1) {
      await frame();
      look();
    }
    return { moved: worst, added: rows() - before };
  });
  expect(worst.added).toBeGreaterThan(0);
  expect(worst.moved, 'pixels').toBeLessThanOrEqual(1);
  const shown = await texts(page);
  expect(shown).toEqual(numbered(shown.length, 301 - shown.length));
});

test('all of a long log can be read, in order and each message once', async ({ page, bot }) => {
  const ada = await bot('ada', 'general');
  await ada.sayAll(numbered(260));
  await enter(page, 'general');
  await expect(async () => {
    await log(page).evaluate((log) => (log.scrollTop = -log.scrollHeight));
    expect((await texts(page))[0]).toBe('message number 1');
  }).toPass();
  const all = await texts(page);
  expect(all).toEqual(numbered(all.length));
  await expect(log(page)).not.toHaveAttribute('aria-busy', 'true');
  await page.keyboard.press('End');
  await expect(message(page, 'message number 260')).toBeInViewport();
});

test('reading above, new messages move nothing and are counted (L3)', async ({ page, bot }) => {
  const ada = await bot('ada', 'general');
  await ada.sayAll(numbered(60));
  await enter(page, 'general');
  await scrollUp(page, 500);
  const reference = await topmost(page);
  for (const [index, text] of numbered(5, 61).entries()) {
    await ada.say(text);
    await expect(pill(page)).toHaveText(new RegExp(`\\b${index + 1} new message${index ? 's' : ''}\\b`));
    expect(Math.abs((await topOf(page, reference.text)) - reference.top), `after ${text}`).toBeLessThanOrEqual(1);
  }
  await pill(page).click();
  await expect(message(page, 'message number 65')).toBeInViewport();
  await expect(pill(page)).toBeHidden();
  await expect.poll(() => scrolledUp(page)).toBeLessThanOrEqual(1);
});

test('what comes in below while somebody scrolls down to it moves nothing either', async ({ page, bot }) => {
  const ada = await bot('ada', 'general');
  await ada.sayAll(numbered(60));
  await enter(page, 'general');
  await scrollUp(page, 500);
  await ada.sayAll(numbered(300, 61));
  await expect(pill(page)).toHaveText('300 new messages');
  // Row heights are no whole pixels, so what is made up for in whole pixels would add up.
  const worst = await log(page).evaluate(async (log) => {
    const frame = () => new Promise((next) => requestAnimationFrame(next));
    const last = () => [...log.querySelectorAll('li.msg .body')].at(-1)!.textContent!.trim();
    let worst = 0;
    for (let steps = 0; steps < 200 && last() !== 'message number 360'; steps += 1) {
      log.scrollBy(0, 100);
      await frame();
      const { top } = log.getBoundingClientRect();
      const reference = [...log.querySelectorAll('li.msg')].find((row) => row.getBoundingClientRect().top >= top)!;
      const start = reference.getBoundingClientRect().top;
      for (let frames = 0; frames < 3; frames += 1) {
        await frame();
        worst = Math.max(worst, Math.abs(reference.getBoundingClientRect().top - start));
      }
    }
    return last() === 'message number 360' ? worst : Infinity;
  });
  expect(worst, 'pixels').toBeLessThanOrEqual(1.5);
});

test('one\'s own message leads back to the end', async ({ page, bot }) => {
  const ada = await bot('ada', 'general');
  await ada.sayAll(numbered(60));
  await join(page, 'bo', 'general');
  await scrollUp(page, 500);
  await type(page, 'an answer');
  await expect(message(page, 'an answer')).toBeInViewport();
});

test('who scrolled up before the page came alive stays there', async ({ page, bot }) => {
  const ada = await bot('ada', 'general');
  await ada.sayAll(numbered(60));
  let comeAlive = () => {};
  const mayComeAlive = new Promise<void>((may) => (comeAlive = may));
  await page.route('**/*.wasm', async (route) => {
    await mayComeAlive;
    await route.continue();
  });
  await page.goto(address('general'), { waitUntil: 'domcontentloaded' });
  await scrollUp(page, 300);
  const reference = await topmost(page);
  comeAlive();
  await ready(page);
  await ada.say('news');
  await expect(pill(page)).toHaveText('1 new message');
  expect(Math.abs((await topOf(page, reference.text)) - reference.top)).toBeLessThanOrEqual(1);
});

test('one can scroll up while the room is busy', async ({ page, bot }) => {
  const ada = await bot('ada', 'general');
  await ada.sayAll(numbered(60));
  await enter(page, 'general');
  await log(page).hover();
  let isOver = false;
  const chatter = (async () => {
    for (let number = 61; !isOver && number < 1_000; number += 1) {
      await ada.say(`message number ${number}`);
      await new Promise((next) => setTimeout(next, 15));
    }
  })();
  // As a touchpad does it: many small steps.
  await expect(message(page, 'message number 65')).toBeVisible();
  for (let step = 0; step < 30; step += 1) {
    await page.mouse.wheel(0, -20);
    await page.evaluate(() => new Promise(requestAnimationFrame));
  }
  await expect.poll(() => scrolledUp(page)).toBeGreaterThan(300);
  isOver = true;
  await chatter;
  await expect(pill(page)).toBeVisible();
});

test('End leads to the end', async ({ page, bot }) => {
  const ada = await bot('ada', 'general');
  await ada.sayAll(numbered(60));
  await enter(page, 'general');
  await scrollUp(page, 500);
  await log(page).focus();
  await page.keyboard.press('End');
  await expect.poll(() => scrolledUp(page)).toBeLessThanOrEqual(1);
});

test.describe('times', () => {
  /** Opens a room whose messages were said at other times than they were. */
  async function openWithTimes(page: Page, times: string[]): Promise<void> {
    await page.route('**/api/v1/rooms/old/events*', async (route) => {
      const answer = await route.fetch();
      const body = (await answer.json()) as { Events: Frame[] };
      body.Events.forEach((event, index) => (event['Sent'] = times[index]));
      await route.fulfill({ response: answer, json: body });
    });
    await join(page, 'reader', 'general');
    await type(page, '/join old');
    await expect(messages(page)).toHaveCount(times.length);
  }

  test.use({ timezoneId: 'UTC' });

  test('one author\'s messages go on without a new name for five minutes (L5)', async ({ page, bot }) => {
    const ada = await bot('ada', 'old');
    const bo = await bot('bo', 'old');
    await ada.sayAll(['first', 'five minutes later', 'five minutes and a second later']);
    await bo.say('somebody else');
    await ada.say('first again');
    await openWithTimes(page, [
      '2026-03-01T12:00:00.000Z',
      '2026-03-01T12:05:00.000Z',
      '2026-03-01T12:10:01.000Z',
      '2026-03-01T12:10:02.000Z',
      '2026-03-01T12:10:03.000Z',
    ]);
    await expect(message(page, 'first')).not.toHaveClass(/\bcont\b/);
    await expect(message(page, 'five minutes later')).toHaveClass(/\bcont\b/);
    await expect(message(page, 'five minutes and a second later')).not.toHaveClass(/\bcont\b/);
    await expect(message(page, 'somebody else')).not.toHaveClass(/\bcont\b/);
    await expect(message(page, 'first again')).not.toHaveClass(/\bcont\b/);
    // A continued message still tells screen readers who said it and when.
    await expect(message(page, 'five minutes later').locator('.nick')).toHaveText('ada');
    await expect(message(page, 'five minutes later').locator('time')).toHaveAttribute('datetime', /^2026-03-01T12:05:00/);
  });

  test('a new day has its line, and its first message its name (L5)', async ({ page, bot }) => {
    const ada = await bot('ada', 'old');
    await ada.sayAll(['late', 'early']);
    await openWithTimes(page, ['2026-03-01T23:59:00.000Z', '2026-03-02T00:01:00.000Z']);
    await expect(message(page, 'early')).not.toHaveClass(/\bcont\b/);
    await expect(page.locator('.log li.day h2')).toHaveText([/March 1|1 March/, /March 2|2 March/]);
  });

  test.describe('where the day begins elsewhere', () => {
    test.use({ timezoneId: 'Asia/Kolkata' });

    test('days and times are the reader\'s own (L5)', async ({ page, bot }) => {
      const ada = await bot('ada', 'old');
      await ada.sayAll(['before local midnight', 'after local midnight', 'after midnight in UTC']);
      await openWithTimes(page, ['2026-03-01T18:29:00.000Z', '2026-03-01T18:31:00.000Z', '2026-03-02T00:01:00.000Z']);
      await expect(page.locator('.log li.day')).toHaveCount(2);
      await expect(message(page, 'after local midnight').locator('time')).toContainText(/12:01\s*AM|00:01/);
    });
  });
});

test('after 1,000 messages the page holds at most 460 rows (L6)', async ({ page, bot }) => {
  test.slow();
  await join(page, 'reader', 'general');
  const ada = await bot('ada', 'general');
  await ada.sayAll(numbered(1_000));
  await expect(message(page, 'message number 1000')).toBeInViewport();
  expect(await log(page).locator('li').count()).toBeLessThanOrEqual(460);
  const shown = await texts(page);
  expect(shown).toEqual(numbered(shown.length, 1_001 - shown.length));
});

test('while reading above, the page does not grow without end either (L6)', async ({ page, bot }) => {
  test.slow();
  const ada = await bot('ada', 'general');
  await ada.sayAll(numbered(60));
  await enter(page, 'general');
  await scrollUp(page, 500);
  const reference = await topmost(page);
  await ada.sayAll(numbered(600, 61));
  await expect(pill(page)).toHaveText(/600/);
  expect(await log(page).locator('li').count()).toBeLessThanOrEqual(460);
  expect(Math.abs((await topOf(page, reference.text)) - reference.top)).toBeLessThanOrEqual(1);
  await pill(page).click();
  await expect(message(page, 'message number 660')).toBeInViewport();
});

test('what came while the reader was away too long is said, not skipped in silence', async ({ page, bot, wire }) => {
  test.slow();
  const ada = await bot('ada', 'general');
  await page.goto(`${wire.url}/r/general`);
  await expect(page.locator('html[data-ready]')).toHaveCount(1);
  await ada.say('the last one heard');
  await expect(message(page, 'the last one heard')).toBeVisible();
  wire.cut();
  await ada.sayAll(numbered(1_300));
  wire.mend();
  const gap = page.locator('.log li.gap');
  await expect(message(page, 'message number 1300')).toBeVisible({ timeout: 35_000 });
  await expect(gap).toBeVisible();
  await expect(notice(page)).toHaveText('');
  const shown = await texts(page);
  const after = shown.slice(shown.indexOf('the last one heard') + 1);
  expect(after).toEqual(numbered(after.length, 1_301 - after.length));
});

test('in a room that is little longer than the window, who scrolls back to the end sees what came meanwhile', async ({ page, bot }) => {
  const bo = await bot('bo', 'general');
  await bo.sayAll(numbered(35));
  await enter(page, 'general');
  await log(page).evaluate((log) => log.scrollTo(0, -150));
  await expect.poll(() => scrolledUp(page)).toBe(150);
  await bo.sayAll(numbered(3, 36));
  await expect(pill(page)).toHaveText('3 new messages');
  // What comes in below moves nothing that is being read, so its reader scrolls on.
  await expect.poll(async () => {
    await log(page).evaluate((log) => log.scrollTo(0, 0));
    return pill(page).count();
  }).toBe(0);
  expect(await isInView(message(page, 'message number 38'))).toBe(true);
});

test('in a room that is all in view, a message\'s own address shows what comes, too, and leaves the one who types alone', async ({ page, bot }) => {
  const bo = await bot('bo', 'general');
  await bo.sayAll(numbered(5));
  await join(page, 'ada', 'general');
  await page.goto('/r/general/m/2');
  await ready(page);
  await composer(page).focus();
  await composer(page).pressSequentially('hello');
  await bo.say('live');
  await expect(message(page, 'live')).toBeVisible();
  await expect(pill(page)).toHaveCount(0);
  await expect(composer(page)).toBeFocused();
  await expect(composer(page)).toHaveValue('hello');
});
