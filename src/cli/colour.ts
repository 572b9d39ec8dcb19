/** Whether what is written to a terminal is coloured: unless NO_COLOR says no (https://no-color.org/). */
export function isColoured(stream: { readonly isTTY?: boolean }): boolean {
  return stream.isTTY === true && (process.env.NO_COLOR ?? '') === '';
}
