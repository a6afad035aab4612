-- Sweeps and samples that run inside a Series 2600B instrument (Lua 5.0).
--
-- MODULE stands for a global name that carries the hash of this file: an older version left in the instrument has
-- another name. Current goes to nvbuffer1, voltage to nvbuffer2, each element with time stamp and source value.
-- Answers are little-endian REAL64 blocks: (1 | 0 failed, errors in the queue, points), then per point
-- set, volts, amps, seconds, status, current range. A failure's text follows as a line. format.data is ASCII again after.

local module = {}

local function clear(buffer)
  buffer.clear()
  buffer.clearcache()
  buffer.appendmode = 1
  buffer.collecttimestamps = 1
  buffer.collectsourcevalues = 1
end

local function level_name(smu)
  if smu.source.func == smu.OUTPUT_DCAMPS then
    return "leveli"
  end
  return "levelv"
end

local function hold_range(smu, level, largest)
  if level == "leveli" then
    smu.source.rangei = largest
  else
    smu.source.rangev = largest
  end
end

local function free_range(smu)
  smu.source.autorangev = smu.AUTORANGE_ON
  smu.source.autorangei = smu.AUTORANGE_ON
end

local function switch_on(smu, level, relay)
  if smu.source.output == smu.OUTPUT_OFF then
    smu.source[level] = 0
    smu.source.output = smu.OUTPUT_ON
    delay(relay)
  end
end

local function switch_off(smu, relay)
  smu.source.output = smu.OUTPUT_OFF
  delay(relay)
end

-- set every level and measure at it; the source stays at the last one
function module.staircase(smu, levels, dwell, abort, stop, zero, relay)
  local n, level = table.getn(levels), level_name(smu)
  local largest = 0
  for k = 1, n do
    largest = math.max(largest, math.abs(levels[k]))
  end
  switch_on(smu, level, relay)
  if zero == 1 then
    smu.measure.autozero = smu.AUTOZERO_ONCE
  end
  smu.source[level] = levels[1]
  if largest > 0 then
    hold_range(smu, level, largest) -- no change of range, hence no glitch, on the way
  end
  local source, measure, currents, voltages = smu.source, smu.measure.iv, smu.nvbuffer1, smu.nvbuffer2
  for k = 1, n do
    source[level] = levels[k]
    if dwell > 0 then
      delay(dwell)
    end
    local i = measure(currents, voltages)
    if abort > 0 and math.abs(i) > abort or stop == 1 and source.compliance then
      return
    end
  end
end

-- an answer: numbers as blocks from here on, then the first n elements of both buffers, then the text of a failure, if
-- there is one
function module.binary()
  format.byteorder = format.LITTLEENDIAN
  format.data = format.REAL64
end

function module.print_points(smu, n)
  local i, v = smu.nvbuffer1, smu.nvbuffer2
  if n > 0 then
    printbuffer(1, n, v.sourcevalues, v.readings, i.readings, i.timestamps, i.statuses, i.measureranges)
  end
end

function module.text(ok, message)
  format.data = format.ASCII
  if not ok then
    print(tostring(message))
  end
end

local function answer(smu, ok, message)
  local n = ok and smu.nvbuffer1.n or 0
  module.binary()
  printnumber(ok and 1 or 0, errorqueue.count, n)
  module.print_points(smu, n)
  module.text(ok, message)
end

-- back to level 0; the source finds its range by itself again
function module.park(smu)
  smu.source[level_name(smu)] = 0
  free_range(smu)
end

-- both buffers empty, for readings with time stamps and source values
function module.clear(smu)
  clear(smu.nvbuffer1)
  clear(smu.nvbuffer2)
end

-- after: 0 back to level 0, 1 stay at the last level, 2 level 0 and output off. A failed sweep goes back to 0.
-- It ends after a reading beyond abort (0: none), and if stop is 1 after one in compliance.
function module.sweep(smu, levels, dwell, after, abort, stop, zero, relay)
  module.clear(smu)
  local ok, message = pcall(module.staircase, smu, levels, dwell, abort, stop, zero, relay)
  if not ok or after ~= 1 then
    smu.source[level_name(smu)] = 0
  end
  free_range(smu)
  if ok and after == 2 then
    switch_off(smu, relay)
  end
  answer(smu, ok, message)
end

-- from first to last in equal steps, and back if both is 1
function module.linear(smu, first, last, points, both, dwell, after, abort, stop, zero, relay)
  local levels = {}
  for k = 0, points - 2 do
    table.insert(levels, first + k * (last - first) / (points - 1))
  end
  table.insert(levels, last)
  if both == 1 then
    for k = points - 1, 1, -1 do
      table.insert(levels, levels[k])
    end
  end
  module.sweep(smu, levels, dwell, after, abort, stop, zero, relay)
end

local function prepare_samples(smu, points, interval)
  module.clear(smu)
  smu.measure.count = points
  smu.measure.interval = interval
end

local function end_samples(smu)
  smu.measure.count = 1
  smu.measure.interval = 0
end

-- readings at the present level
function module.sample(smu, points, interval)
  prepare_samples(smu, points, interval)
  local ok, message = pcall(smu.measure.iv, smu.nvbuffer1, smu.nvbuffer2)
  end_samples(smu)
  answer(smu, ok, message)
end

-- the same while other commands run; fetch waits for the end
function module.start(smu, points, interval)
  prepare_samples(smu, points, interval)
  smu.measure.overlappediv(smu.nvbuffer1, smu.nvbuffer2)
end

function module.fetch(smu)
  waitcomplete()
  end_samples(smu)
  answer(smu, true, "")
end

MODULE = module
