/**
 * V8's flags, which hold for all threads: set before anything is compiled with a code cache, since V8 takes
 * a cache only under the flags under which it was made.
 */
import { setFlagsFromString } from 'node:v8';

// V8 would hold on to what was compiled from a string, such as scripts that nobody has any more. All else is
// compiled from files.
setFlagsFromString('--no-compilation-cache');
// A request runs through many small functions: V8's 920 bytes end inside the path of a pipelined GET or SET,
// which then takes 4 to 10 % longer (docs/PERFORMANCE.md).
setFlagsFromString('--max-inlined-bytecode-size-cumulative=2500');
