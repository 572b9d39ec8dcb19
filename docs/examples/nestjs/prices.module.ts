import KeyvRedis from '@keyv/redis';
import { CACHE_MANAGER, type Cache, CacheModule } from '@nestjs/cache-manager';
import { Inject, Injectable, Module } from '@nestjs/common';

/** Asks the exchange, which is slow and costs money. */
@Injectable()
export class Exchange {
  async priceOf(symbol: string): Promise<number> {
    throw new Error(`nobody to ask for ${symbol}`);
  }
}

@Injectable()
export class Prices {
  constructor(
    @Inject(CACHE_MANAGER) private readonly cache: Cache,
    private readonly exchange: Exchange,
  ) {}

  /** At most a minute old. */
  of(symbol: string): Promise<number> {
    return this.cache.wrap(symbol, () => this.exchange.priceOf(symbol), 60_000);
  }
}

@Module({
  imports: [
    CacheModule.registerAsync({
      useFactory: () => ({ stores: [new KeyvRedis(process.env.REDIS_URL)] }),
    }),
  ],
  providers: [Exchange, Prices],
})
export class PricesModule {}
