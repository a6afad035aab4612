-- Loops of trials that run inside a Series 2600B instrument (Lua 5.0): digital lines, triggers, waits, small sweeps.
--
-- MODULE stands for a global name that carries the hash of this file. A program is begun, gets the steps of one trial
-- in their order, and is run for a number of trials. It ends by itself, and however it ends the output is off and the
-- digital lines rest. It decides nothing but this: a confirmation that fails ends it, for the host to go on.
--
-- Answer, little-endian REAL64 blocks: (1 all trials, 2 a confirmation failed, 0 failed; errors in the queue; points;
-- marks; seconds since the start), then per point what sweep.lua answers, then the marks: seconds at which each step
-- ended, trial after trial. A failure's text follows as a line. format.data is ASCII again after.

local module = {}

local sweep, smu, zero, relay -- the functions of sweep.lua, the channel, autozero at each reading, s of its relay
local steps, rests -- functions of one trial; digital line -> level at rest
local first, last -- reading -> its elements in the buffers, in this trial
local marks, due, failed -- s at which a waveform under way is surely over; a confirmation has failed

function module.begin(functions, channel, autozero, relaytime)
  sweep, smu, zero, relay = functions, channel, autozero, relaytime
  steps, rests, first, last = {}, {}, {}, {}
end

function module.rest(line, level)
  rests[line] = level
end

-- drive a digital line, then wait for what it switches
function module.line(line, level, time)
  table.insert(steps, function()
    digio.writebit(line, level)
    if digio.readbit(line) ~= level then
      error("digital line " .. line .. " does not follow, something outside holds it", 0)
    end
    delay(time)
  end)
end

local function let_end()
  local left = due - timer.measure.t()
  if left > 0 then
    delay(left)
  end
end

-- one trigger pulse on a digital line, then a wait; what it starts lasts for length s, in which no other is sent
function module.fire(line, time, length)
  table.insert(steps, function()
    let_end()
    digio.trigger[line].assert()
    due = timer.measure.t() + length
    delay(time)
  end)
end

function module.wait(time)
  table.insert(steps, function()
    delay(time)
  end)
end

-- sweep through levels; k tells readings of a trial apart
function module.read(k, levels)
  table.insert(steps, function()
    first[k] = smu.nvbuffer1.n + 1
    sweep.staircase(smu, levels, 0, 0, 0, zero, relay)
    sweep.park(smu)
    last[k] = smu.nvbuffer1.n
  end)
end

-- 1/slope of a straight line through the points of a reading that were neither limited nor out of range
local function resistance(k)
  local i, v = smu.nvbuffer1, smu.nvbuffer2
  local volts, amps, n = {}, {}, 0
  local vsum, isum = 0, 0
  for j = first[k], last[k] do
    local x, y = v.readings[j], i.readings[j]
    if math.mod(math.floor(i.statuses[j] / 64), 2) == 0 and math.abs(x) < 9.9e36 and math.abs(y) < 9.9e36 then
      n = n + 1
      volts[n], amps[n] = x, y
      vsum, isum = vsum + x, isum + y
    end
  end
  local xx, xy = 0, 0
  for j = 1, n do
    local x = volts[j] - vsum / n
    xx, xy = xx + x * x, xy + x * (amps[j] - isum / n)
  end
  return xx / xy
end

-- end the program unless the resistance of reading k lies within a part of the reference
function module.confirm(k, reference, within)
  table.insert(steps, function()
    failed = not (math.abs(resistance(k) / reference - 1) <= within)
  end)
end

local function execute(trials)
  for trial = 1, trials do
    for k = 1, table.getn(steps) do
      steps[k]()
      table.insert(marks, timer.measure.t())
      if failed or errorqueue.count > 0 then
        return
      end
    end
  end
end

local function come_to_rest()
  sweep.park(smu)
  smu.source.output = smu.OUTPUT_OFF
  let_end()
  for line, level in pairs(rests) do
    digio.writebit(line, level)
  end
  delay(relay)
end

function module.run(trials)
  marks, due, failed = {}, 0, false
  sweep.clear(smu)
  timer.reset()
  local ok, message = true, nil
  if errorqueue.count == 0 then
    ok, message = pcall(execute, trials)
  end
  come_to_rest()
  local n, m = smu.nvbuffer1.n, table.getn(marks)
  sweep.binary()
  printnumber(ok and (failed and 2 or 1) or 0, errorqueue.count, n, m, timer.measure.t())
  sweep.print_points(smu, n)
  if m > 0 then
    printbuffer(1, m, marks)
  end
  sweep.text(ok, message)
end

MODULE = module
