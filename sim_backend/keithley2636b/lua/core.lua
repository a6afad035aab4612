-- What Lua 5.0 has and 5.1 lacks, what must not be reached from a script, and how work that takes time is waited for.
-- Returns the functions that the host builds the instrument with.
--
-- Lua holds exactly one host function, `dispatch`; all others are known by number.
local dispatch, host, constants = ...
local create, resume, status = coroutine.create, coroutine.resume, coroutine.status
local coyield, sethook = coroutine.yield, debug.sethook
local select, type, rawget, error, setmetatable, unpack = select, type, rawget, error, setmetatable, unpack
local real_getmetatable, real_tostring, real_next = getmetatable, tostring, next
local format, gsub, concat = string.format, string.gsub, table.concat
local real_loadstring, real_getn = loadstring, table.getn
local core = {select = select}

-- a host function by its number
function core.bound(number) return function(...) return dispatch(number, ...) end end
local translate, uniform = core.bound(host.translate), core.bound(host.uniform)

-- Waiting. A chunk runs in a coroutine; it yields false when a host function needs time, a number of seconds when a
-- loop has turned long enough, and true when it has ended.
local budget = constants.budget
local remaining = budget
local function watch()
  remaining = remaining - 1
  if remaining < 0 then error("endless loop stopped", 2) end
end
local function wait(what)
  coyield(what)
  remaining = budget
end

local results, emit = host.results, host.emit
local function finish(state, ...)
  if state then return ... end
  if state == false then
    wait(false)
    return finish(dispatch(results))
  end
  error((...), 3)
end

-- A function of the instrument: host function number `start` answers true and results, false (needs time), or nil and a
-- message.
function core.callable(start)
  return function(...) return finish(dispatch(start, ...)) end
end

local spent, turn_time = 0, constants.turn_time
local function turn()
  spent = spent + turn_time
  if spent >= 1e-3 then
    local seconds = spent
    spent = 0
    wait(seconds)
  end
end

local function each(f, s, c)
  if type(f) == "table" then
    local mt = real_getmetatable(f)
    if not (mt and mt.__call) then return real_next, f, nil end
  end
  return f, s, c
end

-- Runs chunks one after the other. The host drives it as a coroutine (while Lua's main thread is busy the host could not
-- call Lua); inside it a second one runs the chunks, so that what a host function raises comes back as a value. Answers
-- what the chunk yields, or "error" and the problem: a message, or the exception.
local function outcome(ok, ...)
  if ok then return ... end
  return "error", ...
end
function core.worker()
  return function()
    local co = create(function(chunk)
      while true do
        remaining = budget
        chunk(each, turn)
        chunk = coyield(true)
      end
    end)
    sethook(co, watch, "", 1000000)
    local message = coyield(true)
    while true do message = coyield(outcome(resume(co, message))) end
  end
end

-- Function of a source text, or nil and the message; `translated` is the text for this Lua, `original` the user's.
local function compile(translated, original, name)
  local chunk, message = real_loadstring(translated, name)
  if chunk then return chunk end
  if translated ~= original then
    local _, better = real_loadstring(original, name)
    message = better or message
  end
  return nil, message
end
function core.compile(translated, original) return compile(translated, original, "=tsp") end

-- the same for source that a script hands over; the chunk finds its helpers by itself
function core.load(code, name)
  local translated = translate(code)
  local chunk, message = compile(translated, code, name or code)
  if not chunk then return nil, message end
  if translated == code then return chunk end
  return function() return chunk(each, turn) end
end

-- pcall and xpcall that can be waited through; exit() and what a host function raised pass them
local leave = constants.exit
function exit() error(leave, 0) end
local function settle(co, ok, ...)
  if not ok then
    local problem = ...
    if problem == leave or type(problem) == "userdata" then error(problem, 0) end
    if type(problem) == "string" then problem = gsub(problem, "^core%.lua:%d+: ", "") end
    return false, problem
  end
  if status(co) == "suspended" then
    wait(...)
    return settle(co, resume(co))
  end
  return true, ...
end
function pcall(f, ...)
  if type(f) ~= "function" then
    local target = f
    f = function(...) return target(...) end
  end
  local arguments, n = {...}, select("#", ...)
  local co = create(function() return f(unpack(arguments, 1, n)) end)
  sethook(co, watch, "", 1000000)
  return settle(co, resume(co))
end
local protected = pcall
function xpcall(f, handler)
  local function answer(ok, ...)
    if ok then return true, ... end
    return false, handler(...)
  end
  return answer(protected(f))
end

-- text of values: tables and functions get lasting labels, so that a run prints the same each time
local labels, issued = setmetatable({}, {__mode = "k"}), 0
local function label(value)
  local text = labels[value]
  if not text then
    issued = issued + 8
    text = format("%s: %08x", type(value), 0xa0960000 + issued)
    labels[value] = text
  end
  return text
end
function tostring(...)
  local value = ...
  local kind = type(value)
  if kind == "table" then
    local mt = real_getmetatable(value)
    local custom = mt and rawget(mt, "__tostring")
    if custom then return custom(value) end
    return label(value)
  elseif kind == "function" or kind == "thread" or kind == "userdata" then
    return label(value)
  end
  return real_tostring(...)
end
local tostring = tostring

-- print: numbers by format.asciiprecision, one message per call
local number_format = "%.5e"
function core.set_precision(digits) number_format = format("%%.%de", digits - 1) end
local function printed(value)
  if type(value) == "number" then
    if value ~= value then return "nan" end
    return format(number_format, value)
  elseif type(value) == "string" then
    return value
  end
  return tostring(value)
end
function print(...)
  local n = select("#", ...)
  if n == 1 then
    dispatch(emit, printed((...)))
    return
  end
  local parts = {...}
  for k = 1, n do parts[k] = printed(parts[k]) end
  dispatch(emit, concat(parts, "\t"))
end

-- 5.0 library
local sizes = setmetatable({}, {__mode = "k"})
local function getn(t)
  local n = rawget(t, "n")
  if type(n) == "number" then return n end
  return sizes[t] or real_getn(t)
end
table.getn = getn
function table.setn(t, n)
  if type(rawget(t, "n")) == "number" then t.n = n else sizes[t] = n end
end
local insert, remove = table.insert, table.remove
function table.insert(t, ...)
  insert(t, ...)
  if sizes[t] then sizes[t] = sizes[t] + 1 end
end
function table.remove(t, ...)
  if sizes[t] and sizes[t] > 0 then sizes[t] = sizes[t] - 1 end
  return remove(t, ...)
end
function table.foreach(t, f)
  for k, v in pairs(t) do
    local result = f(k, v)
    if result ~= nil then return result end
  end
end
function table.foreachi(t, f)
  for k = 1, getn(t) do
    local result = f(k, t[k])
    if result ~= nil then return result end
  end
end
table.maxn = nil
string.gmatch, string.match, string.reverse = nil, nil, nil
math.fmod, math.modf, math.cosh, math.sinh, math.tanh, math.huge = nil, nil, nil, nil, nil, nil

local draws, seed = 0, 0
function math.randomseed(n) seed, draws = math.floor(n), 0 end
function math.random(low, high)
  draws = draws + 1
  local u = uniform(seed, draws)
  if not low then return u end
  if not high then low, high = 1, low end
  if low > high then error("bad argument #1 to `random' (interval is empty)", 2) end
  return low + math.floor(u * (high - low + 1))
end

local collect = collectgarbage
function collectgarbage() collect("collect") return 0 end

function loadstring(code) return core.load(code) end

-- files: no memory stick is plugged in
local function no_file(name) return nil, real_tostring(name) .. ": No such file or directory" end
io = {
  open = no_file, input = no_file, output = no_file, close = no_file, lines = no_file, read = no_file, write = no_file,
  type = function() return nil end,
}
os = {
  time = core.bound(host.time), clock = core.bound(host.now), date = core.bound(host.date),
  remove = no_file, rename = no_file,
}
function dofile(name) error(no_file(name) or "cannot read " .. real_tostring(name), 2) end
loadfile = no_file
function loadlib() return nil, "dynamic libraries not enabled; check your Lua installation", "absent" end
function require(name) error("could not load package `" .. real_tostring(name) .. "'", 2) end
_VERSION = "Lua 5.0"
debug.setmetatable("", nil) -- strings have no methods in 5.0
for _, name in ipairs {"python", "module", "package", "coroutine", "debug", "newproxy", "select", "load"} do
  _G[name] = nil
end

return core
