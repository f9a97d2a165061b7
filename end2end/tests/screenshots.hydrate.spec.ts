// The README's pictures: a lively room, wide and on a phone, light and dark. `cargo xtask screenshots` puts them
// into docs/screenshots.

import type { Page } from '@playwright/test';
import type { Bot } from '../support/bot';
import { expect, test } from '../support/fixtures';
import { composer, join, message, people } from '../support/room';

const FOLDER = 'test-results/screenshots';

const SIZES = {
  wide: { viewport: { width: 1280, height: 800 } },
  phone: { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true },
};

/** An evening in the taproom; `zoë` is the reader. In scripts that a plain system has letters for, without emoji. */
const CONVERSATION: [who: string, what: string][] = [
  ['mira', 'Evening all! The new kegs are in: an oat stout, and something the label only calls “Experiment 12”.'],
  ['jonas', 'Experiment 11 tasted of pine trees. I am in.'],
  ['zoë', 'Is the quiz still on for Thursday?'],
  ['mira', 'It is. Eight o’clock, teams of four.'],
  ['mira', 'Sign up here: https://example.org/quiz'],
  ['nadia', 'Нас трое. Кто четвёртый?'],
  ['zoë', 'Me! Welcome to “The Borrow Checkers”.'],
  ['jonas', '/me writes that on the blackboard before anybody can object'],
  ['samir', 'مساء الخير! حجزت الطاولة بجانب النافذة.'],
  ['samir', 'That is the table by the window, for six.'],
  ['nadia', 'I am bringing the tiny trophy back. It has been on my desk since March, and I was told that this is “a custody dispute”.'],
  ['jonas', 'The trophy remembers who polished it.'],
  ['mira', 'Who is doing the music round?\nLast time it was all sea shanties, and nobody minded as much as they said.'],
  ['zoë', 'Me. No shanties. Maybe one shanty.'],
  ['mira', 'One shanty is how it starts.'],
];

for (const [size, options] of Object.entries(SIZES)) {
  for (const colorScheme of ['light', 'dark'] as const) {
    test.describe(`${size}, ${colorScheme}`, () => {
      test.use({ ...options, colorScheme, timezoneId: 'UTC', locale: 'en-GB' });

      test('a picture', async ({ page, bot }) => {
        await converse(page, bot);
        await page.mouse.move(0, 0);
        await expect(message(page, 'One shanty is how it starts.')).toBeInViewport();
        await page.screenshot({ path: `${FOLDER}/${size}-${colorScheme}.png`, animations: 'disabled' });
      });
    });
  }
}

async function converse(page: Page, bot: (name: string, room?: string) => Promise<Bot>): Promise<void> {
  const bots = new Map<string, Bot>();
  for (const name of ['mira', 'jonas', 'nadia', 'samir']) bots.set(name, await bot(name, 'the-snug'));
  await join(page, 'zoë', 'general');
  for (const room of ['quiz-night', 'brewing', 'the-snug']) await send(page, `/join ${room}`);
  await expect(people(page)).toHaveText([/jonas/, /mira/, /nadia/, /samir/, /zoë/]);
  for (const [who, what] of CONVERSATION) {
    const speaker = bots.get(who);
    if (!speaker) await send(page, what);
    else if (what.startsWith('/me ')) await speaker.say(what.slice(4), { Kind: 'Action' });
    else await speaker.say(what);
  }
  await composer(page).fill('Then I had better');
}

/** On a phone Enter breaks the line, so this presses the button. */
async function send(page: Page, text: string): Promise<void> {
  await composer(page).fill(text);
  await page.getByRole('button', { name: 'Send' }).click();
  await expect(composer(page)).toHaveValue('');
}
