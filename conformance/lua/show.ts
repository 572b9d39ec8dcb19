/**
 * How programs of the language comparison show what they return: a serializer in Lua, the same in both
 * engines. What has tables or functions among its keys is sorted: its own order follows from addresses.
 */

/** Lua source that declares `showAll(...)`. Numbers appear with all digits and as `tostring` prints them. */
export const showSource = `
local function show(v, depth)
  local t = type(v)
  if t == 'string' then return string.format('%q', v)
  elseif t == 'number' then return string.format('%.17g', v) .. '|' .. tostring(v)
  elseif t == 'table' then
    if depth > 4 then return '{..}' end
    local out, n, byAddress = {}, 0, false
    for k, x in pairs(v) do
      n = n + 1
      byAddress = byAddress or type(k) == 'table' or type(k) == 'function'
      if n > 60 then out[#out + 1] = '...' break end
      out[#out + 1] = '[' .. show(k, depth + 1) .. ']=' .. show(x, depth + 1)
    end
    if byAddress then table.sort(out) end
    return '{#' .. #v .. ' ' .. table.concat(out, ',') .. '}'
  elseif t == 'function' or t == 'thread' or t == 'userdata' then return t
  end
  return tostring(v)
end
local function showAll(...)
  local out = {}
  for i = 1, select('#', ...) do out[i] = show((select(i, ...)), 0) end
  return table.concat(out, ' ; ')
end
`;

/** A script for EVAL that runs each of its arguments as a program of its own and returns what they show. */
export const driverSource = `${showSource}
local results = {}
for i = 1, #ARGV do
  local f, e = loadstring(ARGV[i], '@p')
  results[i] = f and showAll(pcall(f)) or 'COMPILE ' .. e
end
return results`;
