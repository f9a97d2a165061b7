import { defineConfig, devices } from '@playwright/test';
import { cpus } from 'node:os';
import { chromium } from './support/chromium';

// Every test has a server of its own, so they share nothing but the processor.
export default defineConfig({
  testDir: 'tests',
  outputDir: 'test-results/artifacts',
  fullyParallel: true,
  workers: Math.max(1, Math.min(2, cpus().length)),
  // A shared machine stalls now and then, and several of these tests hold milliseconds. What passes only the second time
  // is reported as flaky.
  retries: process.env['CI'] ? 4 : 0,
  forbidOnly: Boolean(process.env['CI']),
  timeout: 45_000,
  expect: { timeout: 10_000 },
  reporter: [['list']],
  use: {
    ...devices['Desktop Chrome'],
    viewport: { width: 1280, height: 800 },
    trace: 'retain-on-failure',
    launchOptions: chromium(),
  },
  projects: [
    { name: 'rooms', testIgnore: '**/speed.*' },
    // Measured alone, after all others: a neighbour on the processor would be measured too.
    { name: 'speed', testMatch: '**/speed.*', dependencies: ['rooms'], fullyParallel: false, workers: 1 },
  ],
});
