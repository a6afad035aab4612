-- Reading buffers as scripts see them. The host knows a buffer by number; numbers, strings and flags are all that pass.
local objects, core, host = ...
local select, callable = core.select, core.callable
local type, setmetatable, getmetatable, unpack = type, setmetatable, getmetatable, unpack
local numbers = setmetatable({}, {__mode = "k"}) -- buffer -> number
local columns = setmetatable({}, {__mode = "k"}) -- sub-table -> {number, name}
local module = {}

local flags = {
  "appendmode", "cachemode", "collecttimestamps", "collectsourcevalues", "fillmode", "fillcount", "timestampresolution",
}
local facts = {"n", "next", "capacity", "basetimestamp"}
local names = {
  "readings", "timestamps", "sourcevalues", "statuses", "measurefunctions", "measureranges", "sourcefunctions",
  "sourceranges", "sourceoutputstates",
}

local element, clear = core.bound(host.element), core.bound(host.clear)
local function element_of(number, name)
  return function(index) return element(number, name, index) end
end

function module.new(number)
  local buffer = objects.new("reading_buffer")
  numbers[buffer] = number
  for _, name in ipairs(facts) do objects.attribute(buffer, name, host.get, nil, number, name) end
  for _, name in ipairs(flags) do objects.attribute(buffer, name, host.get, host.set, number, name) end
  for _, name in ipairs(names) do
    local column = objects.new("synchronous_table")
    local read = element_of(number, name)
    objects.element(column, read)
    objects.member(column, "getreading", function(index) return read(index) end)
    objects.member(buffer, name, column)
    columns[column] = {number, name}
  end
  objects.element(buffer, element_of(number, "readings"))
  objects.member(buffer, "clear", function() clear(number) end)
  objects.member(buffer, "clearcache", function() end)
  return buffer
end

-- number of a buffer, nil for nil, 0 for anything else
local function number_of(value)
  if value == nil then return nil end
  return numbers[value] or 0
end
module.number_of = number_of

-- a host function whose arguments may be buffers
function module.taking_buffers(object, name, start)
  local run = callable(start)
  objects.member(object, name, function(first, second)
    if first == nil then return run() end
    if second == nil then return run(number_of(first)) end
    return run(number_of(first), number_of(second))
  end)
end

-- numbers of the buffers that a script can still reach
function module.living()
  collectgarbage()
  local living = {}
  for _, number in pairs(numbers) do living[#living + 1] = number end
  return unpack(living)
end

local print_buffer = callable(host.print_buffer)
function printbuffer(first, last, ...)
  local given, arguments = {...}, {}
  for k = 1, select("#", ...) do
    local value = given[k]
    local column = type(value) == "table" and columns[value]
    if column then
      arguments[2 * k - 1], arguments[2 * k] = column[1], column[2]
    elseif type(value) == "table" and numbers[value] then
      arguments[2 * k - 1], arguments[2 * k] = numbers[value], "readings"
    else
      arguments[2 * k - 1], arguments[2 * k] = -1, value
    end
  end
  return print_buffer(first, last, unpack(arguments, 1, 2 * select("#", ...)))
end

local statistics = core.bound(host.statistics)
function module.statistics(object)
  objects.member(object, "getstats", function(buffer)
    local n, mean, deviation, low, high = statistics(number_of(buffer) or 0)
    if n == nil then return nil end
    if n == 0 then return {n = 0} end
    return {n = n, mean = mean, stddev = deviation, min = {reading = low}, max = {reading = high}}
  end)
  objects.member(object, "recalculatestats", function() end)
end

function module.maker(object)
  local make = callable(host.make)
  objects.member(object, "makebuffer", function(size)
    local number = make(size)
    if number then return module.new(number) end
  end)
end

return module
