-- Scripts as objects: callable, with name, source, autorun, run(), save(), list() (reference keithley2636b sec. 4).
local objects, core, host = ...
local syntax_error, refuse = core.bound(host.syntax_error), core.bound(host.refuse)
local getmetatable, rawset, type, tostring = getmetatable, rawset, type, tostring
local module = {}

script = objects.new("script")
local user, factory = objects.new("user"), objects.new("factory")
local user_scripts, factory_scripts = {}, {}
local saved = {} -- name -> {source, autorun}: what would survive a power cycle
objects.member(script, "user", user)
objects.member(script, "factory", factory)
objects.member(user, "scripts", user_scripts)
objects.member(factory, "scripts", factory_scripts)

-- script object of a source text; nil when it does not compile (the error is queued)
local function make(source, name, autorun)
  local chunk, message = core.load(source, "=tsp")
  if not chunk then
    syntax_error(message)
    return nil
  end
  local object = objects.new("script")
  local mt = getmetatable(object)
  local function run() return chunk() end
  mt.__call = run
  objects.member(object, "run", run)
  objects.property(object, "name", function() return name end, function(value) name = tostring(value) end)
  objects.property(object, "source", function() return source end)
  objects.property(object, "autorun", function() return autorun end,
    function(value) if value == "yes" or value == "no" then autorun = value else refuse(-224) end end)
  objects.member(object, "save", function(file)
    if file ~= nil then refuse(2203) return end -- no memory stick
    saved[name] = {source, autorun}
  end)
  objects.member(object, "list", function()
    print(name ~= "" and "loadscript " .. name or "loadscript")
    for line in string.gfind(source .. "\n", "([^\n]*)\n") do print(line) end
    print("endscript")
  end)
  return object
end

-- a new user script under its global name; without a name it becomes the anonymous script
function module.define(source, name, autorun)
  local object = make(source, name or "", autorun)
  if not object then return nil end
  if name then
    user_scripts[name] = object
    rawset(_G, name, object)
  else
    objects.member(script, "anonymous", object)
    objects.member(script, "run", getmetatable(object).Objects.run)
    rawset(_G, "run", getmetatable(object).Objects.run)
  end
  return object
end

-- the chunk of a script, for the host to run as a task
function module.runner(object) return getmetatable(object).Objects.run end

function module.factory(source, name)
  local object = make(source, name, "no")
  factory_scripts[name] = object
  rawset(_G, name, object)
  object.run()
end

local function create(autorun)
  return function(source, name)
    if type(source) ~= "string" then refuse(-104) return nil end
    if name ~= nil and (type(name) ~= "string" or not string.find(name, "^[%a_][%w_]*$")) then
      refuse(-282)
      return nil
    end
    return module.define(source, name, autorun)
  end
end
objects.member(script, "new", create("no"))
objects.member(script, "newautorun", create("yes"))
objects.member(script, "load", function() refuse(2203) end)
local function delete(name)
  user_scripts[name], saved[name] = nil, nil
end
objects.member(script, "delete", delete)
objects.member(user, "delete", delete)
objects.member(script, "restore", function(name)
  local kept = saved[name]
  if not kept then refuse(-292) return end
  module.define(kept[1], name, kept[2])
end)

-- iterator over names
local function catalog(scripts)
  return function()
    local names, k = {}, 0
    for name in pairs(scripts) do table.insert(names, name) end
    table.sort(names)
    return function()
      k = k + 1
      return names[k]
    end
  end
end
objects.member(user, "catalog", catalog(user_scripts))
objects.member(factory, "catalog", catalog(factory_scripts))

return module
