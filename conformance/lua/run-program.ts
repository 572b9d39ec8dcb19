/** Runs a program of the language comparison in Redraft's Lua, as the driver does in Redis's. */
import { compile, LuaError, LuaFatal, type LuaLimits, LuaState } from '../../engine/lua/index.js';
import { showSource } from './show.js';

const wrapper = compile(`${showSource}\nreturn showAll(pcall(...))`, { chunkName: 'w' });

/** A state as scripts see it. */
export function protectedState(): LuaState {
  const state = new LuaState();
  state.protect();
  return state;
}

/** What a program shows. With `coroutines` it is compiled to generators whatever it names. */
export function runProgram(state: LuaState, source: string, coroutines = false, limits?: LuaLimits): string {
  try {
    const script = compile(source, coroutines ? { chunkName: 'p', coroutines } : { chunkName: 'p' });
    const program = script.instantiate(state.globals);
    return state.run(wrapper, [program], limits ? { limits } : {})[0] as string;
  } catch (error) {
    if (error instanceof LuaError) return `COMPILE ${error.message}`;
    if (error instanceof LuaFatal) return `FATAL ${error.message}`;
    throw error;
  }
}
