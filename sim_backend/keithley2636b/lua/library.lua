-- Parts of the instrument that are pure data: bit, dataqueue, userstring, eventlog, beeper, gpib, serial, fs, setup.
local objects, core, host = ...
local callable = core.callable
local floor, type, next = math.floor, type, next
local refuse = core.bound(host.refuse)

local function object(name, members)
  local o = objects.new(name)
  for key, value in next, members do objects.member(o, key, value) end
  return o
end

-- attributes that only keep what they are given, of the type of their default
local function settings(o, defaults)
  local kept = {}
  for key, default in next, defaults do
    kept[key] = default
    objects.property(o, key, function() return kept[key] end, function(value)
      if type(value) ~= type(default) then return refuse(-104) end
      kept[key] = value
    end)
  end
  return o
end

-- bit: 16-bit numbers as the instrument has them
local function combine(a, b, keep)
  local result, place = 0, 1
  a, b = floor(a), floor(b)
  while a > 0 or b > 0 do
    local x, y = math.mod(a, 2), math.mod(b, 2)
    if keep(x, y) then result = result + place end
    a, b, place = (a - x) / 2, (b - y) / 2, place * 2
  end
  return result
end
local function test(value, index) return math.mod(floor(value / 2 ^ (index - 1)), 2) == 1 end
local function set(value, index) return test(value, index) and value or value + 2 ^ (index - 1) end
local function clear(value, index) return test(value, index) and value - 2 ^ (index - 1) or value end
local function getfield(value, index, width) return math.mod(floor(value / 2 ^ (index - 1)), 2 ^ width) end
bit = object("bit", {
  bitand = function(a, b) return combine(a, b, function(x, y) return x + y == 2 end) end,
  bitor = function(a, b) return combine(a, b, function(x, y) return x + y > 0 end) end,
  bitxor = function(a, b) return combine(a, b, function(x, y) return x ~= y end) end,
  test = test, set = set, clear = clear, get = function(value, index) return test(value, index) and 2 ^ (index - 1) or 0 end,
  toggle = function(value, index) return test(value, index) and clear(value, index) or set(value, index) end,
  getfield = getfield,
  setfield = function(value, index, width, field)
    return value + (field - getfield(value, index, width)) * 2 ^ (index - 1)
  end,
})

local queue = {}
dataqueue = object("dataqueue", {
  CAPACITY = 128,
  add = function(value)
    if table.getn(queue) >= 128 then return false end
    table.insert(queue, value)
    return true
  end,
  next = function() return table.remove(queue, 1) end,
  clear = function() queue = {} end,
})
objects.property(dataqueue, "count", function() return table.getn(queue) end)

local strings = {}
userstring = object("userstring", {
  add = function(name, value) strings[name] = value end,
  get = function(name) return strings[name] end,
  delete = function(name) strings[name] = nil end,
  catalog = function() return next, strings, nil end,
})

eventlog = settings(object("eventlog", {
  ENABLE = 1, DISABLE = 0, DISCARD_NEWEST = 0, DISCARD_OLDEST = 1,
  all = function() return "" end, clear = function() end, next = function() return nil end,
}), {enable = 1, overwritemethod = 1})
objects.property(eventlog, "count", function() return 0 end)

beeper = settings(object("beeper", {ON = 1, OFF = 0, beep = callable(host.beep)}), {enable = 1})
gpib = settings(object("gpib", {}), {address = 26})
serial = settings(object("serial", {
  FLOW_NONE = "none", FLOW_HARDWARE = "hardware", PARITY_NONE = "none", PARITY_EVEN = "even", PARITY_ODD = "odd",
  read = function() return "" end, write = function() end, writenode = function() end,
}), {baud = 9600, databits = 8, flowcontrol = "none", parity = "none"})
fs = object("fs", {
  chdir = function() refuse(2205) end, cwd = function() return "/" end, is_dir = function() return false end,
  is_file = function() return false end, mkdir = function() refuse(2203) end, readdir = function() return {} end,
  rmdir = function() refuse(2203) end,
})
setup = settings(object("setup", {
  recall = callable(host.recall), save = function() end,
}), {poweron = 0})
tspnet = settings(object("tspnet", {
  TERM_LF = 1, TERM_CR = 2, TERM_CRLF = 3, TERM_LFCR = 4, reset = function() end,
}), {timeout = 20.0, tst_status = 0})

-- the front panel: what is shown is kept, keys are never pressed
local shown = {"", ""}
local function nobody() return callable(host.nobody) end
display = settings(object("display", {
  SMUA = 0, SMUB = 1, SMUA_SMUB = 2, USER = 3, MEASURE_DCAMPS = 0, MEASURE_DCVOLTS = 1, MEASURE_OHMS = 2,
  MEASURE_WATTS = 3, DIGITS_4_5 = 4, DIGITS_5_5 = 5, DIGITS_6_5 = 6, KEY_NONE = 0, KEY_OUTPUT = 75, LOCK = 1, UNLOCK = 0,
  clear = function() shown = {"", ""} end,
  settext = function(value) shown[1] = tostring(value) end,
  gettext = function() return shown[1] end,
  setcursor = function() end,
  getcursor = function() return 1, 1, 0 end,
  sendkey = function() end,
  getlastkey = function() return 0 end,
  loadmenu = object("loadmenu", {add = function() end, delete = function() end, catalog = function() return next, {}, nil end}),
  prompt = nobody(), inputvalue = nobody(), menu = nobody(), waitkey = nobody(),
}), {screen = 2, numpad = 1, locallockout = 0})
for _, name in ipairs {"smua", "smub"} do
  local smu = settings(object(name, {}), {digits = 5})
  objects.member(smu, "measure", settings(object("measure", {}), {func = 1}))
  objects.member(display, name, smu)
end
