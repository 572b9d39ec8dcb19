/** Words as redis-cli takes them: between blanks, with quotes and escapes. */

const blank = /[\s\0]/;
const escapes: ReadonlyMap<string, string> = new Map([
  ['n', '\n'],
  ['r', '\r'],
  ['t', '\t'],
  ['b', '\b'],
  ['a', '\x07'],
]);

/** The words of a line (latin1); undefined where a quote stands open, or touches what follows it. */
export function splitWords(line: string): string[] | undefined {
  const words: string[] = [];
  for (let at = 0; ; ) {
    while (at < line.length && blank.test(line[at])) at++;
    if (at === line.length) return words;
    let word = '';
    let quote = '';
    for (; at < line.length && (quote !== '' || !blank.test(line[at])); at++) {
      const char = line[at];
      if (quote === '') {
        if (char === '"' || char === "'") quote = char;
        else word += char;
      } else if (char === quote) {
        if (at + 1 < line.length && !blank.test(line[at + 1])) return undefined;
        quote = '';
      } else if (char === '\\' && at + 1 < line.length && (quote === '"' || line[at + 1] === "'")) {
        const hex = quote === '"' ? /^x([0-9a-f]{2})/i.exec(line.slice(at + 1, at + 4)) : null;
        if (hex !== null) {
          word += String.fromCharCode(Number.parseInt(hex[1], 16));
          at += 3;
        } else {
          at++;
          word += (quote === '"' ? escapes.get(line[at]) : undefined) ?? line[at];
        }
      } else word += char;
    }
    if (quote !== '') return undefined;
    words.push(word);
  }
}
