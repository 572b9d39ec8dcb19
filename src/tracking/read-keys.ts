/** Which keys a request reads: those that tracking remembers. */
import {
  type CommandTable,
  findKeys,
  type KeySpec,
  parseKeySpecs,
  type Request,
  type Runnable,
} from '../../engine/index.js';

export class ReadKeys {
  /** By the id of a command's row. */
  private readonly specs: (readonly KeySpec[] | undefined)[] = [];

  constructor(private readonly table: CommandTable) {}

  /**
   * The keys that a request reads, latin1; those that a script declares; none for any other command that may
   * write: what it reads is not for a cache.
   */
  of(row: Runnable, request: Request): readonly string[] {
    const specs = this.specs[row.id] ?? this.specsOf(row);
    if (specs.length === 0) return [];
    const args: string[] = [];
    for (let i = 0; i < request.count; i++) args.push(request.latin1(i));
    return (findKeys(row.name, specs, args) ?? []).map(({ position }) => args[position]);
  }

  private specsOf(row: Runnable): readonly KeySpec[] {
    // A form of a command that writes, and only reads: SORT without STORE.
    const mayWrite = this.table.byText.get(row.name)?.kind === 'write';
    const isForCache = row.runsScripts || (row.kind === 'read' && !mayWrite);
    const specs = isForCache ? parseKeySpecs(row.keys) : [];
    this.specs[row.id] = specs;
    return specs;
  }
}
