// Far back in a room, and over what is missing in between.

import type { Page } from '@playwright/test';
import type { Bot } from '../support/bot';
import { expect, test } from '../support/fixtures';
import { enter, log, message, numbered, pill, ready, scrolledUp, texts } from '../support/room';

test.use({ settings: { MESSAGES_PER_SECOND: '100000', MESSAGE_BURST: '100000' } });

function gap(page: Page) {
  return page.locator('.log li.gap');
}

/** Every message that is shown follows the one before it. */
function expectDense(shown: string[]): void {
  expect(shown).toEqual(numbered(shown.length, Number(shown[0]!.split(' ').at(-1))));
}

/** Loses the connection for so long that more is said than is replayed. */
async function missALot(page: Page, ada: Bot, wire: { url: string; cut(): void; mend(): void }, count: number): Promise<void> {
  await page.goto(`${wire.url}/r/general`);
  await ready(page);
  await ada.sayAll(numbered(60));
  await expect(message(page, 'message number 60')).toBeVisible();
  wire.cut();
  await ada.sayAll(numbered(count, 61));
  wire.mend();
  await page.evaluate(() => dispatchEvent(new Event('online')));
  await expect(message(page, `message number ${60 + count}`)).toBeInViewport({ timeout: 35_000 });
}

test('a gap says how much is missing, and is loaded page by page', async ({ page, bot, wire }) => {
  test.slow();
  const ada = await bot('ada', 'general');
  await missALot(page, ada, wire, 1_300);
  await expect(gap(page)).toContainText('1,250 messages are not shown.');
  const load = gap(page).getByRole('button', { name: 'Load messages' });
  await load.focus();
  await page.keyboard.press('Enter');
  await expect(gap(page)).toContainText('1,200 messages are not shown.');
  await expect(load, 'it may be pressed again').toBeFocused();
  // One press loads one page: nothing goes on by itself while nobody scrolls near.
  await page.keyboard.press('Enter');
  await expect(gap(page)).toContainText(/1,1\d\d messages are not shown\.$|1,1\d\d messages are not shown\.Load/);
  const shown = await texts(page);
  expect(new Set(shown).size).toBe(shown.length);
  const numbers = shown.map((text) => Number(text.split(' ').at(-1)));
  expect(numbers).toEqual([...numbers].sort((one, other) => one - other));
});

test('a gap that is not asked for is left alone, and one jumps over it', async ({ page, bot, wire }) => {
  test.slow();
  const ada = await bot('ada', 'general');
  await missALot(page, ada, wire, 1_300);
  await log(page).hover();
  await expect(async () => {
    await page.mouse.wheel(0, -400);
    await expect(gap(page)).toBeInViewport({ timeout: 100 });
  }).toPass();
  await page.evaluate(async () => {
    for (let frames = 0; frames < 30; frames += 1) await new Promise(requestAnimationFrame);
  });
  await expect(gap(page)).toContainText('1,250 messages are not shown.');
  await gap(page).getByRole('button', { name: 'Jump to newest' }).click();
  await expect(message(page, 'message number 1360')).toBeInViewport();
  await expect.poll(() => scrolledUp(page)).toBeLessThanOrEqual(1);
});

test('whoever began to load a gap goes on by scrolling, until nothing is missing', async ({ page, bot, wire }) => {
  test.slow();
  const ada = await bot('ada', 'general');
  await missALot(page, ada, wire, 1_100);
  await gap(page).getByRole('button', { name: 'Load messages' }).click();
  await expect(gap(page)).toContainText('1,000 messages are not shown.');
  await page.keyboard.press('End');
  await expect(async () => {
    await log(page).evaluate(async (log) => {
      log.scrollBy(0, -400);
      for (let frames = 0; frames < 2; frames += 1) await new Promise(requestAnimationFrame);
    });
    await expect(log(page)).toHaveAttribute('aria-busy', 'false');
    await expect(message(page, 'message number 1')).toBeInViewport({ timeout: 50 });
  }).toPass({ timeout: 90_000, intervals: [10] });
  await expect(gap(page)).toHaveCount(0);
  expectDense(await texts(page));
  await page.keyboard.press('End');
  await expect(message(page, 'message number 1160')).toBeInViewport();
});

test('scrolling back through 5,000 messages and forth again keeps the reader\'s place', async ({ page, bot }) => {
  test.setTimeout(360_000);
  const ada = await bot('ada', 'general');
  await ada.sayAll(numbered(5_600));
  await enter(page, 'general');
  const walk = async (direction: -1 | 1, until: string) =>
    log(page).evaluate(
      async (log, { direction, until }) => {
        const frame = () => new Promise((next) => requestAnimationFrame(next));
        const textOf = (row: Element) => row.querySelector('.body')!.textContent!.trim();
        const box = log.getBoundingClientRect();
        const inView = () =>
          [...log.querySelectorAll('li.msg')].filter((row) => {
            const { top, bottom } = row.getBoundingClientRect();
            return top >= box.top && bottom <= box.bottom;
          });
        const seen: string[] = [];
        let worst = 0;
        const deadline = performance.now() + 150_000;
        while (performance.now() < deadline) {
          const rows = inView();
          seen.push(...rows.map(textOf));
          if (rows.some((row) => textOf(row) === until)) break;
          log.scrollBy(0, direction * 500);
          await frame();
          // From here on nobody scrolls: what is in the middle stays where it is, whatever is loaded.
          const middle = inView()[Math.floor(inView().length / 2)];
          if (!middle) continue;
          const start = middle.getBoundingClientRect().top;
          for (let frames = 0; frames < 3; frames += 1) {
            await frame();
            if (middle.isConnected) worst = Math.max(worst, Math.abs(middle.getBoundingClientRect().top - start));
            else worst = Infinity;
          }
        }
        return { worst, seen: [...new Set(seen)], rows: log.querySelectorAll('li').length };
      },
      { direction, until },
    );
  const up = await walk(-1, 'message number 1');
  expect(up.seen).toContain('message number 1');
  expect(up.worst, 'pixels that a row moved by itself').toBeLessThanOrEqual(1.5);
  expect(up.rows).toBeLessThanOrEqual(460);
  expectDense(await texts(page));
  expect(numbered(5_600).filter((text) => !up.seen.includes(text)), 'messages that were not met on the way up').toEqual([]);

  const down = await walk(1, 'message number 5600');
  expect(down.worst, 'pixels that a row moved by itself').toBeLessThanOrEqual(1.5);
  expect(numbered(5_600).filter((text) => !down.seen.includes(text)), 'messages that were not met on the way down').toEqual([]);
  await expect(pill(page)).toBeHidden();
  await ada.say('message number 5601');
  await expect(message(page, 'message number 5601')).toBeVisible();
});
