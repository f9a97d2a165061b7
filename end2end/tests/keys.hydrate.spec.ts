// The keys that work everywhere.

import type { Page } from '@playwright/test';
import { expect, test } from '../support/fixtures';
import { composer, join, log, message, messages, numbered, people, pill, scrolledUp, type } from '../support/room';

/** Every key of the list that Ctrl+/ shows, and a proof that it does what the list says. */
const PROOFS: Record<string, (page: Page) => Promise<void>> = {
  'Alt+↑': async (page) => {
    await page.keyboard.press('Alt+ArrowUp');
    await expect(page).toHaveURL(/\/r\/general$/);
  },
  'Alt+↓': async (page) => {
    await page.keyboard.press('Alt+ArrowDown');
    await expect(page).toHaveURL(/\/r\/lounge$/);
  },
  'Ctrl+F6': async (page) => {
    await page.keyboard.press('Control+F6');
    await expect(page.locator('aside.people')).toBeFocused();
    await page.keyboard.press('Control+F6');
    await expect(page.locator('nav.rooms a[aria-current=page]')).toBeFocused();
    await page.keyboard.press('Control+F6');
    await expect(log(page)).toBeFocused();
    await page.keyboard.press('Control+F6');
    await expect(composer(page)).toBeFocused();
  },
  'Ctrl+/': async (page) => {
    await page.keyboard.press('Control+/');
    await expect(page.locator('dialog#shortcuts')).toBeVisible();
    await page.keyboard.press('Escape');
    await expect(page.locator('dialog#shortcuts')).toBeHidden();
  },
  End: async (page) => {
    await log(page).hover();
    await page.mouse.wheel(0, -600);
    await expect.poll(() => scrolledUp(page)).toBeGreaterThan(500);
    await log(page).focus();
    await page.keyboard.press('End');
    await expect.poll(() => scrolledUp(page)).toBeLessThanOrEqual(1);
  },
  Esc: async (page) => {
    await log(page).focus();
    await page.keyboard.press('Escape');
    await expect(composer(page)).toBeFocused();
  },
};

test('every key in the list does what the list says', async ({ page, bot }) => {
  const bo = await bot('bo', 'lounge');
  await bo.sayAll(numbered(60));
  await join(page, 'ada', 'general');
  await type(page, '/join lounge');
  await expect(message(page, 'message number 60')).toBeInViewport();
  await page.keyboard.press('Control+/');
  const listed = await page.locator('dialog#shortcuts dt').allTextContents();
  await page.keyboard.press('Escape');
  expect(listed.toSorted()).toEqual(Object.keys(PROOFS).toSorted());
  for (const prove of Object.values(PROOFS)) await prove(page);
});

test('Escape leads from the composer to the newest message when there is news below', async ({ page, bot }) => {
  const bo = await bot('bo', 'general');
  await bo.sayAll(numbered(60));
  await join(page, 'ada', 'general');
  await log(page).hover();
  await page.mouse.wheel(0, -600);
  await expect.poll(() => scrolledUp(page)).toBeGreaterThan(500);
  await bo.say('news');
  await expect(pill(page)).toBeVisible();
  await composer(page).focus();
  await page.keyboard.press('Escape');
  await expect(message(page, 'news')).toBeInViewport();
});

test('the arrows walk over the messages, Escape leads back to the composer', async ({ page, bot }) => {
  const bo = await bot('bo', 'general');
  await bo.sayAll(['first', 'second', 'third']);
  await join(page, 'ada', 'general');
  await log(page).focus();
  await page.keyboard.press('ArrowUp');
  await expect(message(page, 'third')).toBeFocused();
  await page.keyboard.press('ArrowUp');
  await expect(message(page, 'second')).toBeFocused();
  await page.keyboard.press('ArrowDown');
  await expect(message(page, 'third')).toBeFocused();
  await page.keyboard.press('Escape');
  await expect(composer(page)).toBeFocused();
});

test('Enter on a message offers what can be done with it', async ({ page, context, bot }) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  const bo = await bot('bo', 'general');
  await bo.say('worth keeping');
  await join(page, 'ada', 'general');
  await log(page).focus();
  await page.keyboard.press('ArrowUp');
  await page.keyboard.press('Enter');
  const menu = page.locator('dialog#message-menu');
  await expect(menu).toBeVisible();
  await menu.getByRole('button', { name: 'Copy text' }).press('Enter');
  await expect.poll(() => page.evaluate(() => navigator.clipboard.readText())).toBe('worth keeping');
  await expect(menu).toBeHidden();
});

test('typing anywhere goes to the composer', async ({ page }) => {
  await join(page, 'ada', 'general');
  await composer(page).blur();
  await page.keyboard.type('wherever I am');
  await expect(composer(page)).toHaveValue('wherever I am');
  await page.keyboard.press('Enter');
  await expect(messages(page)).toHaveCount(1);
  await expect(people(page)).toHaveCount(1);
});
