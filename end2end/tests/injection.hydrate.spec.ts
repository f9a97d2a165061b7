// Hostile texts and names: they are shown, and do nothing.

import type { Page } from '@playwright/test';
import { expect, test } from '../support/fixtures';
import { address, composer, enter, join, log, message, messages, people, type } from '../support/room';

/** Each would set `window.pwned`, ask for something, or break out of where it stands. */
const SCRIPTS = [
  '<img src=x onerror=pwned=1>',
  '<script>pwned=1</script>',
  '</textarea><script>pwned=1</script>',
  '</title><script>pwned=1</script>',
  '</script><script>pwned=1</script>',
  '<svg onload=pwned=1>',
  '"><img src=x onerror=pwned=1>',
  "'-pwned=1-'",
  '<iframe srcdoc="<script>parent.pwned=1</script>">',
  '<details open ontoggle=pwned=1>',
  '<style>*{display:none}</style>',
  '<!-- --!><img src=x onerror=pwned=1>',
  ']]><img src=x onerror=pwned=1>',
  '{{constructor.constructor("pwned=1")()}}',
  '\u2028<img src=x onerror=pwned=1>',
  '&lt;img src=x onerror=pwned=1&gt;',
  '<a href="javascript:pwned=1">click</a>',
  'javascript:pwned=1',
  'JaVaScRiPt:pwned=1',
  'data:text/html,<script>opener.pwned=1</script>',
  'vbscript:pwned=1',
  'https://example.org/"onmouseover="pwned=1',
  'https://example.org/<img src=x onerror=pwned=1>',
  'http://javascript:pwned=1@example.org/',
];

/** Nothing ran, nothing foreign is in the document, nothing left its place. */
async function expectInert(page: Page): Promise<void> {
  const found = await page.evaluate(() => {
    const foreign = [...document.querySelectorAll('img, iframe, object, embed, body style, details, base')];
    const links = [...document.querySelectorAll<HTMLAnchorElement>('.log a')];
    const written = links.filter((link) => link.closest('.body') || link.origin !== location.origin);
    return {
      pwned: 'pwned' in window,
      foreign: foreign.map((element) => element.outerHTML),
      handlers: [...document.querySelectorAll('*')].flatMap((element) =>
        element.getAttributeNames().filter((name) => name.startsWith('on')),
      ),
      badLinks: links.filter((link) => !['http:', 'https:', 'mailto:'].includes(link.protocol)).map((link) => link.href),
      carelessLinks: written.filter((link) => !/noopener/.test(link.rel) || !/nofollow/.test(link.rel)).map((link) => link.href),
      overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth,
    };
  });
  expect(found).toEqual({ pwned: false, foreign: [], handlers: [], badLinks: [], carelessLinks: [], overflow: 0 });
}

test('scripts in messages are text, from the server\'s HTML and live alike (S1)', async ({ page, bot }) => {
  const bo = await bot('bo', 'general');
  await bo.sayAll(SCRIPTS);
  await enter(page, 'general');
  await expect(messages(page)).toHaveCount(SCRIPTS.length);
  await expectInert(page);
  await bo.sayAll(SCRIPTS);
  await expect(messages(page)).toHaveCount(2 * SCRIPTS.length);
  await expectInert(page);
  const shown = await page.locator('.log li.msg .body').allTextContents();
  const plain = (text: string) => text.trim().replace(/\u2028/g, '');
  expect(shown.map(plain)).toEqual([...SCRIPTS, ...SCRIPTS].map(plain));
  for (const link of await page.locator('.log .body a').all()) await expect(link).toHaveAttribute('target', '_blank');
});

test('a script typed by the reader is text, as a draft, as a message and after a reload (S1)', async ({ page }) => {
  await join(page, 'ada', 'general');
  for (const text of SCRIPTS.slice(0, 4)) {
    await composer(page).fill(text);
    await page.reload();
    await expect(page.locator('html[data-ready]')).toHaveCount(1);
    await expect(composer(page)).toHaveValue(text);
    await type(page, text);
    await expect(message(page, text)).toHaveAttribute('data-state', 'sent');
    await expectInert(page);
  }
});

test('scripts in names of people are text (S1)', async ({ page, bot }) => {
  const isName = (script: string) => script.length <= 32 && !script.includes('\u2028') && script !== 'JaVaScRiPt:pwned=1';
  for (const name of SCRIPTS.filter(isName)) {
    const somebody = await bot(name, 'general');
    await somebody.say(`I am ${name}`);
  }
  await enter(page, 'general');
  await expectInert(page);
  await expect(people(page).filter({ hasText: '<img src=x onerror=pwned=1>' }).first()).toBeVisible();
  await page.locator('#name-input').fill('<b onclick=pwned=1>x</b>');
  await page.locator('#name-input').press('Enter');
  await expect(people(page).filter({ hasText: '<b onclick=pwned=1>x</b>' })).toHaveCount(1);
  await type(page, '/who');
  await expect(log(page)).toContainText('<b onclick=pwned=1>x</b>');
  await expectInert(page);
});

test('scripts in names of rooms are text (S1)', async ({ page, bot }) => {
  for (const room of SCRIPTS.filter((script) => !script.includes('\u2028'))) {
    if (room.length > 64) continue;
    await bot(`bo${room.length}${SCRIPTS.indexOf(room)}`, room);
    await enter(page, room);
    await expect(page).toHaveTitle(`#${room} – Taproom`);
    await expect(page.getByRole('heading', { level: 1 })).toContainText(room);
    await expectInert(page);
  }
});

test('a script as ?room= is text too (S1)', async ({ page }) => {
  await page.goto('/?room=%3C/script%3E%3Cscript%3Epwned=1%3C/script%3E');
  await expect(page.locator('html[data-ready]')).toHaveCount(1);
  await expectInert(page);
});

test('right-to-left overrides and towers of accents stay in their message (S1)', async ({ page, bot }) => {
  const bo = await bot('bo', 'general');
  const tower = `tower ${'a' + '\u0301'.repeat(3_900)}`;
  const override = 'exe.\u202Egpj.\u2066txt\u202B';
  await bo.sayAll(['before', override, tower, '\u0301'.repeat(30) + 'x', 'W'.repeat(4_000), 'line\n'.repeat(500), 'مرحبا by the way', 'after']);
  await enter(page, 'general');
  await expect(message(page, 'after')).toBeVisible();
  await expectInert(page);
  const rows = await messages(page).evaluateAll((rows) =>
    rows.map((row) => {
      const body = row.querySelector('.body')!;
      // Each of these keeps ink inside its box.
      const clips = [row, body].some((box) => {
        const { overflowX, overflowY, contain, contentVisibility } = getComputedStyle(box);
        const hides = /clip|hidden/.test(overflowX) && /clip|hidden/.test(overflowY);
        return hides || /paint|content|strict/.test(contain) || contentVisibility === 'auto';
      });
      return {
        clips,
        isolates: /isolate|plaintext/.test(getComputedStyle(body).unicodeBidi),
        time: row.querySelector('time')!.textContent!,
        inside: row.scrollWidth <= row.clientWidth + 1,
      };
    }),
  );
  for (const row of rows) expect(row).toEqual({ clips: true, isolates: true, time: expect.stringMatching(/\d/), inside: true });
  // The tower is one line of text, and as high as one.
  const heights = await Promise.all([
    message(page, 'before').locator('.body').boundingBox(),
    messages(page).filter({ hasText: 'tower' }).locator('.body').boundingBox(),
  ]);
  expect(heights[1]!.height).toBeLessThan(heights[0]!.height * 2);
  await page.goto(address('general'));
  await expectInert(page);
});

test('text keeps its lines and spaces, and what HTML would change (S1)', async ({ page, bot }) => {
  const bo = await bot('bo', 'general');
  const odd = ['\nfirst line empty', 'two\r\nlines', 'many     spaces', 'tab\there', 'nul\u0000byte', '&amp; &#60; &nbsp;', '\uFEFFbom'];
  await bo.sayAll(odd);
  await enter(page, 'general');
  const fromServer = await page.locator('.log li.msg .body').allTextContents();
  await bo.sayAll(odd);
  await expect(messages(page)).toHaveCount(2 * odd.length);
  const all = await page.locator('.log li.msg .body').allTextContents();
  expect(all.slice(odd.length), 'live as from the server').toEqual(fromServer);
  expect(fromServer[1]).toContain('two\nlines');
  expect(fromServer[2]).toContain('many     spaces');
  expect(fromServer[5]).toContain('&amp; &#60; &nbsp;');
});
