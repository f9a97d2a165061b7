// What a person does and sees on a room's page.

import { expect, type Locator, type Page } from '@playwright/test';

/** The address of a room. */
export function address(room: string): string {
  return `/r/${encodeURIComponent(room)}`;
}

/** Opens a room and waits until the page is alive. */
export async function enter(page: Page, room = 'default'): Promise<void> {
  await page.goto(address(room));
  await ready(page);
}

/** The page is alive: WebAssembly runs. */
export async function ready(page: Page): Promise<void> {
  await expect(page.locator('html[data-ready]')).toHaveCount(1);
}

/** Opens a room and takes a name. */
export async function join(page: Page, name: string, room = 'default'): Promise<void> {
  await enter(page, room);
  await takeName(page, name);
}

/** Takes a name in a room that is open. */
export async function takeName(page: Page, name: string): Promise<void> {
  await page.locator('#name-input').fill(name);
  await page.locator('#name-input').press('Enter');
  await expect(composer(page)).toBeFocused();
}

export function composer(page: Page): Locator {
  return page.locator('textarea#composer-input');
}

/** Types a text and presses Enter. Does not wait for anything. */
export async function type(page: Page, text: string): Promise<void> {
  await composer(page).fill(text);
  await composer(page).press('Enter');
}

/** Says something and waits until it is kept. */
export async function say(page: Page, text: string): Promise<void> {
  await type(page, text);
  await expect(message(page, text)).toHaveAttribute('data-state', 'sent');
}

/** The row of a message with exactly this text. */
export function message(page: Page, text: string): Locator {
  const exactly = new RegExp(`^\\s*${text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}\\s*$`);
  return messages(page).filter({ has: page.locator('.body', { hasText: exactly }) });
}

export function messages(page: Page): Locator {
  return page.locator('.log li.msg');
}

export function log(page: Page): Locator {
  return page.locator('.log[role=log]');
}

export function headline(page: Page): Locator {
  return page.locator('button.headline');
}

export function notice(page: Page): Locator {
  return page.locator('.notice[role=status]');
}

export function pill(page: Page): Locator {
  return page.locator('button.pill');
}

/** The names in the list of people. */
export function people(page: Page): Locator {
  return page.locator('aside.people li');
}

/** The texts of the messages on the page, from the oldest to the newest. */
export async function texts(page: Page): Promise<string[]> {
  const bodies = await page.locator('.log li.msg .body').allTextContents();
  return bodies.map((body) => body.trim());
}

/** How far the log is scrolled up from its end, in pixels. */
export async function scrolledUp(page: Page): Promise<number> {
  return log(page).evaluate((log) => Math.abs(log.scrollTop));
}

/** Whether an element lies wholly inside the visible part of the log. */
export async function isInView(row: Locator): Promise<boolean> {
  return row.evaluate((row) => {
    const [inner, outer] = [row.getBoundingClientRect(), row.closest('.log')!.getBoundingClientRect()];
    return inner.height > 0 && inner.top >= outer.top - 1 && inner.bottom <= outer.bottom + 1;
  });
}

/** `count` texts that are easy to tell apart. */
export function numbered(count: number, from = 1): string[] {
  return Array.from({ length: count }, (_, index) => `message number ${from + index}`);
}
