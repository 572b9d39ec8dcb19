/** Passwords and secrets in files of their own, where neither ps nor the environment shows them. */
import { readFileSync } from 'node:fs';

/** Two are taken while a secret is changed. */
const SECRETS_MAX = 2;

/** A file of secrets cannot be used: which, and why; never what is in it. */
export class SecretFileError extends Error {
  override readonly name = 'SecretFileError';
}

function linesOf(path: string, name: string): string[] {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new SecretFileError(`${name} ${path}: cannot be read: ${(error as NodeJS.ErrnoException).code}`);
  }
  const lines = text.split(/\r?\n/).filter((line) => line !== '');
  if (lines.length === 0) throw new SecretFileError(`${name} ${path}: is empty`);
  return lines;
}

/**
 * The password in a file: its one line.
 *
 * @throws SecretFileError
 */
export function readPasswordFile(path: string, name = '--requirepass-file'): string {
  const lines = linesOf(path, name);
  if (lines.length > 1) throw new SecretFileError(`${name} ${path}: must be one line`);
  return lines[0];
}

/**
 * The cluster's secrets: the line that is proved, and perhaps another one that is taken, too.
 *
 * @throws SecretFileError
 */
export function readClusterSecrets(path: string, name = '--cluster-secret-file'): string[] {
  const lines = linesOf(path, name);
  if (lines.length > SECRETS_MAX) throw new SecretFileError(`${name} ${path}: must be one line or two`);
  return lines;
}
