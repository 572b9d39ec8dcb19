/** JavaScript source of constants. Nothing that a script wrote reaches generated code but through here. */

/** A string literal of printable ASCII. */
export function stringLiteral(text: string): string {
  let out = '"';
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code >= 32 && code < 127 && code !== 34 && code !== 92) out += text.charAt(i);
    else out += `\\x${(code & 255).toString(16).padStart(2, '0')}`;
  }
  return `${out}"`;
}

/** A number literal, in parentheses where it would not stand as an operand. */
export function numberLiteral(value: number): string {
  if (value === Infinity) return '(1/0)';
  if (value === -Infinity) return '(-1/0)';
  if (value < 0 || (value === 0 && 1 / value < 0)) return `(-${-value})`;
  return String(value);
}
