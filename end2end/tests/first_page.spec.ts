// What a browser gets before anything of ours runs in it.

import { get as httpGet, type IncomingMessage } from 'node:http';
import { expect, test } from '../support/fixtures';
import { address, isInView, log, message, numbered, texts } from '../support/room';

interface Answer {
  status: number;
  headers: IncomingMessage['headers'];
  body: Buffer;
}

/** An answer as it travels, still compressed. */
async function fetchRaw(url: string): Promise<Answer> {
  return new Promise((answered, failed) => {
    httpGet(url, { headers: { 'accept-encoding': 'br, gzip' } }, async (response) => {
      const pieces: Buffer[] = [];
      for await (const piece of response) pieces.push(piece as Buffer);
      answered({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(pieces) });
    }).on('error', failed);
  });
}

/** The addresses of all built files that the page names. */
async function builtFiles(url: string): Promise<string[]> {
  const html = await (await fetch(url)).text();
  const files = new Set(html.match(/\/pkg\/[\w./-]+\.(?:js|wasm|css)/g) ?? []);
  expect([...files].map((file) => file.split('.').at(-1)).sort()).toEqual(['css', 'js', 'wasm']);
  return [...files].map((file) => new URL(file, url).href);
}

test.describe('with WebAssembly blocked', () => {
  test.use({ expected: /Failed to fetch/ });

  test('the newest message is in view at first paint (J3)', async ({ page, bot }) => {
    const ada = await bot('ada', 'general');
    await ada.sayAll(numbered(60));
    await page.route('**/*.wasm', (route) => route.abort());
    await page.goto(address('general'), { waitUntil: 'domcontentloaded' });
    expect((await texts(page)).at(-1)).toBe('message number 60');
    expect(await isInView(message(page, 'message number 60'))).toBe(true);
    await expect(page.locator('html[data-ready]')).toHaveCount(0);
  });

  test('room, people and page structure are there to read', async ({ page, bot }) => {
    const ada = await bot('ada', 'general');
    await ada.say('good evening');
    await page.route('**/*.wasm', (route) => route.abort());
    await page.goto(address('general'));
    await expect(page).toHaveTitle('#general – Taproom');
    await expect(page.getByRole('heading', { level: 1 })).toHaveText(/#\s*general/);
    await expect(log(page)).toHaveAccessibleName(/general/);
    await expect(page.getByRole('navigation', { name: 'Rooms' }).locator('[aria-current=page]')).toHaveText(/general/);
    await expect(page.getByRole('complementary', { name: 'People' })).toContainText('ada');
    await expect(page.locator('#toasts[role=status]')).toHaveText('');
    await expect(page.locator('#alerts[role=alert]')).toHaveText('');
  });

  test('the remembered name and theme are right in the first HTML', async ({ context, page, baseURL }) => {
    await context.addCookies([
      { name: 'taproom_name', value: encodeURIComponent('Zoë'), url: baseURL! },
      { name: 'taproom_theme', value: 'dark', url: baseURL! },
    ]);
    await page.route('**/*.wasm', (route) => route.abort());
    await page.goto('/');
    await expect(page.locator('html')).toHaveAttribute('data-theme', 'dark');
    await expect(page.locator('textarea#composer-input')).toBeVisible();
    await expect(page.locator('#name-input')).toHaveCount(0);
  });
});

test('/, ?room= and /r/ name the same rooms', async ({ request }) => {
  const titleOf = async (path: string) => /<title>(.*?)<\/title>/.exec(await (await request.get(path)).text())?.[1];
  expect(await titleOf('/')).toBe('#default – Taproom');
  expect(await titleOf('/?room=')).toBe('#default – Taproom');
  expect(await titleOf('/r/default')).toBe('#default – Taproom');
  expect(await titleOf('/?room=quiet%20corner')).toBe('#quiet corner – Taproom');
  expect(await titleOf('/r/quiet%20corner')).toBe('#quiet corner – Taproom');
  expect(await titleOf('/r/%E6%88%BF')).toBe('#房 – Taproom');
});

test('what is not there is said so, cheaply and with a way back', async ({ page, request }) => {
  const missingFile = await request.get('/pkg/taproom.0000.js');
  expect(missingFile.status()).toBe(404);
  expect((await missingFile.body()).length).toBeLessThan(1_000);
  for (const path of ['/nowhere', `/r/${'x'.repeat(65)}`, '/r/a%E2%80%AEb']) {
    const answer = await page.goto(path);
    expect(answer?.status(), path).toBe(404);
    await expect(page.getByRole('heading', { level: 1 })).toBeVisible();
  }
  await page.getByRole('link', { name: /default room/i }).click();
  await expect(page).toHaveTitle('#default – Taproom');
});

test('scripts and styles come from this server alone, and every script has the nonce (S2)', async ({ request, bot }) => {
  const ada = await bot('ada', 'general');
  await ada.say('hello');
  const nonces = new Set<string>();
  for (const path of [address('general'), '/', '/nowhere']) {
    const answer = await request.get(path);
    const html = await answer.text();
    const policy = answer.headers()['content-security-policy'] ?? '';
    expect(policy).toMatch(/default-src '(self|none)'/);
    expect(policy).not.toContain("'unsafe-inline'");
    expect(policy).not.toContain("'unsafe-eval'");
    expect(policy).toMatch(/frame-ancestors 'none'/);
    expect(policy).toMatch(/base-uri 'none'/);
    const nonce = /script-src[^;]*'nonce-([^']+)'/.exec(policy)?.[1];
    for (const [script] of html.matchAll(/<script\b[^>]*>/g)) {
      expect(nonce, path).toBeTruthy();
      expect(script).toContain(`nonce="${nonce}"`);
    }
    if (nonce) nonces.add(nonce);
    expect(html).not.toMatch(/<style\b|\sstyle=|\son\w+=|javascript:/i);
    expect(answer.headers()['x-content-type-options']).toBe('nosniff');
  }
  expect(nonces.size, 'each answer has a nonce of its own').toBeGreaterThanOrEqual(2);
});

test('the site is small, and what has a hash in its name is fetched once (P1)', async ({ server }) => {
  const files = await builtFiles(server.url);
  const sizes: Record<string, number> = {};
  for (const file of files) {
    const answer = await fetchRaw(file);
    expect(answer.status, file).toBe(200);
    expect(answer.headers['content-encoding'], file).toBe('br');
    expect(answer.headers['cache-control'], file).toMatch(/\bmax-age=31536000\b.*\bimmutable\b/);
    sizes[file.split('.').at(-1)!] = answer.body.length;
  }
  test.info().annotations.push({ type: 'sizes', description: JSON.stringify(sizes) });
  expect(sizes['wasm']! + sizes['js']!, 'WebAssembly and JavaScript').toBeLessThanOrEqual(200_000);
  expect(sizes['css']!, 'styles').toBeLessThanOrEqual(12_000);
});

test('the first load needs at most eight requests (P1)', async ({ page }) => {
  const requests: string[] = [];
  page.on('request', (request) => requests.push(request.url()));
  page.on('websocket', (socket) => requests.push(socket.url()));
  await page.goto('/');
  await expect(page.locator('html[data-ready]')).toHaveCount(1);
  await expect(page.locator('button.headline')).toHaveText(/^connected/);
  await page.waitForLoadState('networkidle');
  expect(requests.filter((url) => url.startsWith('ws'))).toHaveLength(1);
  expect(requests.length, requests.join('\n')).toBeLessThanOrEqual(8);
});
