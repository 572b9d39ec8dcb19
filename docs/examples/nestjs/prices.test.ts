import 'reflect-metadata';
import { afterAll, beforeAll, beforeEach, expect, jest, test } from '@jest/globals';
import { CACHE_MANAGER, type Cache } from '@nestjs/cache-manager';
import { Test, type TestingModule } from '@nestjs/testing';
import { Redraft } from 'redraft';
import { Exchange, Prices, PricesModule } from './prices.module';

let redraft: Redraft;
let app: TestingModule;
const priceOf = jest.fn<Exchange['priceOf']>();

beforeAll(async () => {
  redraft = await Redraft.start();
  process.env.REDIS_URL = redraft.url;
  app = await Test.createTestingModule({ imports: [PricesModule] })
    .overrideProvider(Exchange)
    .useValue({ priceOf })
    .compile();
});

beforeEach(async () => {
  await redraft.flush();
  priceOf.mockReset();
});

afterAll(async () => {
  const cache = app.get<Cache>(CACHE_MANAGER);
  await Promise.all(cache.stores.map((store) => store.disconnect()));
  await app.close();
  await redraft.stop();
});

test('the exchange is asked once a minute', async () => {
  const prices = app.get(Prices);
  priceOf.mockResolvedValueOnce(10).mockResolvedValueOnce(11);
  expect([await prices.of('ABC'), await prices.of('ABC')]).toEqual([10, 10]);
  expect(priceOf).toHaveBeenCalledTimes(1);
  await redraft.clock.advance(60_001);
  expect(await prices.of('ABC')).toBe(11);
});

test('what it keeps is in Redis, with a time to live', async () => {
  priceOf.mockResolvedValue(10);
  await app.get(Prices).of('XYZ');
  const [key] = await redraft.keys();
  expect(key).toContain('XYZ');
  expect(await redraft.ttl(key)).toBeLessThanOrEqual(60_000);
});
