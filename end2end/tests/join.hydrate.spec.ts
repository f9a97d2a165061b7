// From a link to a conversation.

import { expect, test } from '../support/fixtures';
import { address, composer, enter, join, message, people, ready, say, takeName } from '../support/room';

test('a link, a name, Enter, a message, Enter; a second browser sees it (J1)', async ({ page, newcomer }) => {
  const other = await newcomer();
  await join(other, 'bo', 'general');
  await page.goto(address('general'));
  await ready(page);
  // No click: the field for the name has the focus, or gets it with the first letter.
  await page.keyboard.type('ada');
  await page.keyboard.press('Enter');
  await expect(composer(page)).toBeFocused();
  await page.keyboard.type('hello everybody');
  await page.keyboard.press('Enter');
  await expect(message(page, 'hello everybody')).toHaveAttribute('data-state', 'sent');
  await expect(message(page, 'hello everybody')).toHaveClass(/\bown\b/);
  const heard = message(other, 'hello everybody');
  await expect(heard.locator('.nick')).toHaveText('ada');
  await expect(heard).not.toHaveClass(/\bown\b/);
  await expect(people(other).filter({ hasText: 'ada' })).toHaveCount(1);
});

test('a taken name is refused with another one to take, and the focus stays (J4)', async ({ page, bot }) => {
  await bot('anna', 'general');
  await enter(page, 'general');
  const field = page.locator('#name-input');
  await field.fill('anna');
  await field.press('Enter');
  await expect(page.locator('#name-error')).toContainText('anna');
  await expect(field).toHaveAttribute('aria-describedby', /\bname-error\b/);
  await expect(field).toHaveAttribute('aria-invalid', 'true');
  await expect(field).toBeFocused();
  const suggestion = page.locator('form#composer').getByRole('button', { name: 'anna2' });
  await suggestion.click();
  await expect(composer(page)).toBeFocused();
  await expect(people(page).filter({ hasText: 'anna2' })).toHaveCount(1);
});

test('a name that cannot be is refused with the reason', async ({ page }) => {
  await enter(page);
  const field = page.locator('#name-input');
  for (const [name, reason] of [['/nick', /begin with \//], ['x'.repeat(33), /at most 32/], ['   ', /visible/]] as const) {
    await field.fill(name);
    await field.press('Enter');
    await expect(page.locator('#name-error')).toHaveText(reason);
    await expect(field).toBeFocused();
  }
  await takeName(page, 'ada');
});

test('the name is remembered, and is right in the first HTML', async ({ page }) => {
  await join(page, 'Zoë', 'general');
  await page.reload();
  await ready(page);
  await expect(composer(page)).toBeVisible();
  await expect(page.locator('#name-input')).toHaveCount(0);
  await say(page, 'back again');
  await expect(message(page, 'back again').locator('.nick')).toHaveText('Zoë');
});

test('a remembered name that somebody has by now: the form comes back, and what was written waits', async ({ page, bot, context, baseURL }) => {
  await bot('ada', 'general');
  await context.addCookies([{ name: 'taproom_name', value: 'ada', url: baseURL! }]);
  await enter(page, 'general');
  await expect(page.locator('#name-error')).toContainText('ada');
  await takeName(page, 'ada3');
  await say(page, 'here after all');
  await expect(message(page, 'here after all').locator('.nick')).toHaveText('ada3');
});

test('two tabs of one browser are one person', async ({ page, context, bot }) => {
  const watcher = await bot('watcher', 'general');
  await join(page, 'ada', 'general');
  const second = await context.newPage();
  await enter(second, 'general');
  await expect(composer(second)).toBeVisible();
  await say(second, 'from the second tab');
  await expect(message(page, 'from the second tab')).toHaveClass(/\bown\b/);
  for (const tab of [page, second]) {
    await expect(tab.locator('aside.people h2')).toHaveText(/Online: 2/);
    await expect(people(tab)).toHaveCount(2);
  }
  await page.close();
  // The person is still here; one more arrival makes the list be sent again.
  await bot('cleo', 'general');
  expect(await watcher.people((names) => names.includes('cleo'))).toEqual(['ada', 'cleo', 'watcher']);
});

test('somebody who leaves is gone from the list', async ({ page, bot }) => {
  const bo = await bot('bo', 'general');
  await join(page, 'ada', 'general');
  await expect(people(page).filter({ hasText: 'bo' })).toHaveCount(1);
  bo.leave();
  await expect(people(page).filter({ hasText: 'bo' })).toHaveCount(0);
  await expect(page.locator('aside.people h2')).toHaveText(/Online: 1/);
});

test('everything works without a mouse', async ({ page, bot }) => {
  const bo = await bot('bo', 'general');
  await bo.say('welcome');
  await enter(page, 'general');
  await page.evaluate(() => (document.activeElement as HTMLElement | null)?.blur());
  // The skip link comes first and leads to the composer.
  await page.keyboard.press('Tab');
  await expect(page.locator('a.skip')).toBeFocused();
  await page.keyboard.press('Enter');
  await page.keyboard.type('ada');
  await page.keyboard.press('Enter');
  await expect(composer(page)).toBeFocused();
  await page.keyboard.type('no mouse at all');
  await page.keyboard.press('Enter');
  await expect(message(page, 'no mouse at all')).toHaveAttribute('data-state', 'sent');
  // Backwards from the composer: everything with a role is reached, and what has the focus shows it.
  const seen = new Set<string>();
  for (let presses = 0; presses < 40; presses += 1) {
    await page.keyboard.press('Shift+Tab');
    const stop = await page.evaluate(() => {
      const { activeElement: here } = document;
      if (!here || here === document.body) return 'body';
      const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(here);
      const isMarked = (outlineStyle !== 'none' && outlineWidth !== '0px') || boxShadow !== 'none';
      return isMarked ? here.className || here.tagName : `unmarked ${here.outerHTML.slice(0, 80)}`;
    });
    if (stop === 'body') break;
    seen.add(stop);
  }
  const stops = [...seen].join(' | ');
  expect(stops).toContain('log');
  expect(stops).toContain('headline');
  expect(stops).not.toContain('unmarked');
});
