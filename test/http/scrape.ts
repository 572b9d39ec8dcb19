/** What /metrics answers, for tests. */
import assert from 'node:assert/strict';

/** Values by name and labels, as they stand in the text. */
export function parseMetrics(text: string): Map<string, number> {
  const values = new Map<string, number>();
  const typed = new Set<string>();
  for (const line of text.split('\n')) {
    const [, name] = /^# TYPE (\w+) (?:counter|gauge|histogram|summary)$/.exec(line) ?? [];
    if (name !== undefined) typed.add(name);
    if (line === '' || line.startsWith('#')) continue;
    const [, series, value] = /^(\w+(?:\{.*\})?) (\S+)$/.exec(line) ?? [];
    assert.ok(series !== undefined, `no sample: ${line}`);
    assert.ok(!values.has(series), `twice: ${series}`);
    const family = series.replace(/\{.*/, '');
    assert.ok(typed.has(family) || typed.has(family.replace(/_(bucket|sum|count)$/, '')), `no type: ${line}`);
    values.set(series, Number(value!.replace('+Inf', 'Infinity')));
  }
  return values;
}
