/** The program as it ships: what `npx redraft` runs. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

export const root = join(import.meta.dirname, '../..');

const { bin } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  bin: { redraft: string };
};

/** The file that `bin` of package.json names. */
export const programPath = join(root, bin.redraft);

// Whoever compiles by `tsc -b` alone would test an old program.
const builtMs = statSync(programPath, { throwIfNoEntry: false })?.mtimeMs ?? 0;
for (const folder of ['engine', 'raft', 'src']) {
  for (const file of readdirSync(join(root, 'dist', folder), { recursive: true }) as string[]) {
    if (file.endsWith('.js') && statSync(join(root, 'dist', folder, file)).mtimeMs > builtMs)
      throw new Error(`dist/${folder}/${file} is newer than ${bin.redraft}: npm run build`);
  }
}
