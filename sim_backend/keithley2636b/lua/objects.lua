-- Attribute objects as the instrument shows them: raw-empty tables whose metatable holds Getters, Setters, Objects and
-- luatype (reference keithley2636b sec. 2 and 16.3). The leaves are host functions, made once.
local callable, dispatch = ...
local error, setmetatable, getmetatable, type = error, setmetatable, getmetatable, type
local objects = {}
local READ_ONLY = "Cannot modify read only table"

function objects.new(luatype)
  local getters, setters, members = {}, {}, {}
  return setmetatable({}, {
    Getters = getters, Setters = setters, Objects = members, luatype = luatype,
    __index = function(_, key)
      local value = members[key]
      if value ~= nil then return value end
      local get = getters[key]
      if get then return get() end
    end,
    __newindex = function(_, key, value)
      local set = setters[key]
      if not set then error(READ_ONLY, 2) end
      set(value)
    end,
  })
end

-- `get` and `set`: numbers of host functions; `first` and `second`, if given, are their first arguments
function objects.attribute(object, name, get, set, first, second)
  local mt = getmetatable(object)
  if first ~= nil then
    mt.Getters[name] = function() return dispatch(get, first, second) end
    if set then mt.Setters[name] = function(value) dispatch(set, first, second, value) end end
  else
    mt.Getters[name] = function() return dispatch(get) end
    if set then mt.Setters[name] = function(value) dispatch(set, value) end end
  end
end

-- an attribute of a script's own making
function objects.property(object, name, get, set)
  local mt = getmetatable(object)
  mt.Getters[name], mt.Setters[name] = get, set
end

function objects.member(object, name, value) getmetatable(object).Objects[name] = value end
function objects.fn(object, name, start) getmetatable(object).Objects[name] = callable(start) end

-- numbered elements that are computed: `buffer[i]`, `buffer.readings[i]`
function objects.element(object, read)
  local mt = getmetatable(object)
  local members, getters = mt.Objects, mt.Getters
  mt.__index = function(_, key)
    if type(key) == "number" then return read(key) end
    local value = members[key]
    if value ~= nil then return value end
    local get = getters[key]
    if get then return get() end
  end
end

function makegetter(object, name)
  local get = getmetatable(object).Getters[name]
  return function() return get() end
end
function makesetter(object, name)
  local set = getmetatable(object).Setters[name]
  return function(value) set(value) end
end

return objects
