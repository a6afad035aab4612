-- KISweep: staircase sweeps that block until they are done (reference keithley2636b sec. 12).

local function KISweep_run(smu, kind, configure, largest, stime, points)
  local source, measure, trigger_ = smu.source, smu.measure, smu.trigger
  local kept = {
    func = source.func, level = source["level" .. kind], autorange = source["autorange" .. kind],
    range = source["range" .. kind], autozero = measure.autozero, count = trigger_.count,
    stimulus = trigger_.measure.stimulus, delay = trigger.timer[1].delay, timer = trigger.timer[1].stimulus,
    timercount = trigger.timer[1].count, passthrough = trigger.timer[1].passthrough,
    sourceaction = trigger_.source.action, measureaction = trigger_.measure.action,
    endpulse = trigger_.endpulse.action, endsweep = trigger_.endsweep.action,
  }
  source.output = smu.OUTPUT_OFF
  source.func = kind == "v" and smu.OUTPUT_DCVOLTS or smu.OUTPUT_DCAMPS
  source["level" .. kind] = 0
  source["range" .. kind] = largest
  measure.autozero = smu.AUTOZERO_OFF
  local buffer = smu.nvbuffer1
  buffer.clear()
  buffer.appendmode = 1
  buffer.collecttimestamps = 1
  buffer.collectsourcevalues = 1
  configure()
  trigger_.source.action = smu.ENABLE
  trigger_.measure[kind == "v" and "i" or "v"](buffer)
  trigger_.measure.action = smu.ENABLE
  trigger_.endpulse.action = smu.SOURCE_HOLD
  trigger_.endsweep.action = smu.SOURCE_IDLE
  if stime > 0 then
    trigger.timer[1].delay = stime
    trigger.timer[1].count = 1
    trigger.timer[1].passthrough = false
    trigger.timer[1].stimulus = trigger_.SOURCE_COMPLETE_EVENT_ID
    trigger_.measure.stimulus = trigger.timer[1].EVENT_ID
  else
    trigger_.measure.stimulus = 0
  end
  trigger_.count = points
  display.clear()
  display.settext("Sweep in progress")
  source.output = smu.OUTPUT_ON
  trigger_.initiate()
  waitcomplete()
  source.output = smu.OUTPUT_OFF
  trigger.timer[1].stimulus = kept.timer
  trigger.timer[1].delay = kept.delay
  trigger.timer[1].count = kept.timercount
  trigger.timer[1].passthrough = kept.passthrough
  trigger_.measure.stimulus = kept.stimulus
  trigger_.source.action = kept.sourceaction
  trigger_.measure.action = kept.measureaction
  trigger_.endpulse.action = kept.endpulse
  trigger_.endsweep.action = kept.endsweep
  trigger_.count = kept.count
  measure.autozero = kept.autozero
  source["range" .. kind] = kept.range
  source["autorange" .. kind] = kept.autorange
  source["level" .. kind] = kept.level
  source.func = kept.func
  display.settext("Sweep complete")
  delay(2)
end

local function KISweep_ask(...)
  for k = 1, 5 do
    if arg[k] == nil then display.prompt("00000", "", "parameter " .. k, 0) end -- waits for the front panel
  end
end

local function KISweep_range(kind, smu, start, stop, stime, points, shape)
  KISweep_ask(smu, start, stop, stime, points)
  local a, b = math.abs(start), math.abs(stop)
  local largest = a
  if b > a then largest = b end
  KISweep_run(smu, kind, function()
    if shape == "log" then
      smu.trigger.source["log" .. kind](start, stop, points, 0)
    else
      smu.trigger.source["linear" .. kind](start, stop, points)
    end
  end, largest, stime, points)
end

local function KISweep_list(kind, smu, list, stime, points)
  KISweep_ask(smu, list, stime, points, 0)
  local largest = 0
  for k = 1, table.getn(list) do
    if math.abs(list[k]) > largest then largest = math.abs(list[k]) end
  end
  KISweep_run(smu, kind, function() smu.trigger.source["list" .. kind](list) end, largest, stime, points)
end

function SweepVLinMeasureI(smu, startv, stopv, stime, points) KISweep_range("v", smu, startv, stopv, stime, points, "lin") end
function SweepILinMeasureV(smu, starti, stopi, stime, points) KISweep_range("i", smu, starti, stopi, stime, points, "lin") end
function SweepVLogMeasureI(smu, startv, stopv, stime, points) KISweep_range("v", smu, startv, stopv, stime, points, "log") end
function SweepILogMeasureV(smu, starti, stopi, stime, points) KISweep_range("i", smu, starti, stopi, stime, points, "log") end
function SweepVListMeasureI(smu, vlist, stime, points) KISweep_list("v", smu, vlist, stime, points) end
function SweepIListMeasureV(smu, ilist, stime, points) KISweep_list("i", smu, ilist, stime, points) end
