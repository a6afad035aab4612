-- KIPulse: pulse trains that are configured under a tag and then run (reference keithley2636b sec. 12).
-- Verdicts come back as values (f, msg), never through the error queue.

local pulses = {}
local KIPULSE_MARGIN = 50e-6 -- s that a measurement needs beside its conversion

local function KIPulse_levels(config)
  local levels = {}
  for k = 1, config.points do
    if config.sweep == "lin" and config.points > 1 then
      levels[k] = config.start + (config.stop - config.start) * (k - 1) / (config.points - 1)
    elseif config.sweep == "log" and config.points > 1 then
      levels[k] = config.start * math.pow(config.stop / config.start, (k - 1) / (config.points - 1))
    else
      levels[k] = config.level or config.start
    end
  end
  return levels
end

local function KIPulse_buffers(config)
  local buf = config.buf
  if buf == nil then return {} end
  if buf.i ~= nil and buf.v ~= nil then return {buf.i, buf.v} end
  return {buf}
end

-- what keeps a train from being configured or run, as text
local function KIPulse_obstacle(config)
  local smu = config.smu
  local sourced, measured = config.kind, config.kind == "v" and "i" or "v"
  if smu.source["autorange" .. sourced] == 1 then return "Source autorange must be off" end
  for _, buffer in KIPulse_buffers(config) do
    if buffer.appendmode ~= 1 and config.points > 1 then
      return "Buffer must have appendmode activated to measure multiple pulses"
    end
    if buffer.capacity - buffer.n < config.points then return "Buffer is too small for the pulse train" end
  end
  if config.buf ~= nil then
    if smu.measure["autorange" .. measured] ~= 0 then return "Measure autorange must be off" end
    if smu.measure.autozero == smu.AUTOZERO_AUTO then return "Autozero must be off or once" end
    if smu.measure.nplc / localnode.linefreq >= config.ton then
      return "Measurement aperture must be shorter than the pulse"
    end
  end
  if type(config.toff) == "table" and table.getn(config.toff) < config.points then
    return "toff must have an entry for each pulse"
  end
  return nil
end

local function KIPulse_configure(kind, sweep, smu, bias, level, start, stop, limit, ton, toff, points, buf, tag, options)
  local config = {
    kind = kind, sweep = sweep, smu = smu, bias = bias, level = level, start = start, stop = stop, limit = limit,
    ton = ton, toff = toff, points = points, buf = buf, tag = tag, sync_in = options[1], sync_out = options[2],
    sync_in_timeout = options[3] or 10, sync_in_abort = options[4], func = kind == "v" and 1 or 0,
  }
  for _, name in {"bias", "limit", "ton", "points", "tag"} do
    if type(config[name]) ~= "number" then return false, "Parameter " .. name .. " is invalid" end
  end
  if type(smu) ~= "table" or (type(toff) ~= "number" and type(toff) ~= "table") then
    return false, "Parameter smu or toff is invalid"
  end
  if type(level or start) ~= "number" then return false, "Parameter level is invalid" end
  local obstacle = KIPulse_obstacle(config)
  if obstacle then return false, obstacle end
  config.sourcevalues = KIPulse_levels(config)
  config.tostring = function()
    return "tag = " .. tag .. ", bias = " .. bias .. ", limit = " .. limit .. ", ton = " .. ton .. ", points = " .. points
  end
  pulses[tag] = config
  return true, "Pulse " .. tag .. " configured."
end

function ConfigPulseVMeasureI(smu, bias, level, limit, ton, toff, points, buffer, tag, ...)
  return KIPulse_configure("v", nil, smu, bias, level, nil, nil, limit, ton, toff, points, buffer, tag, arg)
end
function ConfigPulseIMeasureV(smu, bias, level, limit, ton, toff, points, buffer, tag, ...)
  return KIPulse_configure("i", nil, smu, bias, level, nil, nil, limit, ton, toff, points, buffer, tag, arg)
end
function ConfigPulseVMeasureISweepLin(smu, bias, start, stop, limit, ton, toff, points, buffer, tag, ...)
  return KIPulse_configure("v", "lin", smu, bias, nil, start, stop, limit, ton, toff, points, buffer, tag, arg)
end
function ConfigPulseIMeasureVSweepLin(smu, bias, start, stop, limit, ton, toff, points, buffer, tag, ...)
  return KIPulse_configure("i", "lin", smu, bias, nil, start, stop, limit, ton, toff, points, buffer, tag, arg)
end
function ConfigPulseVMeasureISweepLog(smu, bias, start, stop, limit, ton, toff, points, buffer, tag, ...)
  return KIPulse_configure("v", "log", smu, bias, nil, start, stop, limit, ton, toff, points, buffer, tag, arg)
end
function ConfigPulseIMeasureVSweepLog(smu, bias, start, stop, limit, ton, toff, points, buffer, tag, ...)
  return KIPulse_configure("i", "log", smu, bias, nil, start, stop, limit, ton, toff, points, buffer, tag, arg)
end
function QueryPulseConfig(tag) return pulses[tag] end

-- set up one channel; `period` starts each pulse, timers `width` and `read` end it and start its measurement
local function KIPulse_prepare(config, period, width, read)
  local smu, kind = config.smu, config.kind
  local source, measure, model = smu.source, smu.measure, smu.trigger
  config.kept = {level = source["level" .. kind], delay = measure.delay, func = source.func}
  source.func = config.func
  source["level" .. kind] = config.bias
  measure.delay = 0
  model.source["list" .. kind](config.sourcevalues)
  model.source.action = smu.ENABLE
  model.source["limit" .. (kind == "v" and "i" or "v")] = config.limit
  model.source.stimulus = period.EVENT_ID
  width.reset()
  width.delay = config.ton
  width.stimulus = period.EVENT_ID
  model.endpulse.action = smu.SOURCE_IDLE
  model.endpulse.stimulus = width.EVENT_ID
  model.endsweep.action = smu.SOURCE_IDLE
  model.count = config.points
  local buffers = KIPulse_buffers(config)
  if table.getn(buffers) == 0 then
    model.measure.action = smu.DISABLE
    model.measure.stimulus = 0
  else
    if buffers[2] then
      model.measure.iv(buffers[1], buffers[2])
    else
      model.measure[kind == "v" and "i" or "v"](buffers[1])
    end
    model.measure.action = smu.ENABLE
    local start = config.ton - measure.nplc / localnode.linefreq - KIPULSE_MARGIN
    read.reset()
    if start > 1e-6 then
      read.delay = start
      read.stimulus = period.EVENT_ID
      model.measure.stimulus = read.EVENT_ID
    else
      model.measure.stimulus = model.SOURCE_COMPLETE_EVENT_ID
    end
  end
  if config.sync_out then
    digio.trigger[config.sync_out].stimulus = model.SOURCE_COMPLETE_EVENT_ID
  end
end

local function KIPulse_restore(config)
  local smu, kind, model = config.smu, config.kind, config.smu.trigger
  smu.source["level" .. kind] = config.kept.level
  smu.measure.delay = config.kept.delay
  model.source["limit" .. (kind == "v" and "i" or "v")] = 0
  model.source.stimulus = 0
  model.measure.stimulus = 0
  model.endpulse.stimulus = 0
  model.arm.stimulus = 0
  model.source.action = 0
  model.measure.action = 0
  if config.sync_out then digio.trigger[config.sync_out].stimulus = 0 end
end

local function KIPulse_run(configs)
  for _, config in configs do
    if config.smu.source.output ~= 1 then return false, "Output must be on" end
    local obstacle = KIPulse_obstacle(config)
    if obstacle then return false, obstacle end
  end
  local first = configs[1]
  local period = trigger.timer[1]
  local synced = true
  if first.sync_in then
    synced = digio.trigger[first.sync_in].wait(first.sync_in_timeout)
    if not synced and first.sync_in_abort then return false, "Sync in timed out" end
  end
  period.reset()
  local delays = {}
  for k = 1, first.points do
    delays[k] = first.ton + (type(first.toff) == "table" and first.toff[k] or first.toff)
  end
  if type(first.toff) == "table" then period.delaylist = delays else period.delay = delays[1] end
  if first.points > 1 then
    period.count = first.points - 1
    period.passthrough = true
  else
    period.delay = 1e-6
    period.count = 1
  end
  for k, config in configs do
    KIPulse_prepare(config, period, trigger.timer[2 * k], trigger.timer[2 * k + 1])
  end
  for k = table.getn(configs), 1, -1 do
    if k == 1 then period.stimulus = first.smu.trigger.ARMED_EVENT_ID end
    configs[k].smu.trigger.initiate()
  end
  waitcomplete()
  delay(type(first.toff) == "table" and first.toff[first.points] or first.toff)
  for k, config in configs do
    trigger.timer[2 * k].reset()
    trigger.timer[2 * k + 1].reset()
    KIPulse_restore(config)
  end
  period.reset()
  return true, "Pulse test completed."
end

function InitiatePulseTest(tag)
  local config = pulses[tag]
  if not config then return false, "Pulse " .. tostring(tag) .. " is not configured" end
  return KIPulse_run({config})
end
function InitiatePulseTestDual(tag1, tag2)
  local one, two = pulses[tag1], pulses[tag2]
  if not one or not two then return false, "Both pulses must be configured" end
  if one.smu == two.smu then return false, "Pulses must use different SMUs" end
  if one.smu.measure.nplc ~= two.smu.measure.nplc then return false, "NPLC must be the same" end
  if one.toff ~= two.toff then return false, "toff must be the same" end
  if one.ton <= two.ton + 40e-6 then return false, "ton of the first pulse must be longer by more than 40 us" end
  return KIPulse_run({one, two})
end

local function KIPulse_once(kind, smu, bias, level, ton, toff, points)
  for k, value in {smu or false, bias or false, level or false, ton or false, toff or false, points or false} do
    if not value then display.prompt("00000", "", "parameter " .. k, 0) end -- waits for the front panel
  end
  local other = kind == "v" and "i" or "v"
  local largest = math.abs(level)
  if math.abs(bias) > largest then largest = math.abs(bias) end
  smu.source.output = smu.OUTPUT_OFF
  smu.source.func = kind == "v" and 1 or 0
  smu.source["range" .. kind] = largest
  smu.source["level" .. kind] = bias
  smu.measure["range" .. other] = smu.source["limit" .. other]
  smu.measure.autozero = smu.AUTOZERO_ONCE
  if smu.measure.nplc / localnode.linefreq >= ton / 2 then smu.measure.nplc = ton / 2 * localnode.linefreq end
  smu.nvbuffer1.clear()
  smu.nvbuffer1.appendmode = 1
  local configured, message = KIPulse_configure(
    kind, nil, smu, bias, level, nil, nil, smu.source["limit" .. other], ton, toff, points, smu.nvbuffer1, 0, {})
  if not configured then return configured, message end
  smu.source.output = smu.OUTPUT_ON
  configured, message = InitiatePulseTest(0)
  smu.source.output = smu.OUTPUT_OFF
  return configured, message
end
function PulseVMeasureI(smu, bias, level, ton, toff, points) return KIPulse_once("v", smu, bias, level, ton, toff, points) end
function PulseIMeasureV(smu, bias, level, ton, toff, points) return KIPulse_once("i", smu, bias, level, ton, toff, points) end
