/** Up to here one Set; beyond, several, so that none grows towards V8's limit or stalls on its rehash. */
const partitionSize = 1 << 16;

/** Whether one of texts[0], texts[step], texts[2 * step], ... stands there twice. */
export function hasDuplicate(texts: readonly string[], step: number): boolean {
  const count = texts.length / step;
  if (count <= partitionSize) {
    const seen = new Set<string>();
    for (let i = 0; i < texts.length; i += step) {
      if (seen.size === seen.add(texts[i]!).size) return true;
    }
    return false;
  }
  const partitions = Math.ceil(count / partitionSize) * 2;
  const seen = Array.from({ length: partitions }, () => new Set<string>());
  for (let i = 0; i < texts.length; i += step) {
    const text = texts[i]!;
    const partition = seen[hashOf(text) % partitions]!;
    if (partition.size === partition.add(text).size) return true;
  }
  return false;
}

/** FNV-1a over the first and last 32 characters: it only spreads, it needn't tell apart. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  const length = text.length;
  const head = Math.min(length, 32);
  for (let i = 0; i < head; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  for (let i = Math.max(head, length - 32); i < length; i++)
    hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return (hash ^ (hash >>> 15)) >>> 0;
}
