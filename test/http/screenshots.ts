/** `npm run docs:screenshots`: the pictures of docs/METRICS.md. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../program-path.js';
import { launchChromium, showCluster } from './status-page.js';

const folder = join(root, 'docs/images');
mkdirSync(folder, { recursive: true });
const pictures = [
  { name: 'light', colorScheme: 'light', width: 1200, height: 1250 },
  { name: 'dark', colorScheme: 'dark', width: 1200, height: 860 },
  { name: 'phone', colorScheme: 'light', width: 390, height: 844 },
] as const;

await using cluster = await showCluster();
await using browser = await launchChromium();
await cluster.load(30_000);
const load = cluster.load(15_000);
for (const { name, colorScheme, width, height } of pictures) {
  const page = await browser.newPage({ colorScheme, viewport: { width, height } });
  await page.goto(cluster.urls[0]!);
  await page.locator('#cluster circle').first().waitFor();
  await page.locator('#survey').click();
  await page.locator('#types table').waitFor();
  await page.evaluate('scrollTo(0, 0)');
  await page.screenshot({ path: join(folder, `status-${name}.png`) });
  await page.close();
}
await load;
