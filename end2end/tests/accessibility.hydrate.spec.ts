// For every eye, hand and ear.

import AxeBuilder from '@axe-core/playwright';
import type { Page } from '@playwright/test';
import { expect, test } from '../support/fixtures';
import { composer, enter, headline, join, message, notice, pill, ready, say, type } from '../support/room';

const RULES = ['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa', 'best-practice'];

/** Nothing for axe to object to, state by state: `where` says which. */
async function expectAccessible(page: Page, where: string): Promise<void> {
  const { violations } = await new AxeBuilder({ page }).withTags(RULES).analyze();
  const told = violations.map(({ id, help, nodes }) => ({ id, help, at: nodes.map((node) => node.html.slice(0, 160)) }));
  expect(told, where).toEqual([]);
}

for (const colorScheme of ['light', 'dark'] as const) {
  test.describe(`axe finds nothing, ${colorScheme}`, () => {
    test.use({ colorScheme });

    test('before and after joining (A1)', async ({ page, bot }) => {
      await enter(page, 'empty');
      await expectAccessible(page, 'an empty room, nobody known');
      await bot('ada', 'general');
      await enter(page, 'general');
      await page.locator('#name-input').fill('ada');
      await page.locator('#name-input').press('Enter');
      await expect(page.locator('#name-error')).toContainText('ada');
      await expectAccessible(page, 'a refused name');
      await page.locator('#name-input').fill('bo');
      await page.locator('#name-input').press('Enter');
      await expect(composer(page)).toBeFocused();
      await expectAccessible(page, 'an empty room, with a name');
    });

    test('with all kinds of rows (A1)', async ({ page, bot }) => {
      const bo = await bot('bo', 'general');
      await bo.sayAll(['hello', 'a second one, https://example.org/a?b=c and on', 'two\nlines']);
      await bo.say('waves', { Kind: 'Action' });
      await join(page, 'ada', 'general');
      await say(page, 'mine');
      await type(page, '/help');
      await type(page, '/who');
      await type(page, '/teleport');
      await expect(page.locator('#composer-error')).toContainText('Unknown command');
      await expectAccessible(page, 'messages, help, an unknown command');
      await composer(page).fill('x'.repeat(9_000));
      await expect(page.locator('.counter')).toContainText(/too long/i);
      await expectAccessible(page, 'a text that is too long');
      await composer(page).fill('');
      await headline(page).click();
      await expect(page.locator('dialog#connection-report')).toBeVisible();
      await expectAccessible(page, 'the connection report');
      await page.keyboard.press('Escape');
      await page.keyboard.press('ControlOrMeta+/');
      await expect(page.locator('dialog[open]')).toBeVisible();
      await expectAccessible(page, 'the list of keys');
    });

    test('without a connection, and reading above (A1)', async ({ page, bot, wire }) => {
      const bo = await bot('bo', 'general');
      await bo.sayAll(Array.from({ length: 60 }, (_, index) => `number ${index}`));
      await page.goto(`${wire.url}/r/general`);
      await ready(page);
      await page.locator('#name-input').fill('ada');
      await page.locator('#name-input').press('Enter');
      await expect(composer(page)).toBeFocused();
      await page.locator('.log').hover();
      await page.mouse.wheel(0, -600);
      await expect.poll(() => page.locator('.log').evaluate((log) => log.scrollTop)).toBeLessThan(-500);
      await bo.say('news');
      await expect(pill(page)).toBeVisible();
      await expectAccessible(page, 'news below');
      wire.cut();
      await type(page, 'into the dark');
      await expect(notice(page)).toContainText('Reconnecting');
      await expectAccessible(page, 'no connection');
    });

    test('pages that are not there (A1)', async ({ page }) => {
      await page.goto('/nowhere');
      await expectAccessible(page, 'not found');
      await page.goto(`/r/${'x'.repeat(65)}`);
      await expectAccessible(page, 'no such name for a room');
      await page.goto('/r/general/m/1');
      await expectAccessible(page, 'no such message');
    });

    test('at a message, and over a gap (A1)', async ({ page, bot, wire }) => {
      test.slow();
      const bo = await bot('bo', 'general');
      await bo.sayAll(Array.from({ length: 120 }, (_, index) => `number ${index}`));
      await page.goto(`${wire.url}/r/general/m/30`);
      await ready(page);
      await expect(page.locator('.log li.marked')).toBeFocused();
      await expectAccessible(page, 'a marked message');
      wire.cut();
      await bo.sayAll(Array.from({ length: 1_100 }, (_, index) => `missed ${index}`));
      wire.mend();
      await page.evaluate(() => dispatchEvent(new Event('online')));
      await expect(headline(page)).toHaveText(/^connected/);
      await page.keyboard.press('End');
      await expect(message(page, 'missed 1099')).toBeInViewport();
      const gap = page.locator('.log li.gap').last();
      await gap.scrollIntoViewIfNeeded();
      await expectAccessible(page, 'a gap');
    });

    test.describe('on a phone', () => {
      test.use({ viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true });

      test('with drawers closed and open (A1)', async ({ page, bot }) => {
        const bo = await bot('bo', 'general');
        await bo.say('hello');
        await join(page, 'ada', 'general');
        await expectAccessible(page, 'a phone');
        await page.locator('button.open-people').tap();
        await expect(page.locator('aside.people')).toBeVisible();
        await expectAccessible(page, 'people open');
        await page.keyboard.press('Escape');
        await expect(page.locator('aside.people')).toBeHidden();
        await page.locator('button.open-rooms').tap();
        await expect(page.locator('nav.rooms')).toBeVisible();
        await expectAccessible(page, 'rooms open');
      });

      test('targets are big enough for a thumb', async ({ page, bot }) => {
        const bo = await bot('bo', 'general');
        await bo.say('hello');
        await join(page, 'ada', 'general');
        const small = await page.locator('button:visible, nav.rooms a:visible, textarea:visible').evaluateAll((targets) =>
          targets
            .map((target) => ({ what: target.outerHTML.slice(0, 80), ...target.getBoundingClientRect().toJSON() }))
            .filter(({ width, height }) => width < 44 || height < 44),
        );
        expect(small).toEqual([]);
      });
    });
  });
}

for (const [what, options] of [
  ['320 × 600', { viewport: { width: 320, height: 600 } }],
  ['400 % zoom', { viewport: { width: 320, height: 256 }, deviceScaleFactor: 4 }],
] as const) {
  test.describe(`at ${what}`, () => {
    test.use(options);

    test('nothing has to be scrolled sideways (A2)', async ({ page, bot }) => {
      const bo = await bot('W'.repeat(32), 'R'.repeat(64));
      await bo.sayAll(['hello', 'x'.repeat(600), `https://example.org/${'path/'.repeat(60)}`, '漢'.repeat(300)]);
      await enter(page, 'R'.repeat(64));
      const sideways = () =>
        page.evaluate(() =>
          [document.documentElement, document.body, ...document.querySelectorAll('main, .log, header.head, form')]
            .filter((element) => element.scrollWidth > element.clientWidth + 1 && element.clientWidth > 0)
            .map((element) => `${element.tagName} ${element.className} ${element.scrollWidth} > ${element.clientWidth}`),
        );
      expect(await sideways(), 'asked for a name').toEqual([]);
      await page.locator('#name-input').fill('M'.repeat(32));
      await page.locator('#name-input').press('Enter');
      await expect(composer(page)).toBeFocused();
      await say(page, 'here I am');
      expect(await sideways(), 'in the room').toEqual([]);
      // What matters can be reached at this size: the composer is on the screen and the newest message readable.
      await expect(composer(page)).toBeInViewport({ ratio: 1 });
      await expect(message(page, 'here I am')).toBeInViewport();
      await page.goto('/nowhere');
      expect(await sideways(), 'not found').toEqual([]);
    });
  });
}

test('in forced colours what is different looks different (A5)', async ({ page, bot }) => {
  await page.emulateMedia({ forcedColors: 'active' });
  const bo = await bot('bo', 'general');
  await bo.say('from bo');
  await enter(page, 'lounge');
  await join(page, 'ada', 'general');
  await say(page, 'from ada');
  // What forced colours leave of an element's look, and of the marks that its style puts beside it.
  const look = (selector: string) =>
    page.locator(selector).first().evaluate((element) =>
      [null, '::before', '::after'].map((part) => {
        const { content, color, backgroundColor, borderInlineStart, outline, fontWeight } = getComputedStyle(element, part);
        return { content, color, backgroundColor, borderInlineStart, outline, fontWeight };
      }),
    );
  expect(await look('.log li.msg.own'), 'own and other messages').not.toEqual(await look('.log li.msg:not(.own)'));
  const rooms = 'nav.rooms a[href^="/r/"]';
  expect(await look(`${rooms}[aria-current=page]`), 'this room and others').not.toEqual(await look(`${rooms}:not([aria-current])`));
  // Buttons have an edge, as there are no backgrounds to tell them by.
  const send = await page.getByRole('button', { name: 'Send' }).evaluate((button) => getComputedStyle(button).borderTopStyle);
  expect(send).not.toBe('none');
});

test('where motion is not wanted nothing moves by itself (A5)', async ({ page, bot, wire }) => {
  await page.emulateMedia({ reducedMotion: 'reduce' });
  const bo = await bot('bo', 'general');
  await page.goto(`${wire.url}/r/general`);
  await ready(page);
  await bo.say('hello');
  await expect(message(page, 'hello')).toBeVisible();
  wire.cut();
  await expect(notice(page)).toContainText('Reconnecting');
  const moving = await page.evaluate(() => ({
    animations: document.getAnimations().length,
    transitions: [...document.querySelectorAll('*')].filter((element) => {
      const { animationName, transitionDuration, scrollBehavior } = getComputedStyle(element);
      const takesTime = transitionDuration.split(', ').some((duration) => parseFloat(duration) > 0);
      return animationName !== 'none' || takesTime || scrollBehavior === 'smooth';
    }).length,
  }));
  expect(moving).toEqual({ animations: 0, transitions: 0 });
});

test('the reader\'s choice of colours outlives the system\'s, and a reload', async ({ page }) => {
  await page.emulateMedia({ colorScheme: 'dark' });
  await join(page, 'ada', 'general');
  const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const dark = await background();
  const choose = (theme: string) => page.getByRole('group', { name: 'Colours' }).getByRole('button', { name: theme }).click();
  await choose('Light');
  await expect(page.locator('html')).toHaveAttribute('data-theme', 'light');
  expect(await background()).not.toBe(dark);
  await page.reload();
  await expect(page.locator('html')).toHaveAttribute('data-theme', 'light');
  await ready(page);
  await choose('Dark');
  expect(await background()).toBe(dark);
});

test('screen readers are told of the connection and of refusals in regions that were there from the start', async ({ page, wire }) => {
  await page.goto(`${wire.url}/r/general`);
  await ready(page);
  await notice(page).evaluate((element) => element.setAttribute('data-was-there', ''));
  await page.locator('#alerts').evaluate((element) => element.setAttribute('data-was-there', ''));
  wire.cut();
  await expect(page.locator('.notice[data-was-there]')).toContainText('Reconnecting');
  await expect(page.locator('#alerts[data-was-there]')).toHaveCount(1);
});
