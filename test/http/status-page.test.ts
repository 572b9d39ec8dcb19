/** The status page as a browser shows it: what it says, that it follows, and that nothing in it runs. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Page } from 'playwright-core';
import { chromiumPath, hostile, launchChromium, showCluster } from './status-page.js';

/** What went wrong in a page, and whom it asked. */
function watch(page: Page): { readonly errors: string[]; readonly origins: Set<string> } {
  const errors: string[] = [];
  const origins = new Set<string>();
  page.on('pageerror', (error) => errors.push(`${error}`));
  page.on('console', (message) => {
    // Of a request that was refused for want of the token.
    if (message.type() === 'error' && !/status of 401/.test(message.text())) errors.push(message.text());
  });
  page.on('request', (request) => origins.add(new URL(request.url()).origin));
  return { errors, origins };
}

test('the status page in Chromium', { skip: chromiumPath === undefined && 'no Chromium here' }, async (t) => {
  await using cluster = await showCluster('a-token');
  await using browser = await launchChromium();
  const context = await browser.newContext({ colorScheme: 'light', viewport: { width: 1200, height: 900 } });
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  const seen = watch(page);

  await t.test('asks for the token, and says when it is wrong', async () => {
    await page.goto(cluster.urls[0]!);
    await page.locator('#why').getByText('asks for a token').waitFor();
    await page.locator('#token').fill('wrong');
    await page.locator('#login button').click();
    await page.locator('#why').getByText('not the token').waitFor();
    await page.locator('#token').fill('a-token');
    await page.locator('#login button').click();
    await page.locator('#notice').waitFor({ state: 'hidden' });
  });

  await t.test('draws the cluster with roles and lags', async () => {
    await page
      .locator('#role')
      .getByText(/^leader, term \d+$/)
      .waitFor();
    assert.equal(await page.locator('#ready').textContent(), 'ready');
    const texts = await page.locator('#cluster text').allTextContents();
    assert.equal(texts.filter((text) => /^(leader|follower), term \d+$/.test(text)).length, 3);
    assert.equal(texts.filter((text) => /^127\.0\.0\.1:\d+, lag \d+$/.test(text)).length, 2);
    assert.equal(await page.locator('#cluster circle.leader').count(), 1);
    assert.equal(await page.locator('#cluster line.good').count(), 2);
  });

  await t.test('shows clients, the slow log and names of keys as text', async () => {
    await page.locator('#clients').getByText('shop-checkout').waitFor();
    assert.ok((await page.locator('#slow td.long').allTextContents()).some((text) => text.includes(hostile)));
    await page.locator('#survey').click();
    await page.locator('#types').getByText(`photo ${hostile}`).waitFor();
    for (const type of ['zset', 'set', 'string', 'hash'])
      assert.equal(await page.locator('#types .bar').getByText(type, { exact: true }).count(), 1, type);
    assert.equal(await page.locator('main img').count(), 0);
    assert.match(await page.title(), /^Redraft 127\.0\.0\.1:\d+: leader$/);
  });

  await t.test('follows what happens', async () => {
    await Promise.all([
      cluster.load(2500),
      page
        .locator('#tiles .tile b')
        .first()
        .getByText(/^[1-9]/)
        .waitFor(),
    ]);
    assert.match((await page.locator('#operations path').getAttribute('d')) ?? '', /^M[\d.]+,[\d.]+L/);
    await cluster.killOne();
    await page.locator('#cluster').getByText('does not answer').waitFor();
    assert.equal(await page.locator('#cluster line.bad').count(), 1);
  });

  await t.test('fits a phone, in the dark', async () => {
    const phone = await browser.newContext({ colorScheme: 'dark', viewport: { width: 360, height: 740 } });
    await phone.addInitScript({ content: "sessionStorage.setItem('token', 'a-token')" });
    const small = await phone.newPage();
    const ofPhone = watch(small);
    await small.goto(cluster.urls[1]!);
    await small
      .locator('#role')
      .getByText(/^follower/)
      .waitFor();
    const [width, background] = (await small.evaluate(
      '[document.documentElement.scrollWidth, getComputedStyle(document.body).backgroundColor]',
    )) as [number, string];
    assert.equal(width, 360);
    assert.equal(background, 'rgb(16, 20, 27)');
    assert.deepEqual(ofPhone.errors, []);
  });

  assert.deepEqual(seen.errors, []);
  assert.deepEqual([...seen.origins], [cluster.urls[0]]);
});
