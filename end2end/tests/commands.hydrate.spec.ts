// The slash commands.

import { expect, test } from '../support/fixtures';
import { composer, join, log, message, messages, people, type } from '../support/room';

test('/nick takes another name', async ({ page, bot }) => {
  const bo = await bot('bo', 'general');
  await join(page, 'ada', 'general');
  await type(page, '/nick countess');
  await expect(people(page).filter({ hasText: 'countess' })).toHaveCount(1);
  expect(await bo.people((names) => names.includes('countess'))).toEqual(['bo', 'countess']);
  await expect(composer(page)).toHaveValue('');
  await type(page, 'still me');
  await expect(message(page, 'still me').locator('.nick')).toHaveText('countess');
});

test('/nick with a taken name says so, and the old name stays', async ({ page, bot }) => {
  await bot('bo', 'general');
  await join(page, 'ada', 'general');
  await type(page, '/nick bo');
  await expect(page.locator('#alerts')).toContainText(/called bo\b.*\/nick bo2/);
  await expect(people(page).filter({ hasText: 'ada' })).toHaveCount(1);
});

test('/me tells what one does', async ({ page, bot }) => {
  const bo = await bot('bo', 'general');
  await join(page, 'ada', 'general');
  await type(page, '/me waves');
  const chat = await bo.frame((frame) => frame.Type === 'Chat');
  expect(chat['Kind']).toBe('Action');
  expect(bo.heard).toEqual(['waves']);
  await expect(messages(page)).toHaveClass(/\baction\b/);
  await expect(messages(page).locator('.nick')).toHaveText('ada');
  await expect(messages(page).locator('.body')).toHaveText('waves');
});

test('/join opens a room without loading a page, /part leaves it', async ({ page, bot }) => {
  await bot('bo', 'lounge');
  await join(page, 'ada', 'general');
  await type(page, '/join lounge');
  await expect(page).toHaveURL(/\/r\/lounge$/);
  await expect(people(page).filter({ hasText: 'bo' })).toHaveCount(1);
  await expect(page.locator('nav.rooms [aria-current=page]')).toHaveText(/lounge/);
  await type(page, '/part');
  await expect(page).not.toHaveURL(/\/r\/lounge$/);
  await expect(page.locator('nav.rooms a').filter({ hasText: 'lounge' })).toHaveCount(0);
});

test('/part is told to the room', async ({ page, bot }) => {
  const bo = await bot('bo', 'lounge');
  await join(page, 'ada', 'general');
  await type(page, '/join lounge');
  expect(await bo.people((names) => names.includes('ada'))).toEqual(['ada', 'bo']);
  await type(page, '/part');
  expect(await bo.people((names) => !names.includes('ada'))).toEqual(['bo']);
  await expect(page).toHaveURL(/\/r\/general$/);
  // There is always one room to look at.
  await type(page, '/part');
  await expect(page.locator('#composer-error')).toContainText('only room');
});

test('/who names the people here', async ({ page, bot }) => {
  await bot('bo', 'general');
  await bot('cleo', 'general');
  await join(page, 'ada', 'general');
  await expect(people(page)).toHaveText([/ada/, /bo/, /cleo/]);
  await type(page, '/who');
  await expect(log(page)).toContainText(/ada, bo(,| and) cleo/);
  await expect(messages(page)).toHaveCount(0);
});

test('/help tells every command', async ({ page, bot }) => {
  const bo = await bot('bo', 'general');
  await join(page, 'ada', 'general');
  await type(page, '/help');
  for (const command of ['/nick', '/me', '/join', '/part', '/who', '/help', '/shrug']) {
    await expect(log(page)).toContainText(command);
  }
  await type(page, 'a message of mine');
  await expect(message(page, 'a message of mine')).toHaveAttribute('data-state', 'sent');
  await bo.frame((frame) => frame.Type === 'Chat');
  expect(bo.heard, 'only the reader sees the help').toEqual(['a message of mine']);
});

test('/shrug shrugs', async ({ page, bot }) => {
  const bo = await bot('bo', 'general');
  await join(page, 'ada', 'general');
  await type(page, '/shrug who knows');
  await bo.frame((frame) => frame.Type === 'Chat');
  expect(bo.heard).toEqual(['who knows ¯\\_(ツ)_/¯']);
});

test('an unknown command is not sent, and the text stays', async ({ page }) => {
  await join(page, 'ada', 'general');
  await type(page, '/teleport home');
  await expect(page.locator('#composer-error')).toContainText('Unknown command /teleport');
  await expect(composer(page)).toHaveValue('/teleport home');
  await expect(composer(page)).toBeFocused();
  await expect(messages(page)).toHaveCount(0);
  await type(page, '//teleport home');
  await expect(message(page, '/teleport home')).toHaveAttribute('data-state', 'sent');
});
