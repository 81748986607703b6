import { existsSync } from 'node:fs';
import { type Browser, chromium } from 'playwright-core';

const CANDIDATES = [
  process.env.CHROMIUM_PATH,
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
];

/** Undefined on a machine without one. */
export const chromiumPath = CANDIDATES.find((path) => path && existsSync(path));
if (!chromiumPath) {
  const ways = 'install one (apt-get install chromium) or set CHROMIUM_PATH; CI has one';
  console.warn(`tests/browser is NOT RUN: there is no Chromium on this machine; ${ways}.`);
}

const ARGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

export function launchChromium(): Promise<Browser> {
  return chromium.launch({ ...(chromiumPath && { executablePath: chromiumPath }), args: ARGS });
}
