// Several rooms in one page.

import { expect, test } from '../support/fixtures';
import { composer, enter, join, message, messages, people, say, texts, type } from '../support/room';

test('a room opens without a page load, and the back button leads back', async ({ page, bot }) => {
  const bo = await bot('bo', 'lounge');
  await bo.say('soft chairs here');
  await join(page, 'ada', 'general');
  await say(page, 'hello general');
  let loads = 0;
  page.on('request', (request) => (loads += request.isNavigationRequest() ? 1 : 0));
  await type(page, '/join lounge');
  await expect(message(page, 'soft chairs here')).toBeVisible();
  await expect(page).toHaveTitle('#lounge – Taproom');
  await expect(page.getByRole('heading', { level: 1 })).toHaveText(/#\s*lounge/);
  await expect(page.locator('nav.rooms [aria-current=page]')).toHaveAttribute('href', '/r/lounge');
  await expect(people(page).filter({ hasText: 'bo' })).toHaveCount(1);
  await say(page, 'hello lounge');
  expect(bo.heard).toEqual(['soft chairs here', 'hello lounge']);
  await page.goBack();
  await expect(page).toHaveURL(/\/r\/general$/);
  await expect(message(page, 'hello general')).toBeVisible();
  await expect(messages(page)).toHaveCount(1);
  await page.goForward();
  await expect(message(page, 'hello lounge')).toBeVisible();
  await page.locator('nav.rooms').getByRole('link', { name: /general/ }).click();
  await expect(message(page, 'hello general')).toBeVisible();
  expect(loads, 'requests for whole pages').toBe(0);
});

test('what is said in a room while another is shown is there afterwards, once and in order', async ({ page, bot }) => {
  const bo = await bot('bo', 'general');
  await join(page, 'ada', 'general');
  await bo.say('one');
  await expect(message(page, 'one')).toBeVisible();
  await type(page, '/join lounge');
  await expect(page).toHaveURL(/\/r\/lounge$/);
  await bo.sayAll(['two', 'three']);
  await page.goBack();
  await expect(message(page, 'three')).toBeVisible();
  await bo.say('four');
  await expect(message(page, 'four')).toBeVisible();
  expect(await texts(page)).toEqual(['one', 'two', 'three', 'four']);
});

test('recent rooms are remembered', async ({ page }) => {
  await join(page, 'ada', 'general');
  await type(page, '/join lounge');
  await expect(page).toHaveURL(/\/r\/lounge$/);
  await enter(page, 'kitchen');
  for (const room of ['general', 'lounge', 'kitchen']) {
    await expect(page.locator('nav.rooms').getByRole('link', { name: room })).toBeVisible();
  }
});

test('Alt and the arrows walk through the rooms', async ({ page }) => {
  await join(page, 'ada', 'general');
  await type(page, '/join lounge');
  await expect(page).toHaveURL(/\/r\/lounge$/);
  const rooms = await page.locator('nav.rooms a[href^="/r/"]').evaluateAll((links) => links.map((link) => link.getAttribute('href')));
  const here = rooms.indexOf('/r/lounge');
  await page.keyboard.press(here > 0 ? 'Alt+ArrowUp' : 'Alt+ArrowDown');
  await expect(page).not.toHaveURL(/\/r\/lounge$/);
  await page.keyboard.press(here > 0 ? 'Alt+ArrowDown' : 'Alt+ArrowUp');
  await expect(page).toHaveURL(/\/r\/lounge$/);
});

test('rooms are told apart by every letter, also in other scripts', async ({ page, bot }) => {
  for (const room of ['Größe', '房间', 'a b&c=d?', '100% #1']) {
    const bo = await bot(`bo in ${room}`, room);
    await bo.say(`this is ${room}`);
    await enter(page, room);
    await expect(message(page, `this is ${room}`)).toBeVisible();
    await expect(page).toHaveTitle(`#${room} – Taproom`);
    bo.leave();
  }
});

test.describe('on a phone', () => {
  test.use({ viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true });

  test('rooms and people are drawers', async ({ page, bot }) => {
    await bot('bo', 'general');
    await join(page, 'ada', 'general');
    const [rooms, everybody] = [page.locator('nav.rooms'), page.locator('aside.people')];
    await expect(rooms).toBeHidden();
    await expect(everybody).toBeHidden();
    await page.locator('button.open-people').tap();
    await expect(everybody).toBeInViewport({ ratio: 1 });
    await expect(page.locator('button.open-people')).toHaveAttribute('aria-expanded', 'true');
    await expect(everybody).toContainText('bo');
    await page.keyboard.press('Escape');
    await expect(everybody).toBeHidden();
    await expect(page.locator('button.open-people')).toBeFocused();
    await page.locator('button.open-rooms').tap();
    await expect(rooms).toBeInViewport({ ratio: 1 });
    await expect(rooms.getByRole('link', { name: /general/ })).toBeVisible();
    await page.keyboard.press('Escape');
    await expect(rooms).toBeHidden();
    await expect(composer(page)).toBeVisible();
  });
});
