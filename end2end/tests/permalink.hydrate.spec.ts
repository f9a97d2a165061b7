// A message's own address: opened, followed, copied, and what is not there.

import type { Page } from '@playwright/test';
import { expect, test } from '../support/fixtures';
import {
  address, enter, isInView, join, log, message, numbered, pill, ready, scrolledUp, texts, type,
} from '../support/room';

function permalink(room: string, seq: number | string): string {
  return `${address(room)}/m/${seq}`;
}

/** The one message that is marked. */
function marked(page: Page) {
  return page.locator('.log li.msg.marked[aria-current=true]');
}

async function topOf(page: Page, text: string): Promise<number> {
  return message(page, text).evaluate((row) => row.getBoundingClientRect().top);
}

test.describe('with WebAssembly blocked', () => {
  test.use({ expected: /Failed to fetch/ });

  test('a permalink shows its message, marked and in view', async ({ page, bot }) => {
    const ada = await bot('ada', 'general');
    await ada.sayAll(numbered(300));
    await page.route('**/*.wasm', (route) => route.abort());
    for (const seq of [1, 150, 300]) {
      await page.goto(permalink('general', seq));
      await expect(marked(page)).toHaveCount(1);
      await expect(marked(page).locator('.body')).toHaveText(`message number ${seq}`);
      await expect.poll(() => isInView(marked(page)), `message ${seq}`).toBe(true);
      const shown = await texts(page);
      expect(shown.length).toBeLessThanOrEqual(50);
      expect(shown).toEqual(numbered(shown.length, Number(shown[0]!.split(' ').at(-1))));
    }
  });
});

test('a permalink opens in context, and one reads on from there in both directions to the live end', async ({ page, bot }) => {
  test.slow();
  const ada = await bot('ada', 'general');
  await ada.sayAll(numbered(700));
  await page.goto(permalink('general', 300));
  await ready(page);
  await expect(marked(page).locator('.body')).toHaveText('message number 300');
  expect(await isInView(marked(page))).toBe(true);
  await expect(marked(page)).toBeFocused();
  await expect(page).toHaveTitle('#general – Taproom');
  await expect(pill(page)).toHaveText('Jump to newest');
  await expect(log(page)).toHaveAttribute('aria-busy', 'false');

  // What is said meanwhile is counted and moves nothing.
  const before = await topOf(page, 'message number 300');
  await ada.sayAll(numbered(2, 701));
  await expect(pill(page)).toHaveText('2 new messages');
  expect(Math.abs((await topOf(page, 'message number 300')) - before)).toBeLessThanOrEqual(1.5);

  // Down to the end, screen by screen: every message once, in order.
  const seen = new Set<string>();
  await log(page).hover();
  await expect(async () => {
    for (const text of await texts(page)) seen.add(text);
    await page.mouse.wheel(0, 500);
    await page.evaluate(() => new Promise(requestAnimationFrame));
    expect(await scrolledUp(page)).toBeLessThanOrEqual(1);
    await expect(message(page, 'message number 702')).toBeInViewport({ timeout: 100 });
  }).toPass({ timeout: 60_000, intervals: [30] });
  for (const text of await texts(page)) seen.add(text);
  expect(numbered(403, 300).filter((text) => !seen.has(text)), 'messages that were not met on the way').toEqual([]);
  await expect(page.locator('.log li.gap')).toHaveCount(0);
  const shown = await texts(page);
  expect(shown).toEqual(numbered(shown.length, 703 - shown.length));

  // The end is live again.
  await expect(pill(page)).toBeHidden();
  await ada.say('message number 703');
  await expect(message(page, 'message number 703')).toBeInViewport();
});

test('from a permalink one key leads to the newest message, and back leads to the permalink', async ({ page, bot }) => {
  const ada = await bot('ada', 'general');
  await ada.sayAll(numbered(900));
  await page.goto(permalink('general', 100));
  await ready(page);
  await expect(marked(page)).toBeFocused();
  await page.keyboard.press('End');
  await expect(message(page, 'message number 900')).toBeInViewport();
  await expect(page).toHaveURL(/\/r\/general$/);
  await expect(marked(page)).toHaveCount(0);
  await expect(pill(page)).toBeHidden();
  await ada.say('message number 901');
  await expect(message(page, 'message number 901')).toBeInViewport();
  await page.goBack();
  await expect(page).toHaveURL(/\/r\/general\/m\/100$/);
  await expect(message(page, 'message number 100')).toBeInViewport();
  await expect(marked(page).locator('.body')).toHaveText('message number 100');
});

test('a message\'s time leads to it without a page load, and moves nothing that is in view', async ({ page, bot }) => {
  const ada = await bot('ada', 'general');
  await ada.sayAll(numbered(60));
  await join(page, 'bo', 'general');
  let loads = 0;
  page.on('request', (request) => (loads += request.isNavigationRequest() ? 1 : 0));
  const row = message(page, 'message number 55');
  await expect(row.locator('a.at')).toHaveAttribute('href', '/r/general/m/55');
  await row.hover();
  const before = await topOf(page, 'message number 55');
  await row.locator('a.at').click();
  await expect(page).toHaveURL(/\/r\/general\/m\/55$/);
  await expect(marked(page).locator('.body')).toHaveText('message number 55');
  expect(Math.abs((await topOf(page, 'message number 55')) - before)).toBeLessThanOrEqual(1);
  await page.goBack();
  await expect(page).toHaveURL(/\/r\/general$/);
  await expect(marked(page)).toHaveCount(0);
  expect(loads, 'requests for whole pages').toBe(0);
});

test('a link that somebody wrote leads to its message in the same page, in this room and in another', async ({ page, bot, baseURL }) => {
  const ada = await bot('ada', 'general');
  const bo = await bot('bo', 'a b&c');
  await bo.sayAll(numbered(400, 1_001));
  await ada.sayAll(numbered(300));
  await ada.say(`here: ${baseURL}/r/general/m/20`);
  await ada.say(`there: ${baseURL}${permalink('a b&c', 50)}`);
  await ada.say(`nowhere: ${baseURL}/r/general/m/9999`);
  await join(page, 'zoë', 'general');
  let loads = 0;
  page.on('request', (request) => (loads += request.isNavigationRequest() ? 1 : 0));
  await page.getByRole('link', { name: /general\/m\/20$/ }).click();
  await expect(marked(page).locator('.body')).toHaveText('message number 20');
  await expect(marked(page)).toBeInViewport();
  await expect(marked(page)).toBeFocused();
  await expect(page).toHaveURL(/\/r\/general\/m\/20$/);
  await page.keyboard.press('End');
  await page.getByRole('link', { name: /m\/50$/ }).click();
  await expect(page).toHaveTitle('#a b&c – Taproom');
  await expect(marked(page).locator('.body')).toHaveText('message number 1050');
  await expect(marked(page)).toBeInViewport();
  await page.goBack();
  await expect(page).toHaveTitle('#general – Taproom');
  await page.getByRole('link', { name: /m\/9999$/ }).click();
  await expect(page.locator('#alerts')).toHaveText('This message is not here (yet).');
  await expect(marked(page)).toHaveCount(0);
  await type(page, 'still here');
  await expect(message(page, 'still here')).toHaveAttribute('data-state', 'sent');
  expect(loads, 'requests for whole pages').toBe(0);
});

test('the keyboard copies a message\'s link and follows it', async ({ page, context, bot, baseURL }) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  const ada = await bot('ada', 'general');
  await ada.sayAll(numbered(5));
  await join(page, 'bo', 'general');
  await log(page).focus();
  await page.keyboard.press('ArrowUp');
  await page.keyboard.press('ArrowUp');
  await page.keyboard.press('Enter');
  await page.getByRole('button', { name: 'Copy link' }).click();
  await expect(page.locator('#toasts')).toHaveText('Link copied.');
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(`${baseURL}/r/general/m/4`);
  await page.keyboard.press('Enter');
  await expect(page.locator('dialog#message-menu')).toBeVisible();
  await page.keyboard.press('Tab');
  await page.keyboard.press('Tab');
  await expect(page.getByRole('button', { name: 'Open link' })).toBeFocused();
  await page.keyboard.press('Enter');
  await expect(page).toHaveURL(/\/r\/general\/m\/4$/);
  await expect(marked(page).locator('.body')).toHaveText('message number 4');
  await expect(marked(page)).toBeFocused();
});

test('what is no message is said so, with a way to the room', async ({ page, request, bot }) => {
  const ada = await bot('ada', 'general');
  await ada.sayAll(numbered(3));
  for (const seq of ['0', '4', 'one', '-1', '18446744073709551616']) {
    const answer = await page.goto(permalink('general', seq));
    expect(answer?.status(), seq).toBe(404);
    await expect(page.getByRole('main')).toContainText('This message is not here (yet).');
  }
  await page.getByRole('link', { name: 'Go to #general' }).click();
  await expect(page).toHaveTitle('#general – Taproom');
  await expect(message(page, 'message number 3')).toBeInViewport();
  expect((await request.get(`/r/${'x'.repeat(65)}/m/1`)).status()).toBe(404);
  expect((await request.get('/r/nobody-was-here/m/1')).status()).toBe(404);
  const slash = await request.get('/r/general/m/2/');
  expect(slash.url()).toMatch(/\/r\/general\/m\/2$/);
});

test('messages of rooms that no path can name have an address too', async ({ page, bot }) => {
  const ada = await bot('ada', '..');
  await ada.sayAll(numbered(200));
  await page.goto('/?room=..&m=20');
  await ready(page);
  await expect(marked(page).locator('.body')).toHaveText('message number 20');
  await expect(marked(page)).toBeInViewport();
  await expect(marked(page).locator('a.at')).toHaveAttribute('href', '/?room=..&m=20');
  await page.keyboard.press('End');
  await expect(page).toHaveURL(/\/\?room=\.\.$/);
  await expect(message(page, 'message number 200')).toBeInViewport();
  await page.goBack();
  await expect(page).toHaveURL(/\/\?room=\.\.&m=20$/);
  await expect(marked(page).locator('.body')).toHaveText('message number 20');
});

test('a permalink to the newest message stays where it is while more is said', async ({ page, bot }) => {
  const ada = await bot('ada', 'general');
  await ada.sayAll(numbered(60));
  await page.goto(permalink('general', 60));
  await ready(page);
  await expect(marked(page)).toBeFocused();
  const before = await topOf(page, 'message number 60');
  await ada.sayAll(numbered(5, 61));
  await expect(pill(page)).toHaveText('5 new messages');
  expect(Math.abs((await topOf(page, 'message number 60')) - before)).toBeLessThanOrEqual(1.5);
  await pill(page).click();
  await expect(message(page, 'message number 65')).toBeInViewport();
  await enter(page, 'general');
  await expect(marked(page)).toHaveCount(0);
});

for (const forcedColors of ['none', 'active'] as const) {
  test(`the marked message differs from its neighbours, forced colours ${forcedColors}`, async ({ page, bot }) => {
    const ada = await bot('ada', 'general');
    await ada.sayAll(numbered(10));
    await page.emulateMedia({ forcedColors });
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ forcedColors, colorScheme });
      await page.goto(permalink('general', 5));
      await ready(page);
      await page.locator('#name-input').focus();
      const look = (text: string) =>
        message(page, text).evaluate((row) => {
          const { backgroundColor, outlineStyle, outlineWidth } = getComputedStyle(row);
          return { backgroundColor, outlineStyle, outlineWidth };
        });
      const [mark, plain] = [await look('message number 5'), await look('message number 7')];
      if (forcedColors === 'active') expect(mark.outlineStyle).not.toBe(plain.outlineStyle);
      else expect(mark.backgroundColor).not.toBe(plain.backgroundColor);
    }
  });
}
