/** What bytes cost a script. */

/** Bytes that are copied, hashed or compared for one step. */
const BYTES_PER_STEP = 64;

/** The steps of so many bytes. */
export const stepsOfBytes = (bytes: number): number => Math.floor(bytes / BYTES_PER_STEP);
